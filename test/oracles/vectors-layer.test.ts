import { BatchNorm } from "batchnorm"
import { afterEach, describe, test } from "vitest"
import { accuracyOf, Verdict } from "../support/framework-bounds.ts"
import { type LayerCase, LayerJudge } from "../support/framework-layers.ts"
import { casesOf, instances } from "../support/framework-vectors.ts"
import { Arrays } from "../support/numerics-arrays.ts"

describe.each(instances)("$dtype, $residency", ({ dtype, residency }) => {
  const arrays = new Arrays(residency)
  afterEach(() => arrays.free())

  test.each(casesOf<LayerCase>("layers", dtype))(
    "$name: a layer of the convention $convention follows the framework's step by step",
    (one) => {
      const layer = new BatchNorm(one.channels, { convention: one.convention, ...one.options })
      const verdict = new Verdict()
      const judge = new LayerJudge(verdict, accuracyOf(dtype, one.exact), one)
      for (const step of one.steps) {
        const x = arrays.copy(one.array(step.x, dtype))
        const { shape } = x
        const out = () => arrays.empty(shape, dtype)
        const y = layer.forward(x, { training: step.training, out: out() })
        const operands = { shape, x: x.data }
        judge.pass(step, layer, operands, { y: y.data })
        if (!step.training) judge.pass(step, layer, operands, { y: layer.infer(x, { out: out() }).data })
        if (step.dy !== undefined) {
          const dy = arrays.copy(one.array(step.dy, dtype))
          const { dx } = layer.backward(dy, { out: { dx: out() } })
          const { dgamma, dbeta } = layer
          const trained = { ...(step.due.dgamma && { dgamma }), ...(step.due.dbeta && { dbeta }) }
          judge.pass(step, layer, { ...operands, dy: dy.data }, { dx: dx.data, ...trained })
        }
        judge.running(step, layer, judge.counts(shape, layer))
      }
      verdict.close()
    },
  )
})
