import { expand } from "./broadcast.ts"
import { emptyLike, mapPiece } from "./map.ts"
import { checkApart } from "./options/apart.ts"
import { checkData, checkLike, checkShapeOf } from "./options/arrays.ts"
import { allAxes, axesOf, checkAxes, hasAxis } from "./options/axes.ts"
import { checkBroadcast, checkStatisticsOut, checkVariances, type Parameter } from "./options/numbers.ts"
import { checkEpsilon, checkFlag, checkOptions, checkSomeElements, defaultEpsilon } from "./options/settings.ts"
import { checkWeights } from "./options/weights.ts"
import { reduce } from "./reduce.ts"
import { give, open, outUse, runTiles, use } from "./stream.ts"
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
import { viewOf } from "./view.ts"
import { betaColumn, epsilonOfCall, gammaColumn, meanColumn, outRole, varianceColumn } from "./wasm.ts"

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
  const shape = checkShapeOf(x, "x")
  const data = checkData(x, shape, "x")
  const reduced = checkAxes(axes, shape.length, allAxes(shape.length), "axes")
  checkOptions(options, "options", momentsNames)
  const keepDims = checkFlag(options?.keepDims, false, "keepDims")
  const view = viewOf(shape, reduced)
  const length = view.statistics
  if (length > 0) checkSomeElements(view.count, 1, "x")
  const weights = checkWeights(options?.weights, shape, view.kept, 0)
  const out = checkOptions(options?.out, "out", resultNames)
  const mean = out?.mean ?? { data: new Float64Array(length), shape: keptShape(shape, reduced, keepDims) }
  const variance = out?.variance ?? { data: new Float64Array(length), shape: keptShape(shape, reduced, keepDims) }
  const meanData = checkStatisticsOut(mean, length, "out.mean")
  const varianceData = checkStatisticsOut(variance, length, "out.variance")

  checkApart(momentsApart, 2, none, data, weights?.data, meanData, varianceData)

  reduce(view, data, weights, meanData, varianceData)
  return out?.mean && out.variance ? (out as MeanVariance) : { mean, variance }
}

const momentsNames = ["keepDims", "weights", "out"]
const resultNames = ["mean", "variance"]
const momentsApart = ["x.data", "weights", "out.mean.data", "out.variance.data"]
const none = [0, 0]

/** The shape of statistics: without the reduced axes, or with those of size 1. */
export function keptShape(shape: readonly number[], reduced: number, keepDims: boolean): number[] {
  const sizes = shape.map((size, axis) => (hasAxis(reduced, axis) ? 1 : size))
  return keepDims ? sizes : sizes.filter((_, axis) => !hasAxis(reduced, axis))
}

/**
 * y = (x-μ)/√(σ²+ε)·scale + offset, as `tf.nn.batch_normalization`, argument for argument.
 *
 * @param x any shape
 * @param mean μ, as all four a number, a bare array or `{ data, shape }` that broadcasts to x as in NumPy
 * @param variance σ², not negative
 * @param offset none: 0
 * @param scale none: 1
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
  const shape = checkShapeOf(x, "x")
  const data = checkData(x, shape, "x")
  const optional = (value: Maybe<Broadcastable>, name: string) =>
    value === undefined || value === null ? undefined : checkBroadcast(value, shape, name)
  const parameters = [
    checkBroadcast(mean, shape, "mean"),
    checkBroadcast(variance, shape, "variance"),
    optional(scale, "scale"),
    optional(offset, "offset"),
  ] as const
  checkVariances(parameters[1].data, "variance")
  const epsilonValue = checkEpsilon(epsilon, defaultEpsilon)
  checkOptions(options, "options", ["out"])
  const out = options?.out
  const result = out === undefined ? (emptyLike(data, shape) as unknown as Y) : out
  const y = out === undefined ? result.data : checkLike(out, "out", shape, data)
  const [means, variances, scales, offsets] = parameters.map((parameter) => parameter?.data)
  const names = ["x.data", "mean", "variance", "scale", "offset", "out.data"]
  checkApart(names, 5, [1], data, means, variances, scales, offsets, y)

  // Axes along which no parameter changes are reduced, as far as the view is concerned.
  const rank = shape.length
  const constant = axesOf(allAxes(rank), rank).filter((axis) =>
    parameters.every((parameter) => sizeAt(parameter, axis, rank) === 1),
  )
  const reduced = constant.reduce((mask, axis) => mask | (1 << axis), 0)
  const kept = shape.map((size, axis) => (hasAxis(reduced, axis) ? 1 : size))
  const view = viewOf(shape, reduced)
  open(view, data)
  use(outRole, y, 0)
  epsilonOfCall[0] = epsilonValue
  const column = (index: number, parameter: Parameter | undefined) => {
    const isWhole = parameter?.data.length === view.statistics
    const expanded = (start: number, into: Float64Array) => expand(parameter as Parameter, kept, start, into)
    give(index, parameter && !isWhole ? expanded : parameter?.data)
  }
  column(meanColumn, parameters[0])
  column(varianceColumn, parameters[1])
  column(gammaColumn, parameters[2])
  column(betaColumn, parameters[3])
  runTiles(undefined, mapPiece, outUse, 0)
  return result
}

function sizeAt(parameter: Parameter | undefined, axis: number, rank: number): number {
  return parameter?.shape[axis - rank + parameter.shape.length] ?? 1
}
