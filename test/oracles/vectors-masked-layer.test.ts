import { BatchNorm } from "batchnorm"
import { afterEach, describe, test } from "vitest"
import { accuracyOf, Verdict } from "../support/framework-bounds.ts"
import { type LayerCase, LayerJudge } from "../support/framework-layers.ts"
import { casesOf, instances } from "../support/framework-vectors.ts"
import { Arrays } from "../support/numerics-arrays.ts"
import { broadcast } from "../unit/support/naive.ts"

describe.each(instances)("$dtype, $residency", ({ dtype, residency }) => {
  const arrays = new Arrays(residency)
  afterEach(() => arrays.free())

  test.each(casesOf<LayerCase>("maskedLayers", dtype))(
    "$name: a layer with masks follows Keras's step by step",
    (one) => {
      const layer = new BatchNorm(one.channels, { convention: one.convention, ...one.options })
      const verdict = new Verdict()
      const accuracy = accuracyOf(dtype, one.exact)
      // A mask's product with an element is one operation more.
      const judge = new LayerJudge(verdict, { ...accuracy, u: 2 * accuracy.u }, one)
      for (const step of one.steps) {
        const x = arrays.copy(one.array(step.x, dtype))
        const { shape } = x
        const out = () => arrays.empty(shape, dtype)
        const { training, weights: mask } = step
        const weights = mask ? broadcast({ data: mask.data.map(Number), shape: mask.shape }, shape) : undefined
        const y = layer.forward(x, { training, weights: mask ?? null, out: out() })
        judge.pass(step, layer, { shape, x: x.data, weights }, { y: y.data })
        // A loss that leaves out what is masked has no slope there.
        const slope = one.array(step.dy!, dtype)
        const dy = arrays.copy({ data: slope.data.map((value, at) => (weights?.[at] === 0 ? 0 : value)), shape })
        const { dx } = layer.backward(dy, { out: { dx: out() } })
        const { dgamma, dbeta } = layer
        judge.pass(step, layer, { shape, x: x.data, dy: dy.data, weights }, { dx: dx.data, dgamma, dbeta })
        judge.running(step, layer, judge.counts(shape, layer, weights))
      }
      verdict.close()
    },
  )
})
