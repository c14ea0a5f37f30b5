import { expand } from "./broadcast.ts"
import { later } from "./later.ts"
import { checkData, checkShapeOf, elements } from "./options/arrays.ts"
import { allAxes, checkAxes, hasAxis } from "./options/axes.ts"
import {
  checkAboveZero,
  checkBroadcast,
  checkBroadcastShape,
  checkParameter,
  checkVariances,
  type Parameter,
} from "./options/numbers.ts"
import { checkFlag, checkOptions } from "./options/settings.ts"
import { reduce } from "./reduce.ts"
import { keptShape } from "./tf-nn.ts"
import type { Broadcastable, Maybe, MeanVariance, NdArray, Vector } from "./types.ts"
import { viewOf } from "./view.ts"

/** Sums from which mean and variance follow; sums of parts add up to those of the whole. */
export interface SufficientStatistics {
  /** The elements reduced, m; a scalar. */
  readonly count: NdArray<Vector>
  /** Σ(x-shift). */
  readonly meanSs: NdArray<Vector>
  /** Σ(x-shift)². */
  readonly varianceSs: NdArray<Vector>
  /** As it was given, without the reduced axes unless these stay, so that it broadcasts to the sums. */
  readonly shift: NdArray<Vector> | null
}

/** What `sufficientStatistics` may be told. */
export interface SufficientStatisticsOptions {
  /** What to subtract from x first, near the mean; it broadcasts to the shape of the sums with reduced axes of size 1. */
  shift?: Maybe<Broadcastable>
  /** Reduced axes stay, with size 1. */
  keepDims?: boolean | undefined
}

/**
 * Count, Σ(x-shift) and Σ(x-shift)² over some axes, as `tf.nn.sufficient_statistics`. They are computed from mean and
 * variance, so they do not lose digits where the shift is far from the mean.
 *
 * @param x any shape
 * @param axes the axes to reduce, a set; none given: all of them; `[]`: none
 * @returns the sums shaped as the axes that are kept; of no elements they are 0
 * @throws ShapeError where the shift does not broadcast, or changes along a reduced axis
 */
export function sufficientStatistics(
  x: NdArray,
  axes?: number | readonly number[],
  options?: SufficientStatisticsOptions,
): SufficientStatistics {
  const own = checkShapeOf(x, "x")
  const data = checkData(x, own, "x")
  const rank = own.length
  const reduced = checkAxes(axes, rank, allAxes(rank), "axes")
  const given = checkOptions(options, "options", ["shift", "keepDims"]) ?? {}
  const keepDims = checkFlag(given.keepDims, false, "keepDims")
  const sizes = keptShape(own, reduced, true)
  const kept = ", x's with reduced axes of size 1"
  const hasShift = given.shift !== undefined && given.shift !== null
  const shift = hasShift ? checkBroadcast(given.shift as Broadcastable, sizes, "shift", kept) : undefined

  const view = viewOf(own, reduced)
  const { statistics: length, count } = view
  later?.need()
  const vector = () => new Float64Array(length)
  const [mean, variance, meanRest, shifts] = [vector(), vector(), vector(), vector()]
  if (count > 0) reduce(view, data, undefined, mean, variance, meanRest)
  if (shift) expand(shift, sizes, 0, shifts)
  const [meanSs, varianceSs] = [vector(), vector()]
  for (let index = 0; index < length && count > 0; index++) {
    const distance = (mean[index] as number) - (shifts[index] as number) + (meanRest[index] as number)
    meanSs[index] = distance * count
    varianceSs[index] = (variance[index] as number) * count + distance * distance * count
  }
  const shape = keptShape(own, reduced, keepDims)
  return {
    count: { data: Float64Array.of(count), shape: [] },
    meanSs: { data: meanSs, shape },
    varianceSs: { data: varianceSs, shape: [...shape] },
    shift: shift ? { data: Float64Array.from(shift.data), shape: shiftShape(shift, reduced, rank, keepDims) } : null,
  }
}

/** Reduced axes are of size 1 in a shift, and go as they do from the sums. */
function shiftShape({ shape }: Parameter, reduced: number, rank: number, keepDims: boolean): number[] {
  const first = rank - shape.length
  return shape.filter((_, index) => keepDims || !hasAxis(reduced, first + index))
}

/**
 * Mean and biased variance from sufficient statistics, as `tf.nn.normalize_moments`: with d = meanSs/count the mean is
 * d + shift and the variance varianceSs/count - d², or 0 where rounding would leave less.
 *
 * @param count the elements of each sum, as all four a number, a bare array or `{ data, shape }`, which broadcast as in NumPy
 * @param meanSs Σ(x-shift)
 * @param varianceSs Σ(x-shift)²
 * @param shift none: 0
 * @returns both of the shape to which they broadcast
 * @throws ShapeError where they do not; ArgumentError for a count that is not above 0 or a negative sum of squares
 */
export function normalizeMoments(
  count: Broadcastable,
  meanSs: Broadcastable,
  varianceSs: Broadcastable,
  shift?: Maybe<Broadcastable>,
): MeanVariance {
  const parameters = {
    count: checkParameter(count, "count"),
    meanSs: checkParameter(meanSs, "meanSs"),
    varianceSs: checkParameter(varianceSs, "varianceSs"),
    shift: checkParameter(shift ?? 0, "shift"),
  }
  checkAboveZero(parameters.count.data, "count")
  checkVariances(parameters.varianceSs.data, "varianceSs", "a sum of squares from 0 on")
  const shape = checkBroadcastShape(parameters)
  const values = (parameter: Parameter) => {
    const expanded = new Float64Array(elements(shape))
    expand(parameter, shape, 0, expanded)
    return expanded
  }
  const counts = values(parameters.count)
  const mean = values(parameters.meanSs)
  const variance = values(parameters.varianceSs)
  const shifts = values(parameters.shift)
  for (let index = 0; index < mean.length; index++) {
    const count = counts[index] as number
    const distance = (mean[index] as number) / count
    const rest = (variance[index] as number) / count - distance * distance
    mean[index] = distance + (shifts[index] as number)
    variance[index] = Math.max(rest, 0)
  }
  return { mean: { data: mean, shape }, variance: { data: variance, shape: [...shape] } }
}
