import { type Broadcastable, batchNormalization } from "batchnorm"
import { afterEach, describe, expect, test } from "vitest"
import { accuracyOf, ChannelBounds, Verdict } from "../support/framework-bounds.ts"
import { type Case, casesOf, instances, type Stored, stored } from "../support/framework-vectors.ts"
import { Arrays } from "../support/numerics-arrays.ts"
import { broadcast } from "../unit/support/naive.ts"

/** A number, a bare array or one with a shape. */
type Parameter = number | readonly number[] | Stored

interface BatchNormalizationCase extends Case {
  readonly x: string
  readonly mean: Parameter
  readonly variance: Parameter
  readonly offset: Parameter | null
  readonly scale: Parameter | null
  readonly epsilon: number
  readonly due: { readonly y: readonly number[] }
}

const given = (value: Parameter): Broadcastable =>
  typeof value === "object" && "shape" in value ? stored(value) : value

describe.each(instances)("$dtype, $residency", ({ dtype, residency }) => {
  const arrays = new Arrays(residency)
  afterEach(() => arrays.free())

  test.each(casesOf<BatchNormalizationCase>("batchNormalization", dtype))("$name: y", (one) => {
    const x = arrays.copy(one.array(one.x, dtype))
    const { mean, variance, offset, scale, epsilon } = one
    const out = arrays.empty(x.shape, dtype)
    const y = batchNormalization(
      x,
      given(mean),
      given(variance),
      offset === null ? null : given(offset),
      scale === null ? null : given(scale),
      epsilon,
      { out },
    )
    expect(y).toBe(out)
    const [means, variances, betas, gammas] = [mean, variance, offset ?? 0, scale ?? 1].map((value) =>
      broadcast(value, x.shape),
    )
    const accuracy = accuracyOf(dtype, one.exact)
    const bound = (at: number) => {
      const own = { mean: means![at]!, variance: variances![at]!, gamma: gammas![at]!, beta: betas![at]!, epsilon }
      return new ChannelBounds(accuracy, own, "given").y(x.data[at]!)
    }
    const verdict = new Verdict()
    verdict.near("y", y.data, one.due.y, bound)
    verdict.close()
  })
})
