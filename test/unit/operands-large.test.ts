// Weights and residuals of more elements than a staging buffer holds, in every direction. Weights lie there as f64.
import { backward, forward, moments } from "batchnorm"
import { describe, expect, test } from "vitest"
import { label, numbers, place, product, somewhere } from "./support/arrays.ts"
import { broadcast } from "./support/naive.ts"
import { expectNear, tolerance } from "./support/near.ts"
import { type Problem, slopes, solve } from "./support/textbook.ts"
import { parametersOf, reducedOf, weightsBeside } from "./support/weights.ts"

const cases = [
  { name: "channels-last, narrow and long", shape: [30_011, 3], axis: [1], own: [30_011, 1] },
  { name: "channels-last, long", shape: [251, 403], axis: [1], own: [251, 403] },
  { name: "channels-last, more than a tile of channels", shape: [41, 3001], axis: [1], own: [3001] },
  { name: "channels-last images", shape: [9, 50, 30, 7], axis: [3], own: [9, 50, 30, 1] },
  { name: "channels-first, short segments", shape: [1511, 3, 21], axis: [1], own: [1511, 1, 1] },
  { name: "channels-first images", shape: [7, 5, 40, 60], axis: [1], own: [7, 1, 40, 60] },
  { name: "channels-first, huge segments", shape: [2, 2, 35_003], axis: [1], own: [1, 1, 35_003] },
  { name: "all data", shape: [300, 301], axis: [], own: [301] },
  { name: "outers that fit one by one", shape: [5, 400, 50], axis: [0, 2], own: [5, 400, 1] },
  { name: "outers larger than the buffer", shape: [2, 3001, 20], axis: [0, 2], own: [3001, 1] },
  { name: "outers, channels-first", shape: [2, 30, 3, 701], axis: [0, 2], own: [2, 30, 3, 701] },
  { name: "axes that alternate, the last one kept", shape: [40, 5, 60, 11], axis: [1, 3], own: [40, 1, 60, 1] },
  { name: "axes that alternate, the last one reduced", shape: [30, 4, 50, 3, 7], axis: [1, 3], own: [30, 1, 50, 1, 7] },
  { name: "axes that alternate, large channels", shape: [60, 2, 37, 2, 15], axis: [1, 3], own: [60, 2, 37, 2, 15] },
]

describe.each(cases)("$name", ({ shape, axis, own }) => {
  const length = product(shape)
  const channels = product(axis.map((each) => shape[each]!))
  const weights = weightsBeside({ shape, axis }, own)
  const [x, dy, plainly] = [numbers(length), numbers(length, 5), numbers(length, 9)]
  const problem = {
    ...{ shape, axis, x, epsilon: 0.01 },
    ...parametersOf(channels),
    weights: broadcast(weights, shape),
  } satisfies Problem
  // No y is so near the kink of a ReLU that rounding might move it to the other side.
  const before = solve({ ...problem, residual: plainly })
  const residual = plainly.map((value, at) => (Math.abs(before.y[at]!) < 1e-3 ? value + 0.5 : value))

  test("weights, a residual and a ReLU count for every element", () => {
    const whole = { ...problem, residual, relu: true }
    const due = { ...solve(whole), ...slopes(whole, dy) }
    for (const setting of somewhere) {
      const hint = label(setting)
      const within = tolerance[setting.type]
      const [array, slope] = [place(setting, shape, x), place(setting, shape, dy)]
      const added = place(setting, shape, residual)
      const { mean, variance } = moments(array, reducedOf({ shape, axis }), { weights })
      expectNear(mean.data, due.mean, 1e-12, `mean, ${hint}`)
      expectNear(variance.data, due.variance, 1e-12, `variance, ${hint}`)
      const operands = { weights, residual: added }
      const options = { axis, epsilon: problem.epsilon, gamma: problem.gamma, beta: problem.beta }
      const [into, dx, dresidual] = [place(setting, shape, x), place(setting, shape, x), place(setting, shape, x)]
      const { y, saved } = forward(array, { ...options, activation: "relu", ...operands, out: { y: into } })
      expect([saved.mean, saved.variance]).toEqual([mean.data, variance.data])
      expectNear(saved.count, due.count, 1e-14, `count, ${hint}`)
      expectNear(y.data, due.y, within, `y, ${hint}`)
      const need = ["dx", "dgamma", "dbeta", "dresidual"] as const
      const got = backward(slope, array, saved, { ...operands, need, out: { dx, dresidual } })
      expectNear(got.dresidual.data, due.dresidual, 0, `dresidual, ${hint}`)
      expectNear(got.dx.data, due.dx, within, `dx, ${hint}`)
      const each = (sums: ArrayLike<number>) => Array.from(sums, (sum, channel) => sum / due.count[channel]!)
      expectNear(each(got.dgamma), each(due.dgamma), within, `dgamma, ${hint}`)
      expectNear(each(got.dbeta), each(due.dbeta), within, `dbeta, ${hint}`)
      for (const [given, values] of [
        [array, x],
        [slope, dy],
        [added, residual],
      ] as const) {
        expectNear(given.data, values, 0, `an input is left as it was, ${hint}`)
      }
    }
  })
})
