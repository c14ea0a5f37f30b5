import { backward, forward, infer } from "batchnorm"
import { afterEach, describe, test } from "vitest"
import { accuracyOf, Verdict } from "../support/framework-bounds.ts"
import { judgeNormalize, type NormalizeCase, optionsOf } from "../support/framework-normalize.ts"
import { casesOf, instances } from "../support/framework-vectors.ts"
import { Arrays } from "../support/numerics-arrays.ts"

describe.each(instances)("$dtype, $residency", ({ dtype, residency }) => {
  const arrays = new Arrays(residency)
  afterEach(() => arrays.free())
  const cases = casesOf<NormalizeCase>("residualNormalize", dtype)

  test.each(cases)("$name: forward and backward", (one) => {
    const [x, dy, residual] = [one.x, one.dy, one.residual!].map((name) => arrays.copy(one.array(name, dtype)))
    const { shape } = x!
    const empty = () => arrays.empty(shape, dtype)
    const { y, saved } = forward(x!, { ...optionsOf(one), residual: residual!, out: { y: empty() } })
    const { dx, dgamma, dbeta, dresidual } = backward(dy!, x!, saved, {
      residual: residual!,
      need: ["dx", "dgamma", "dbeta", "dresidual"],
      out: { dx: empty(), dresidual: empty() },
    })
    const verdict = new Verdict()
    const operands = { shape, x: x!.data, dy: dy!.data, residual: residual!.data }
    const got = { y: y.data, dx: dx.data, dgamma, dbeta, dresidual: dresidual.data }
    judgeNormalize(verdict, accuracyOf(dtype, one.exact), one, operands, saved, got)
    verdict.close()
  })

  test.each(cases.filter(({ mean }) => mean !== null))("$name: infer", (one) => {
    const [x, residual] = [one.x, one.residual!].map((name) => arrays.copy(one.array(name, dtype)))
    const { shape } = x!
    const statistics = { mean: one.mean!, variance: one.variance! }
    const y = infer(x!, { ...optionsOf(one), ...statistics, residual: residual!, out: arrays.empty(shape, dtype) })
    const verdict = new Verdict()
    const operands = { shape, x: x!.data, residual: residual!.data }
    judgeNormalize(verdict, accuracyOf(dtype, one.exact), one, operands, statistics, { y: y.data })
    verdict.close()
  })
})
