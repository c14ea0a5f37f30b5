import { BatchNorm, foldIntoConv, foldIntoDense, type Normalization } from "batchnorm"
import { afterEach, describe, expect, test } from "vitest"
import { Verdict } from "../support/framework-bounds.ts"
import { type Case, casesOf, instances, type Stored } from "../support/framework-vectors.ts"
import { Arrays, ordinary } from "../support/numerics-arrays.ts"
import { unit } from "../support/numerics-contract.ts"

type ConvLayout = Parameters<typeof foldIntoConv>[3]["layout"]

interface FoldCase extends Case {
  readonly layout: "io" | "oi" | ConvLayout
  readonly groups: number | null
  readonly weights: Stored
  readonly bias: readonly number[] | null
  readonly normalization: {
    readonly mean: readonly number[]
    readonly variance: readonly number[]
    readonly gamma: readonly number[] | null
    readonly beta: readonly number[] | null
    readonly epsilon: number
  }
  readonly due: { readonly weights: readonly number[]; readonly bias: readonly number[] }
}

type Made = (normalization: FoldCase["normalization"]) => Normalization

const normalizations: readonly (readonly [string, Made])[] = [
  ["options", (options) => options],
  [
    "a layer",
    ({ mean, variance, gamma, beta, epsilon }) =>
      new BatchNorm(mean.length, {
        convention: "torch",
        epsilon,
        ...{ gamma, beta, scale: gamma !== null, center: beta !== null },
        ...{ runningMean: mean, runningVariance: variance },
      }),
  ],
]

const isDense = (layout: FoldCase["layout"]): layout is "io" | "oi" => layout === "io" || layout === "oi"

describe.each(instances)("$dtype, $residency", ({ dtype, residency }) => {
  const arrays = new Arrays(residency)
  afterEach(() => arrays.free())

  describe.each(normalizations)("batch norm as %s", (_, make) => {
    test.each(casesOf<FoldCase>("folds", dtype))("$name: weights and bias", (one) => {
      const { layout, groups, bias, due } = one
      const weights = arrays.copy(ordinary(one.weights.data, one.weights.shape, dtype))
      const normalization = make(one.normalization)
      const folded = isDense(layout)
        ? foldIntoDense(weights, bias, normalization, { layout })
        : foldIntoConv(weights, bias, normalization, { layout, ...(groups !== null && { groups }) })
      expect(folded.weights.shape).toEqual(one.weights.shape)

      // w·γ·r in f64, rounded once; the bias stays f64: a handful of operations, of the package's and of the framework's.
      const { mean, variance, gamma, beta, epsilon } = one.normalization
      const rounded = 2 ** -50
      const verdict = new Verdict()
      const u = unit[dtype] + rounded
      verdict.near("weights", folded.weights.data, due.weights, (at) => 2 * u * Math.abs(due.weights[at]!))
      verdict.near("bias", folded.bias, due.bias, (at) => {
        const factor = Math.abs(gamma?.[at] ?? 1) / Math.sqrt(variance[at]! + epsilon)
        const terms = (Math.abs(bias?.[at] ?? 0) + Math.abs(mean[at]!)) * factor + Math.abs(beta?.[at] ?? 0)
        return rounded * terms
      })
      verdict.close()
    })
  })
})
