import { StateError } from "./errors.ts"
import { applyMap, emptyLike, kernelsOf, ordinary } from "./map.ts"
import { checkApart, checkArray, checkLike, checkOut, isSame } from "./options/arrays.ts"
import {
  checkChannelOptions,
  checkGradientsApart,
  checkSavedOut,
  checkStatistics,
  isGiven,
  normalizationNames,
} from "./options/channels.ts"
import { checkCounts, checkPerChannel, checkVectorOut } from "./options/numbers.ts"
import { checkFlag, checkNeed, checkObject, checkOptions, checkSomeElements, missing } from "./options/settings.ts"
import { input, isStaged, output, pass, readColumn, tilesOf, writeColumn } from "./stream.ts"
import type {
  ChannelOptions,
  FloatArray,
  Gradients,
  Like,
  NdArray,
  OutOption,
  Owned,
  Saved,
  Statistics,
} from "./types.ts"
import { countOf } from "./view.ts"
import { columns } from "./wasm.ts"

/** What `forward` returns, and may be told to fill. */
export interface Forward<Y extends NdArray> {
  readonly y: Y
  readonly saved: Saved
}

/** What `forward` may be told. */
export interface ForwardOptions<Y extends NdArray> extends ChannelOptions, Partial<Statistics> {
  /** What to write into, whole or in part; `out.y` may be x, which then cannot go back. */
  out?: { readonly y?: Y; readonly saved?: Saved } | undefined
}

/**
 * Normalizes each channel by the statistics of the batch, or by a mean and variance that are given:
 * y = (x-μ)/√(σ²+ε)·γ + β, then the activation, in two passes over x (one, if given). Source: Ioffe and Szegedy 2015,
 * algorithm 1.
 *
 * @param x any shape; its channels lie along `axis`
 * @returns y, like x, and what `backward` needs, per channel
 * @throws ArgumentError for an empty batch, a negative variance, a bad ε, an `out` that overlaps x in part; ShapeError
 *   where lengths do not fit
 */
export function forward<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
  x: NdArray<T>,
  options?: ForwardOptions<Y>,
): Forward<Y> {
  const array = checkArray(x, "x")
  const given: ForwardOptions<Y> = checkOptions(options, "options", normalizationNames) ?? {}
  const channels = checkChannelOptions(array, given)
  const { view, length } = channels
  const frozen = isGiven(given)
  const statistics = frozen ? checkStatistics(given, length) : undefined
  if (!frozen && length > 0) checkSomeElements(countOf(view), 1, "x")
  const out = checkOptions(given.out, "out", ["y", "saved"])
  const result = out?.y === undefined ? (emptyLike(array) as unknown as Y) : out.y
  const y = out?.y === undefined ? ordinary(result) : checkOut(result, array, { x: array }, "out.y")
  const saved =
    out?.saved === undefined
      ? {
          mean: new Float64Array(length),
          variance: new Float64Array(length),
          count: new Float64Array(length),
          gamma: channels.gamma ? new Float64Array(length) : null,
          beta: channels.beta ? new Float64Array(length) : null,
        }
      : checkSavedOut(out.saved, channels, statistics, array.data, y.data)
  Object.assign(saved, {
    epsilon: channels.epsilon,
    axis: channels.axis,
    activation: channels.activation,
    frozen,
    inPlace: isSame(y, array),
  })
  saved.gamma?.set(channels.gamma as ArrayLike<number>)
  saved.beta?.set(channels.beta as ArrayLike<number>)
  if (statistics) {
    saved.mean.set(statistics.mean)
    saved.variance.set(statistics.variance)
    saved.count.fill(countOf(view))
  }

  const kernels = kernelsOf(array)
  applyMap(view, array, y, { epsilon: channels.epsilon, relu: channels.activation === "relu" }, (tile) => {
    if (statistics) {
      writeColumn(columns.mean, tile, saved.mean, 0)
      writeColumn(columns.variance, tile, saved.variance, 0)
    } else {
      pass(view, tile, [input(array, 0)], true, kernels.moments)
      readColumn(columns.mean, tile, saved.mean)
      readColumn(columns.variance, tile, saved.variance)
      readColumn(columns.count, tile, saved.count)
    }
    writeColumn(columns.gamma, tile, saved.gamma ?? undefined, 1)
    writeColumn(columns.beta, tile, saved.beta ?? undefined, 0)
    return statistics === undefined
  })
  return out?.y && out.saved ? (out as Forward<Y>) : { y: result, saved: saved as Saved }
}

/** What `infer` may be told. */
export interface InferOptions<Y extends NdArray> extends ChannelOptions, Statistics, OutOption<Y> {}

/**
 * Normalizes each channel by a mean and variance that are given: y = (x-μ)/√(σ²+ε)·γ + β, then the activation, in one
 * pass. What `forward` saved will do as options.
 *
 * @param x any shape; its channels lie along `axis`
 * @returns an array like x, or `out`
 * @throws as `forward`
 */
export function infer<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
  x: NdArray<T>,
  options: InferOptions<Y>,
): Y {
  const array = checkArray(x, "x")
  const given = checkOptions(options, "options", normalizationNames)
  if (!given) throw missing("options", "{ mean, variance }")
  const channels = checkChannelOptions(array, given)
  const statistics = checkStatistics(given, channels.length)
  const result = given.out === undefined ? (emptyLike(array) as unknown as Y) : given.out
  const y = given.out === undefined ? ordinary(result) : checkOut(result, array, { x: array }, "out")
  checkApart(y.data, "out.data", statistics.mean, "mean")
  checkApart(y.data, "out.data", statistics.variance, "variance")
  checkApart(y.data, "out.data", channels.gamma, "gamma")
  checkApart(y.data, "out.data", channels.beta, "beta")
  applyMap(channels.view, array, y, { epsilon: channels.epsilon, relu: channels.activation === "relu" }, (tile) => {
    writeColumn(columns.mean, tile, statistics.mean, 0)
    writeColumn(columns.variance, tile, statistics.variance, 0)
    writeColumn(columns.gamma, tile, channels.gamma, 1)
    writeColumn(columns.beta, tile, channels.beta, 0)
    return false
  })
  return result
}

/** What `backward` may be told. */
export interface BackwardOptions<X extends NdArray, N extends keyof Gradients> {
  /** The gradients that are wanted; all three unless given. */
  need?: readonly N[] | undefined
  /** Arrays to write into, of those wanted; `dx` may be dy or x. */
  out?: Partial<Gradients<X>> | undefined
}

const gradientNames = ["dx", "dgamma", "dbeta"] as const

/**
 * The gradients of `forward`, in closed form, with x̂ = (x-μ)·r and r = 1/√(σ²+ε):
 * dβ = Σdy, dγ = Σdy·x̂, dx = γ·r·(dy - dβ/m - x̂·dγ/m); with statistics that were given dx = γ·r·dy. After a ReLU, dy
 * does not count where y is 0. Source: Ioffe and Szegedy 2015, section 3, in closed form.
 *
 * @param dy the gradient with respect to y, like x
 * @param x what `forward` was given
 * @param saved what it returned
 * @returns the gradients that `need` names
 * @throws StateError after a forward in place; ShapeError where dy or saved do not fit x
 */
export function backward<
  T extends FloatArray,
  X extends NdArray<Like<T>> = NdArray<Owned<T>>,
  N extends keyof Gradients = keyof Gradients,
>(dy: NdArray<Like<T>>, x: NdArray<T>, saved: Saved, options?: BackwardOptions<X, N>): Pick<Gradients<X>, N> {
  const array = checkArray(x, "x")
  const slope = checkArray(dy as NdArray, "dy")
  checkLike(slope, array, "dy")
  if (!checkObject(saved, "saved", "what forward saved")) throw missing("saved", "what forward saved")
  if (checkFlag(saved.inPlace, false, "saved.inPlace")) {
    throw new StateError("saved: forward wrote y over x, so x is gone: give it another array for y to go back", "saved")
  }
  const channels = checkChannelOptions(array, saved, "saved.")
  const { view, length, epsilon } = channels
  const statistics = checkStatistics(saved, length, "saved.")
  const count = checkPerChannel(saved.count, length, "saved.count")
  if (!count) throw missing("saved.count", "one number per channel")
  checkCounts(count, countOf(view), "saved.count")
  const frozen = checkFlag(saved.frozen, false, "saved.frozen")
  const { need: names, out = {} } = checkOptions(options, "options", ["need", "out"]) ?? {}
  const need = checkNeed(names, gradientNames as unknown as readonly N[])
  checkOptions(out, "out", gradientNames)
  const wants = (name: N | keyof Gradients) => need.includes(name as N)

  const inputs = { x: array, dy: slope }
  const given = wants("dx") ? out.dx : undefined
  const fresh = wants("dx") && given === undefined ? (emptyLike(array) as unknown as X) : undefined
  const dx = given === undefined ? fresh && ordinary(fresh) : checkOut(given as NdArray, array, inputs, "out.dx")
  const vector = (name: "dgamma" | "dbeta") => {
    if (!wants(name)) return undefined
    const target = out[name]
    return target === undefined ? new Float64Array(length) : checkVectorOut(target, length, `out.${name}`)
  }
  const dgamma = vector("dgamma")
  const dbeta = vector("dbeta")
  const numbers = { ...statistics, count, gamma: channels.gamma, beta: channels.beta }
  checkGradientsApart({ dx: dx?.data, dgamma, dbeta }, { x: array.data, dy: slope.data }, numbers)

  const relu = channels.activation === "relu"
  const sums = wants("dgamma") || wants("dbeta") || (dx !== undefined && !frozen)
  const kernels = kernelsOf(array)
  const staged = [array, slope, ...(dx ? [dx] : [])].some((each) => isStaged(view, each))
  const ports = [input(array, 0), input(slope, 1)]
  for (const tile of tilesOf(view, kernels.bytes, staged)) {
    writeColumn(columns.mean, tile, statistics.mean, 0)
    writeColumn(columns.variance, tile, statistics.variance, 0)
    writeColumn(columns.gamma, tile, channels.gamma, 1)
    writeColumn(columns.beta, tile, channels.beta, 0)
    writeColumn(columns.count, tile, count, 0)
    if (sums) {
      pass(view, tile, ports, true, (begin, end) => kernels.parameterGradients(relu, epsilon, begin, end))
      if (dgamma) readColumn(columns.dgamma, tile, dgamma)
      if (dbeta) readColumn(columns.dbeta, tile, dbeta)
    }
    if (dx) {
      pass(view, tile, [...ports, output(dx, 1)], !sums, (begin) => kernels.dx(relu, frozen, epsilon, begin))
    }
  }
  const gradients = { dx: fresh ?? given, dgamma, dbeta }
  return Object.fromEntries(need.map((name) => [name, gradients[name as keyof Gradients]])) as Pick<Gradients<X>, N>
}
