import { applyMap, emptyLike, kernelsOf, ordinary } from "./map.ts"
import { checkApart, checkArray, checkHeld, checkOut, isSame } from "./options/arrays.ts"
import {
  alsoSaved,
  checkChannelOptions,
  checkResidual,
  checkSavedOut,
  checkStatistics,
  forwardNames,
  inferNames,
  isGiven,
} from "./options/channels.ts"
import { checkOptions, checkSomeElements, missing } from "./options/settings.ts"
import { checkWeights } from "./options/weights.ts"
import { readCount, reduceTile } from "./reduce.ts"
import { readColumn, writeColumn } from "./stream.ts"
import type {
  ChannelOptions,
  FloatArray,
  Like,
  Maybe,
  NdArray,
  Operands,
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
export interface ForwardOptions<Y extends NdArray, T extends FloatArray = FloatArray>
  extends ChannelOptions,
    Operands<T>,
    Partial<Statistics> {
  /** What to write into, whole or in part; `out.y` may be x, which then cannot go back. */
  out?: { readonly y?: Y; readonly saved?: Saved } | undefined
}

/**
 * Normalizes each channel by the statistics of the batch, or by a mean and variance that are given:
 * y = (x-μ)/√(σ²+ε)·γ + β, plus the residual, then the activation, in two passes over x (one, if given). With weights
 * μ = Σwx/Σw and σ² = Σw(x-μ)²/Σw; y is that of all elements. Source: Ioffe and Szegedy 2015, algorithm 1.
 *
 * @param x any shape; its channels lie along `axis`
 * @returns y, like x, and what `backward` needs, per channel
 * @throws ArgumentError for an empty batch, a channel without weight, a negative variance or weight, a bad ε, an `out`
 *   that overlaps x in part; ShapeError where lengths do not fit
 */
export function forward<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
  x: NdArray<T>,
  options?: ForwardOptions<Y, T>,
): Forward<Y> {
  return forwardInto<T, Y>(x, options, "out.y")
}

/** The same, for callers to whose users `out.y` has another name. */
export function forwardInto<T extends FloatArray, Y extends NdArray<Like<T>>>(
  x: NdArray<T>,
  options: ForwardOptions<Y, T> | undefined,
  outName: string,
): Forward<Y> {
  const array = checkArray(x, "x")
  const given: ForwardOptions<Y, T> = checkOptions(options, "options", forwardNames, alsoSaved) ?? {}
  const channels = checkChannelOptions(array, given)
  const { view, length } = channels
  const frozen = isGiven(given)
  const statistics = frozen ? checkStatistics(given, length) : undefined
  if (!frozen && length > 0) checkSomeElements(countOf(view), 1, "x")
  const residual = checkResidual(given.residual, array)
  const weights = checkWeights(given.weights, array.shape, channels.kept, frozen ? undefined : 0)
  const relu = channels.activation === "relu"
  const out = checkOptions(given.out, "out", ["y", "saved"])
  const result = out?.y === undefined ? (emptyLike(array) as unknown as Y) : out.y
  const y = out?.y === undefined ? ordinary(result) : checkOut(result, array, { x: array, residual }, outName)
  checkApart(y.data, `${outName}.data`, weights?.data, "weights")
  // The backward pass looks where the ReLU was 0.
  if (relu) checkApart(y.data, `${outName}.data`, residual?.data, "residual.data")
  const saved =
    out?.saved === undefined
      ? {
          mean: new Float64Array(length),
          variance: new Float64Array(length),
          count: new Float64Array(length),
          gamma: channels.gamma ? new Float64Array(length) : null,
          beta: channels.beta ? new Float64Array(length) : null,
        }
      : checkSavedOut(out.saved, channels, statistics, {
          "x.data": array.data,
          [`${outName}.data`]: y.data,
          "residual.data": residual?.data,
          weights: weights?.data,
        })
  // From here on something is written.
  for (const each of [array, y, residual, weights]) if (each) checkHeld(each)
  Object.assign(saved, {
    epsilon: channels.epsilon,
    axis: channels.axis,
    activation: channels.activation,
    frozen,
    inPlace: isSame(y, array),
    ...((residual || out?.saved?.hasResidual) && { hasResidual: residual !== undefined }),
    ...((weights || out?.saved?.hasWeights) && { hasWeights: weights !== undefined }),
  })
  saved.gamma?.set(channels.gamma as ArrayLike<number>)
  saved.beta?.set(channels.beta as ArrayLike<number>)
  if (statistics) {
    if (weights) saved.count.set(weights.totals)
    else saved.count.fill(countOf(view))
    saved.mean.set(statistics.mean)
    saved.variance.set(statistics.variance)
  }

  const kernels = kernelsOf(array)
  const map = { epsilon: channels.epsilon, relu, residual, weights: frozen ? undefined : weights }
  applyMap(view, array, y, map, (tile, port) => {
    if (statistics) {
      writeColumn(columns.mean, tile, saved.mean, 0)
      writeColumn(columns.variance, tile, saved.variance, 0)
    } else {
      reduceTile(view, tile, kernels, port, weights)
      readColumn(columns.mean, tile, saved.mean)
      readColumn(columns.variance, tile, saved.variance)
      readCount(tile, weights, saved.count)
    }
    writeColumn(columns.gamma, tile, saved.gamma ?? undefined, 1)
    writeColumn(columns.beta, tile, saved.beta ?? undefined, 0)
    return statistics ? [] : [port]
  })
  return out?.y && out.saved ? (out as Forward<Y>) : { y: result, saved: saved as Saved }
}

/** What `infer` may be told. */
export interface InferOptions<Y extends NdArray, T extends FloatArray = FloatArray>
  extends ChannelOptions,
    Statistics,
    OutOption<Y> {
  /** Like x; added before the activation. */
  residual?: Maybe<NdArray<Like<T>>>
}

/**
 * Normalizes each channel by a mean and variance that are given: y = (x-μ)/√(σ²+ε)·γ + β, plus the residual, then the
 * activation, in one pass. What `forward` saved will do as options.
 *
 * @param x any shape; its channels lie along `axis`
 * @returns an array like x, or `out`
 * @throws as `forward`
 */
export function infer<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
  x: NdArray<T>,
  options: InferOptions<Y, T>,
): Y {
  const array = checkArray(x, "x")
  const given = checkOptions(options, "options", inferNames, alsoSaved)
  if (!given) throw missing("options", "{ mean, variance }")
  const channels = checkChannelOptions(array, given)
  const statistics = checkStatistics(given, channels.length)
  const residual = checkResidual(given.residual, array)
  const result = given.out === undefined ? (emptyLike(array) as unknown as Y) : given.out
  const y = given.out === undefined ? ordinary(result) : checkOut(result, array, { x: array, residual }, "out")
  checkApart(y.data, "out.data", statistics.mean, "mean")
  checkApart(y.data, "out.data", statistics.variance, "variance")
  checkApart(y.data, "out.data", channels.gamma, "gamma")
  checkApart(y.data, "out.data", channels.beta, "beta")
  const map = { epsilon: channels.epsilon, relu: channels.activation === "relu", residual }
  applyMap(channels.view, array, y, map, (tile) => {
    writeColumn(columns.mean, tile, statistics.mean, 0)
    writeColumn(columns.variance, tile, statistics.variance, 0)
    writeColumn(columns.gamma, tile, channels.gamma, 1)
    writeColumn(columns.beta, tile, channels.beta, 0)
    return []
  })
  return result
}
