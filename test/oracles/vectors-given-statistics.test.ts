import { backward, forward } from "batchnorm"
import { afterEach, describe, test } from "vitest"
import { accuracyOf, Verdict } from "../support/framework-bounds.ts"
import { judgeNormalize, type NormalizeCase, optionsOf } from "../support/framework-normalize.ts"
import { casesOf, instances } from "../support/framework-vectors.ts"
import { Arrays } from "../support/numerics-arrays.ts"

describe.each(instances)("$dtype, $residency", ({ dtype, residency }) => {
  const arrays = new Arrays(residency)
  afterEach(() => arrays.free())
  const cases = casesOf<NormalizeCase>("normalize", dtype).filter(({ mean }) => mean !== null)

  test.each(cases)("$name: the gradients of the mean and variance that were given", (one) => {
    const [x, dy] = [one.x, one.dy].map((name) => arrays.copy(one.array(name, dtype)))
    const { saved } = forward(x!, optionsOf(one))
    const { dmean, dvariance } = backward(dy!, x!, saved, { need: ["dmean", "dvariance"] })
    const verdict = new Verdict()
    const operands = { shape: x!.shape, x: x!.data, dy: dy!.data }
    judgeNormalize(verdict, accuracyOf(dtype, one.exact), one, operands, saved, { dmean, dvariance })
    verdict.close()
  })
})
