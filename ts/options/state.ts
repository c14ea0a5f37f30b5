import { type Convention, conventions, parametersOf, type Uses } from "../conventions.ts"
import { ArgumentError, ShapeError, StateError } from "../errors.ts"
import type { LoadableState, PerChannel, Vector } from "../types.ts"
import { describe } from "./describe.ts"
import { checkCount } from "./json.ts"
import { checkPerChannel, checkVariances, listOf } from "./numbers.ts"
import { missing } from "./settings.ts"

/** The layer that a state is for. */
interface Layer extends Uses {
  readonly channels: number
  readonly momentum: number | null
}

/** A state that was judged, copied; what the layer does not use or the state does not say is left out. */
interface Loaded {
  readonly gamma: Vector | undefined
  readonly beta: Vector | undefined
  readonly runningMean: Vector
  readonly runningVariance: Vector
  readonly batches: number | undefined
}

/** A state by the names of a framework, that this layer can use. */
export function checkState(state: LoadableState, layer: Layer, convention: Convention): Loaded {
  const [gammaName, betaName, meanName, varianceName, batchesName] = conventions[convention].names
  if (layer.momentum === null && !batchesName) {
    throw new ArgumentError(
      "convention",
      'one whose state says how many batches it has seen ("torch"), for a momentum of null to go on averaging',
      `"${convention}"`,
    )
  }
  const entries = checkEntries(state, convention)
  const vector = (name: string, unless = ""): Vector => {
    const values = checkPerChannel(entries.get(name) as PerChannel | undefined, layer.channels, `state.${name}`)
    if (!values) throw missing(`state.${name}`, `one number per channel${unless}: ${contents(convention)}`)
    const copy = new Float64Array(layer.channels)
    copy.set(values)
    return copy
  }
  // A parameter that the layer does not use counts where it is there all the same.
  const due = parametersOf(convention, {
    scale: layer.scale || entries.has(gammaName),
    center: layer.center || entries.has(betaName),
  })
  const parameter = (isDue: boolean, name: string, option: keyof Uses, neutral: number): Vector | undefined => {
    if (!isDue) return undefined
    const values = vector(name, unlessOff(option, convention))
    if (layer[option]) return values
    const channel = values.findIndex((value) => value !== neutral)
    if (channel < 0) return undefined
    const expected = `${neutral}: the layer has ${option} off, so it would not use another`
    throw new ArgumentError(`state.${name}[${channel}]`, expected, `${values[channel]}`)
  }
  const gamma = parameter(due.gamma, gammaName, "scale", 1)
  const beta = parameter(due.beta, betaName, "center", 0)
  const runningMean = vector(meanName)
  const runningVariance = vector(varianceName)
  checkVariances(runningVariance, `state.${varianceName}`)
  return {
    gamma,
    beta,
    runningMean,
    runningVariance,
    batches: batchesName ? checkBatches(entries.get(batchesName), `state.${batchesName}`) : undefined,
  }
}

/** Of which layers a framework's state lacks a parameter. */
function unlessOff(option: keyof Uses, convention: Convention): string {
  const { unused } = conventions[convention]
  if (unused === "written") return ""
  return ` (none where the layer has ${unused === "left out" ? option : "scale and center"} off)`
}

/** The entries of a state, none of them of another name than the framework's. */
function checkEntries(state: LoadableState, convention: Convention): ReadonlyMap<string, unknown> {
  if (typeof state !== "object" || state === null || Symbol.iterator in state) {
    const hint = state instanceof Map ? ": pass Object.fromEntries(map)" : ""
    throw new ArgumentError("state", `an object: ${contents(convention)}`, `${describe(state)}${hint}`)
  }
  const entries = new Map(Object.entries(state).filter(([, value]) => value !== undefined && value !== null))
  const known: readonly (string | undefined)[] = conventions[convention].names
  for (const [name, value] of entries) {
    if (!known.includes(name)) {
      const hints = hintsFor([...entries.keys()], convention).map((hint) => `: ${hint}`)
      const expected = `no such entry: ${contents(convention)}`
      throw new ArgumentError(`state.${name}`, expected, `${describe(value)}${hints.join("")}`)
    }
  }
  return entries
}

/** What may be meant by names of which some are unknown. */
function hintsFor(keys: readonly string[], convention: Convention): string[] {
  const prefix = sharedPrefix(keys)
  const bare = keys.map((key) => key.slice(prefix.length))
  if (bare.some((key) => /[./]/.test(key))) return ["pass the entries of one layer, named without its prefix"]
  const other = (Object.keys(conventions) as Convention[]).find((each) => {
    const { names } = conventions[each]
    return each !== convention && bare.includes(names[2]) && bare.every((key) => names.includes(key))
  })
  return [
    ...(prefix === "" ? [] : [`name them by the part after "${prefix}"`]),
    ...(other === undefined ? [] : [`these are the names of "${other}": load(state, "${other}")`]),
  ]
}

/** What all names begin with, up to the last "." or "/" of it: the place of the layer in its model. */
function sharedPrefix(keys: readonly string[]): string {
  const first = keys[0] as string
  let length = 0
  while (length < first.length && keys.every((key) => key[length] === first[length])) length++
  return first.slice(0, length).replace(/[^./]*$/, "")
}

function checkBatches(value: unknown, name: string): number {
  if (value === undefined) {
    throw missing(name, "how many batches it has seen (files of PyTorch before 0.4.1 do not say: add a 0)")
  }
  if (typeof value !== "object") return checkCount(exactly(value), name)
  const list: ArrayLike<unknown> = listOf(value as PerChannel, name, "a whole number from 0 on")
  if (list.length !== 1) throw new ShapeError(name, "1 number", `${list.length}`)
  return checkCount(exactly(list[0]), name)
}

/** A bigint as a number, where that loses no digit. */
function exactly(value: unknown): unknown {
  return typeof value === "bigint" && BigInt.asUintN(53, value) === value ? Number(value) : value
}

function contents(convention: Convention): string {
  return `"${convention}" has ${conventions[convention].names.join(", ")}`
}

/** How many batches the channels skipped, where one number says it of all. */
export function checkSameSkips(skips: Float64Array): number {
  const first = skips[0] as number
  if (skips.every((count) => count === first)) return first
  throw new StateError(
    "state: the channels average different numbers of batches, since some held NaN or Infinity; toJSON keeps that",
  )
}
