import { backward, forward, moments, type Weights } from "batchnorm"
import { afterEach, describe, expect, test } from "vitest"
import { type Accuracy, accuracyOf, errorsOfBatch, Verdict } from "../support/framework-bounds.ts"
import { judgeNormalize, type NormalizeCase, optionsOf } from "../support/framework-normalize.ts"
import { type Case, casesOf, instances, type Stored } from "../support/framework-vectors.ts"
import { Arrays, ordinary } from "../support/numerics-arrays.ts"
import { broadcast } from "../unit/support/naive.ts"

interface WeightedMomentsCase extends Case {
  readonly x: string
  /** null: all. */
  readonly axes: readonly number[] | null
  readonly keepDims: boolean
  readonly weights: Stored
  readonly due: { readonly mean: Stored; readonly variance: Stored }
}

const isMask = ({ data }: Stored) => data.every((weight) => weight === 0 || weight === 1)

/** Masks as booleans; what has one axis as a bare array, which lies along the last axis of x. */
function given(weights: Stored): Weights {
  const data = isMask(weights) ? weights.data.map((weight) => weight === 1) : weights.data
  return weights.shape.length === 1 ? data : { data, shape: weights.shape }
}

/** A weight is rounded to x's type, and so is its product with an element: twice the u of the table. */
const accuracyOfWeighted = (accuracy: Accuracy): Accuracy => ({ ...accuracy, u: 2 * accuracy.u })

describe.each(instances)("$dtype, $residency", ({ dtype, residency }) => {
  const arrays = new Arrays(residency)
  afterEach(() => arrays.free())
  const momentsCases = casesOf<WeightedMomentsCase>("weightedMoments", dtype)

  test.each(momentsCases)("$name: weighted mean and variance", (one) => {
    const x = arrays.copy(one.array(one.x, dtype))
    const { mean, variance } = moments(x, one.axes ?? undefined, {
      keepDims: one.keepDims,
      weights: given(one.weights),
    })
    expect([mean.shape, variance.shape]).toEqual([one.due.mean.shape, one.due.variance.shape])
    const verdict = new Verdict()
    const accuracy = accuracyOfWeighted(accuracyOf(dtype, one.exact))
    const errors = one.due.mean.data.map((due, at) => errorsOfBatch(accuracy, due, one.due.variance.data[at]!))
    verdict.near("mean", mean.data, one.due.mean.data, (at) => errors[at]!.mean)
    verdict.near("variance", variance.data, one.due.variance.data, (at) => errors[at]!.variance)
    verdict.close()
  })

  test.each(momentsCases.filter(({ weights }) => isMask(weights)))(
    "$name: what has weight 0 may be NaN, and changes no bit whatever it is",
    (one) => {
      const { data, shape } = one.array(one.x, dtype)
      const weights = broadcast(one.weights, shape)
      const results = [Number.NaN, Number.POSITIVE_INFINITY, 0].map((poison) => {
        const poisoned = ordinary(
          data.map((value, at) => (weights[at] === 0 ? poison : value)),
          shape,
          dtype,
        )
        const { mean, variance } = moments(arrays.copy(poisoned), one.axes ?? undefined, {
          weights: given(one.weights),
        })
        return [...mean.data, ...variance.data]
      })
      expect(results[0]).toEqual(results[2])
      expect(results[1]).toEqual(results[2])
      expect(results[2]!.every(Number.isFinite)).toBe(true)
    },
  )

  test.each(casesOf<NormalizeCase>("weightedNormalize", dtype))("$name: forward and backward", (one) => {
    const x = arrays.copy(one.array(one.x, dtype))
    const { shape } = x
    const weights = broadcast(one.weights!, shape)
    // A loss that leaves out what has weight 0 has no slope there.
    const slope = one.array(one.dy, dtype)
    const dy = arrays.copy({ data: slope.data.map((value, at) => (weights[at] === 0 ? 0 : value)), shape })
    const residual = one.residual === undefined ? null : arrays.copy(one.array(one.residual, dtype))
    const operands = { weights: given(one.weights!), residual }
    const { y, saved } = forward(x, { ...optionsOf(one), ...operands, out: { y: arrays.empty(shape, dtype) } })
    const { dx, dgamma, dbeta } = backward(dy, x, saved, { ...operands, out: { dx: arrays.empty(shape, dtype) } })
    const verdict = new Verdict()
    const judged = { shape, x: x.data, dy: dy.data, weights, residual: residual?.data }
    const got = { y: y.data, dx: dx.data, dgamma, dbeta }
    judgeNormalize(verdict, accuracyOfWeighted(accuracyOf(dtype, one.exact)), one, judged, saved, got)
    verdict.close()
  })
})
