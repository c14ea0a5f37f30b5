import { expand } from "./broadcast.ts"
import { applyMap, emptyLike, ordinary } from "./map.ts"
import { checkApart, checkArray, checkOut } from "./options/arrays.ts"
import { axesOf, checkAxes, hasAxis } from "./options/axes.ts"
import { defaultEpsilon } from "./options/channels.ts"
import { checkBroadcast, checkStatisticsOut, checkVariances, type Parameter } from "./options/numbers.ts"
import { checkEpsilon, checkFlag, checkOptions, checkSomeElements } from "./options/settings.ts"
import { checkWeights } from "./options/weights.ts"
import { reduce } from "./reduce.ts"
import { columnOf, writeColumn } from "./stream.ts"
import type {
  Broadcastable,
  FloatArray,
  Like,
  Maybe,
  MeanVariance,
  NdArray,
  OutOption,
  Owned,
  Weights,
} from "./types.ts"
import { countOf, statisticsOf, viewOf } from "./view.ts"
import { columns } from "./wasm.ts"

/** What `moments` may be told. */
export interface MomentsOptions {
  /** Reduced axes stay, with size 1. */
  keepDims?: boolean | undefined
  /** μ = Σwx/Σw, σ² = Σw(x-μ)²/Σw, as `tf.nn.weighted_moments`. */
  weights?: Maybe<Weights>
  /** Arrays to write into, whole or in part, with as many elements as the result. */
  out?: Partial<MeanVariance> | undefined
}

/**
 * Mean and biased variance over some axes, as `tf.nn.moments`:
 * μ = Σx / m, σ² = Σ(x-μ)² / m, in Float64Array, accurate at any offset of the data (docs/numerics.md). The moments of
 * blocks merge by the formula of Chan, Golub and LeVeque 1979.
 *
 * @param x any shape
 * @param axes the axes to reduce; none given: all of them; `[]`: none
 * @returns both shaped as the axes that are kept
 * @throws ArgumentError where no element is reduced; ShapeError, StateError, DisposedError for an x that is none
 */
export function moments(x: NdArray, axes?: number | readonly number[], options?: MomentsOptions): MeanVariance {
  const array = checkArray(x, "x")
  const rank = array.shape.length
  const reduced = checkAxes(axes, rank, 2 ** rank - 1, "axes")
  checkOptions(options, "options", ["keepDims", "weights", "out"])
  const keepDims = checkFlag(options?.keepDims, false, "keepDims")
  const view = viewOf(array.shape, reduced)
  const length = statisticsOf(view)
  if (length > 0) checkSomeElements(countOf(view), 1, "x")
  const weights = checkWeights(options?.weights, array.shape, 2 ** rank - 1 - reduced, 0)
  const shape = keptShape(array.shape, reduced, keepDims)
  const out = checkOptions(options?.out, "out", ["mean", "variance"])
  const result = {
    mean: out?.mean ?? { data: new Float64Array(length), shape },
    variance: out?.variance ?? { data: new Float64Array(length), shape: [...shape] },
  }
  const mean = checkStatisticsOut(result.mean, length, "out.mean")
  const variance = checkStatisticsOut(result.variance, length, "out.variance")
  checkApart(mean, "out.mean.data", array.data, "x.data")
  checkApart(variance, "out.variance.data", array.data, "x.data")
  checkApart(variance, "out.variance.data", mean, "out.mean.data")
  checkApart(mean, "out.mean.data", weights?.data, "weights")
  checkApart(variance, "out.variance.data", weights?.data, "weights")

  reduce(view, array, weights, { mean, variance })
  return out?.mean && out.variance ? (out as MeanVariance) : result
}

/** The shape of statistics: without the reduced axes, or with those of size 1. */
export function keptShape(shape: readonly number[], reduced: number, keepDims: boolean): number[] {
  const sizes = shape.map((size, axis) => (hasAxis(reduced, axis) ? 1 : size))
  return keepDims ? sizes : sizes.filter((_, axis) => !hasAxis(reduced, axis))
}

/**
 * y = (x-μ)/√(σ²+ε)·scale + offset, as `tf.nn.batch_normalization`, argument for argument.
 *
 * @param x any shape
 * @param mean, variance, offset, scale numbers, bare arrays or `{ data, shape }` that broadcast to x as in NumPy; offset
 *   and scale may each be absent
 * @param epsilon ε; 1e-3 unless given
 * @returns an array like x, or `out`
 * @throws ShapeError where a parameter does not broadcast to x; ArgumentError for a negative variance or a bad ε
 */
export function batchNormalization<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
  x: NdArray<T>,
  mean: Broadcastable,
  variance: Broadcastable,
  offset?: Maybe<Broadcastable>,
  scale?: Maybe<Broadcastable>,
  epsilon?: number,
  options?: OutOption<Y>,
): Y {
  const array = checkArray(x, "x")
  const { shape } = array
  const optional = (value: Maybe<Broadcastable>, name: string) =>
    value === undefined || value === null ? undefined : checkBroadcast(value, shape, name)
  const parameters = {
    mean: checkBroadcast(mean, shape, "mean"),
    variance: checkBroadcast(variance, shape, "variance"),
    gamma: optional(scale, "scale"),
    beta: optional(offset, "offset"),
  }
  checkVariances(parameters.variance.data, "variance")
  const epsilonValue = checkEpsilon(epsilon, defaultEpsilon)
  checkOptions(options, "options", ["out"])
  const result = options?.out === undefined ? (emptyLike(array) as unknown as Y) : options.out
  const y = options?.out === undefined ? ordinary(result) : checkOut(result, array, { x: array }, "out")
  checkApart(y.data, "out.data", parameters.mean.data, "mean")
  checkApart(y.data, "out.data", parameters.variance.data, "variance")
  checkApart(y.data, "out.data", parameters.beta?.data, "offset")
  checkApart(y.data, "out.data", parameters.gamma?.data, "scale")

  // Axes along which no parameter changes are reduced, as far as the view is concerned.
  const constant = axesOf(2 ** shape.length - 1, shape.length).filter((axis) =>
    Object.values(parameters).every((parameter) => sizeAt(parameter, axis, shape.length) === 1),
  )
  const reduced = constant.reduce((mask, axis) => mask + 2 ** axis, 0)
  const kept = shape.map((size, axis) => (hasAxis(reduced, axis) ? 1 : size))
  const view = viewOf(shape, reduced)
  applyMap(view, array, y, { epsilon: epsilonValue, relu: false }, (tile) => {
    const column = (index: number, parameter: Parameter | undefined, absent: number) => {
      const isWhole = parameter?.data.length === statisticsOf(view)
      if (parameter && !isWhole) expand(parameter, kept, tile.start, columnOf(index, tile))
      else writeColumn(index, tile, parameter?.data, absent)
    }
    column(columns.mean, parameters.mean, 0)
    column(columns.variance, parameters.variance, 0)
    column(columns.gamma, parameters.gamma, 1)
    column(columns.beta, parameters.beta, 0)
    return []
  })
  return result
}

function sizeAt(parameter: Parameter | undefined, axis: number, rank: number): number {
  return parameter?.shape[axis - rank + parameter.shape.length] ?? 1
}
