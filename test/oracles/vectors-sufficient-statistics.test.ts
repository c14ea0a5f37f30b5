import { type Broadcastable, normalizeMoments, sufficientStatistics } from "batchnorm"
import { afterEach, describe, expect, test } from "vitest"
import { accuracyOf, Verdict } from "../support/framework-bounds.ts"
import { type Case, casesOf, instances, type Stored, stored } from "../support/framework-vectors.ts"
import { Arrays } from "../support/numerics-arrays.ts"
import { broadcast } from "../unit/support/naive.ts"

interface SufficientCase extends Case {
  readonly x: string
  /** null: all. */
  readonly axes: readonly number[] | null
  readonly keepDims: boolean
  readonly shift: Stored | null
  readonly due: {
    readonly count: number
    readonly meanSs: Stored
    readonly varianceSs: Stored
    /** Σ|x - shift|. */
    readonly terms: readonly number[]
  }
}

interface NormalizeMomentsCase extends Case {
  readonly count: number
  readonly meanSs: Stored
  readonly varianceSs: Stored
  readonly shift: Stored | null
  readonly due: { readonly mean: Stored; readonly variance: Stored }
}

/** A scalar as a number, one axis as a bare array. */
function given(value: Stored): Broadcastable {
  return value.shape.length === 0 ? value.data[0]! : value.shape.length === 1 ? value.data : stored(value)
}

describe.each(instances)("$dtype, $residency", ({ dtype, residency }) => {
  const arrays = new Arrays(residency)
  afterEach(() => arrays.free())

  test.each(casesOf<SufficientCase>("sufficientStatistics", dtype))("$name: count and shifted sums", (one) => {
    const x = arrays.copy(one.array(one.x, dtype))
    const { keepDims, due } = one
    const { count, meanSs, varianceSs, shift } = sufficientStatistics(x, one.axes ?? undefined, {
      keepDims,
      shift: one.shift && given(one.shift),
    })
    expect([meanSs.shape, varianceSs.shape]).toEqual([due.meanSs.shape, due.varianceSs.shape])
    expect(count.data.length).toBeGreaterThan(0)
    expect(count.data.every((value) => value === due.count)).toBe(true)
    expect(shift === null).toBe(one.shift === null)

    // Sums of 32u of their terms' magnitudes; a sum that is taken from the mean has that one's error besides.
    const { u, batchLoss } = accuracyOf(dtype, one.exact)
    const shifts = broadcast(one.shift ?? 0, due.meanSs.shape)
    const means = due.meanSs.data.map((sum, at) => shifts[at]! + sum / due.count)
    const lost = means.map((mean) => batchLoss * Math.abs(mean))
    const ofSum = (at: number) => 32 * u * due.terms[at]! + due.count * lost[at]!
    const ofSquares = (at: number) =>
      32 * u * due.varianceSs.data[at]! + 2 * lost[at]! * due.terms[at]! + due.count * lost[at]! ** 2
    const verdict = new Verdict()
    verdict.near("meanSs", meanSs.data, due.meanSs.data, ofSum)
    verdict.near("varianceSs", varianceSs.data, due.varianceSs.data, ofSquares)

    const moments = normalizeMoments(count, meanSs, varianceSs, shift)
    const offsets = due.meanSs.data.map((sum) => Math.abs(sum) / due.count)
    const rounded = 2 ** -50
    const ofMean = (at: number) => ofSum(at) / due.count + rounded * (offsets[at]! + Math.abs(shifts[at]!))
    const squares = due.varianceSs.data.map((sum) => sum / due.count)
    const variances = squares.map((square, at) => Math.max(0, square - offsets[at]! ** 2))
    verdict.near("mean", moments.mean.data, means, ofMean)
    verdict.near("variance", moments.variance.data, variances, (at) => {
      const moved = ofSum(at) / due.count
      return ofSquares(at) / due.count + (2 * offsets[at]! + moved) * moved + 2 * rounded * squares[at]!
    })
    verdict.close()
  })
})

test.each(casesOf<NormalizeMomentsCase>("normalizeMoments", "float64"))("$name: sums to moments", (one) => {
  const { count, shift, due } = one
  const { mean, variance } = normalizeMoments(count, stored(one.meanSs), stored(one.varianceSs), shift && given(shift))
  expect([mean.shape, variance.shape]).toEqual([due.mean.shape, due.variance.shape])
  const shifts = broadcast(shift ?? 0, due.mean.shape)
  const offsets = one.meanSs.data.map((sum) => Math.abs(sum) / count)
  // A handful of f64 operations, of the package's and of the framework's.
  const verdict = new Verdict()
  verdict.near("mean", mean.data, due.mean.data, (at) => 2 ** -50 * (offsets[at]! + Math.abs(shifts[at]!)))
  verdict.near("variance", variance.data, due.variance.data, (at) => 2 ** -49 * (one.varianceSs.data[at]! / count))
  verdict.close()
})
