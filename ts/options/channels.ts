import { ArgumentError } from "../errors.ts"
import type { ChannelOptions, FloatArray, Maybe, NdArray, Saved, Statistics, Vector } from "../types.ts"
import { statisticsOf, type View, viewOf } from "../view.ts"
import { type Checked, checkApart, checkArray, checkLike } from "./arrays.ts"
import { axesOf, checkAxes } from "./axes.ts"
import { checkPerChannel, checkVariances, checkVectorOut } from "./numbers.ts"
import { checkActivation, checkEpsilon, checkObject, missing } from "./settings.ts"

/** The ε of Keras and of `tf.nn`'s examples, wherever none is given. */
export const defaultEpsilon = 1e-3

/** The options of `infer`. */
export const inferNames: readonly string[] = [
  "gamma",
  "beta",
  "epsilon",
  "axis",
  "activation",
  "mean",
  "variance",
  "residual",
  "out",
]

/** What else there is in what `forward` saved, which is options whole. */
export const alsoSaved: readonly string[] = ["count", "frozen", "inPlace", "hasResidual", "hasWeights"]

/** The options of `forward`. */
export const forwardNames: readonly string[] = [...inferNames, "weights"]

/** Channel options that were judged. */
interface Channels {
  readonly view: View
  /** How many channels. */
  readonly length: number
  readonly axis: readonly number[]
  /** The same as a bit mask. */
  readonly kept: number
  readonly gamma: ArrayLike<number> | undefined
  readonly beta: ArrayLike<number> | undefined
  readonly epsilon: number
  readonly activation: "relu" | null
}

export function checkChannelOptions(x: Checked, options: ChannelOptions, prefix = ""): Channels {
  const rank = x.shape.length
  const last = rank === 0 ? 0 : 2 ** (rank - 1)
  const kept = checkAxes(options.axis, rank, last, `${prefix}axis`)
  const view = viewOf(x.shape, 2 ** rank - 1 - kept)
  const length = statisticsOf(view)
  return {
    view,
    length,
    axis: axesOf(kept, rank),
    kept,
    gamma: checkPerChannel(options.gamma, length, `${prefix}gamma`),
    beta: checkPerChannel(options.beta, length, `${prefix}beta`),
    epsilon: checkEpsilon(options.epsilon, defaultEpsilon, `${prefix}epsilon`),
    activation: checkActivation(options.activation, `${prefix}activation`),
  }
}

/** An array like x, or none. */
export function checkResidual(residual: Maybe<NdArray>, x: Checked): Checked | undefined {
  if (residual === undefined || residual === null) return undefined
  const checked = checkArray(residual, "residual")
  checkLike(checked, x, "residual")
  return checked
}

export function isGiven(options: Partial<Statistics>): boolean {
  const given = (value: unknown) => value !== undefined && value !== null
  if (given(options.mean) !== given(options.variance)) {
    throw missing(given(options.mean) ? "variance" : "mean", "both mean and variance, or neither")
  }
  return given(options.mean)
}

export function checkStatistics(options: Partial<Statistics>, length: number, prefix = ""): StatisticsNumbers {
  const mean = checkPerChannel(options.mean, length, `${prefix}mean`)
  const variance = checkPerChannel(options.variance, length, `${prefix}variance`)
  if (!mean) throw missing(`${prefix}mean`, "one number per channel")
  if (!variance) throw missing(`${prefix}variance`, "one number per channel")
  checkVariances(variance, `${prefix}variance`)
  return { mean, variance }
}

interface StatisticsNumbers {
  readonly mean: ArrayLike<number>
  readonly variance: ArrayLike<number>
}

interface SavedVectors {
  readonly mean: Vector
  readonly variance: Vector
  readonly count: Vector
  readonly gamma: Vector | null
  readonly beta: Vector | null
}

const savedNames = ["mean", "variance", "count", "gamma", "beta"] as const

/** Vectors to save in, which share no memory but with the very numbers that they are to hold. */
export function checkSavedOut(
  saved: Saved,
  { length, gamma, beta }: Channels,
  statistics: StatisticsNumbers | undefined,
  others: Readonly<Record<string, ArrayLike<unknown> | undefined>>,
): SavedVectors {
  checkObject(saved, "out.saved", "what forward saved")
  if (Object.isFrozen(saved)) throw new ArgumentError("out.saved", "an object to write into", "one that is frozen")
  const inputs = { mean: statistics?.mean, variance: statistics?.variance, count: undefined, gamma, beta }
  for (const name of savedNames) {
    const target = saved[name]
    const place = `out.saved.${name}`
    if ((name === "gamma" || name === "beta") && !inputs[name]) {
      if (target !== null) throw missing(name, `${name}, as out.saved has it`)
      continue
    }
    const vector = checkVectorOut(target as Vector, length, place)
    for (const [name, other] of Object.entries(others)) checkApart(vector, place, other, name)
    let isAfter = false
    for (const other of savedNames) {
      isAfter ||= other === name
      if (!isAfter) checkApart(vector, place, saved[other], `out.saved.${other}`)
      if (other !== name || inputs[other] !== vector) checkApart(vector, place, inputs[other], other)
    }
  }
  return saved
}

/** Results of `backward`, each apart from what is still to be read and from each other; arrays like x were judged against x. */
export function checkResultsApart(
  elementwise: Readonly<Record<string, FloatArray | undefined>>,
  vectors: Readonly<Record<string, Vector | undefined>>,
  inputs: Readonly<Record<string, FloatArray | undefined>>,
  saved: Readonly<Record<(typeof savedNames)[number], ArrayLike<number> | undefined>>,
  weights: ArrayLike<unknown> | undefined,
): void {
  const written: [string, ArrayLike<unknown>][] = []
  const check = (place: string, result: ArrayLike<unknown>, isVector: boolean) => {
    for (const name of savedNames) checkApart(result, place, saved[name], `saved.${name}`)
    checkApart(result, place, weights, "weights")
    if (isVector) for (const [name, input] of Object.entries(inputs)) checkApart(result, place, input, name)
    for (const [name, other] of written) checkApart(result, place, other, name)
    written.push([place, result])
  }
  for (const [name, result] of Object.entries(elementwise)) if (result) check(`out.${name}.data`, result, false)
  for (const [name, result] of Object.entries(vectors)) if (result) check(`out.${name}`, result, true)
}
