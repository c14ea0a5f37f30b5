import { backward, forward, infer } from "batchnorm"
import { afterEach, describe, test } from "vitest"
import { accuracyOf, Verdict } from "../support/framework-bounds.ts"
import { judgeNormalize, type NormalizeCase, optionsOf } from "../support/framework-normalize.ts"
import { casesOf, instances } from "../support/framework-vectors.ts"
import { Arrays } from "../support/numerics-arrays.ts"

describe.each(instances)("$dtype, $residency", ({ dtype, residency }) => {
  const arrays = new Arrays(residency)
  afterEach(() => arrays.free())
  const cases = casesOf<NormalizeCase>("normalize", dtype)

  test.each(cases)("$name: forward and backward", (one) => {
    const [x, dy] = [one.x, one.dy].map((name) => arrays.copy(one.array(name, dtype)))
    const { shape } = x!
    const { y, saved } = forward(x!, { ...optionsOf(one), out: { y: arrays.empty(shape, dtype) } })
    const { dx, dgamma, dbeta } = backward(dy!, x!, saved, { out: { dx: arrays.empty(shape, dtype) } })
    const verdict = new Verdict()
    const operands = { shape, x: x!.data, dy: dy!.data }
    const got = { y: y.data, dx: dx.data, dgamma, dbeta }
    judgeNormalize(verdict, accuracyOf(dtype, one.exact), one, operands, saved, got)
    verdict.close()
  })

  test.each(cases.filter(({ mean }) => mean !== null))("$name: infer", (one) => {
    const x = arrays.copy(one.array(one.x, dtype))
    const statistics = { mean: one.mean!, variance: one.variance! }
    const { shape } = x
    const y = infer(x, { ...optionsOf(one), ...statistics, out: arrays.empty(shape, dtype) })
    const verdict = new Verdict()
    judgeNormalize(verdict, accuracyOf(dtype, one.exact), one, { shape, x: x.data }, statistics, { y: y.data })
    verdict.close()
  })
})
