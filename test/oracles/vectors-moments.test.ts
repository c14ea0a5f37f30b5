import { type MeanVariance, moments } from "batchnorm"
import { afterEach, describe, expect, test } from "vitest"
import { accuracyOf, errorsOfBatch, Verdict } from "../support/framework-bounds.ts"
import { type Case, casesOf, instances, type Stored } from "../support/framework-vectors.ts"
import { Arrays } from "../support/numerics-arrays.ts"

interface MomentsCase extends Case {
  readonly x: string
  /** null: all. */
  readonly axes: readonly number[] | null
  readonly keepDims: boolean
  readonly due: { readonly mean: Stored; readonly variance: Stored }
}

describe.each(instances)("$dtype, $residency", ({ dtype, residency }) => {
  const arrays = new Arrays(residency)
  afterEach(() => arrays.free())

  test.each(casesOf<MomentsCase>("moments", dtype))("$name: mean and variance", (one) => {
    const x = arrays.copy(one.array(one.x, dtype))
    const { mean, variance }: MeanVariance = moments(x, one.axes ?? undefined, { keepDims: one.keepDims })
    expect([mean.shape, variance.shape]).toEqual([one.due.mean.shape, one.due.variance.shape])
    const verdict = new Verdict()
    const accuracy = accuracyOf(dtype, one.exact)
    const errors = one.due.mean.data.map((due, at) => errorsOfBatch(accuracy, due, one.due.variance.data[at]!))
    verdict.near("mean", mean.data, one.due.mean.data, (at) => errors[at]!.mean)
    verdict.near("variance", variance.data, one.due.variance.data, (at) => errors[at]!.variance)
    verdict.close()
  })
})
