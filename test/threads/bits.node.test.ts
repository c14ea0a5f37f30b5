// Any number of threads gives the bits of the default build, which are those of the native one.
import * as alone from "batchnorm"
import * as several from "batchnorm/threads"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { bitsOf, filled } from "./arrays.ts"

/** Shapes that are cut in different ways: rows, channels, segments, outers; few of them, many, and remainders. */
const cases: [string, number[], number | number[], "float32" | "float64"][] = [
  ["channels-last, by chunks", [40_000, 16], -1, "float32"],
  ["channels-last, a chunk and a bit", [8_500, 32], -1, "float32"],
  ["channels-last, by chunks and channels", [18_000, 70], -1, "float32"],
  ["channels-last, several rows read as one", [60_011, 3], -1, "float32"],
  ["channels-last, rows of 17", [20_000, 17], -1, "float64"],
  ["channels-last, by channels", [98, 2048], -1, "float32"],
  ["channels-last, several tiles", [80, 5000], -1, "float32"],
  ["channels-first, by channels", [4, 64, 30, 30], 1, "float32"],
  ["channels-first, short segments", [8, 512, 7, 7], 1, "float32"],
  ["channels-first, few channels and short segments", [900, 3, 7, 7], 1, "float64"],
  ["channels-first, several rows of short segments read as one", [15_003, 5, 3], 1, "float32"],
  ["channels-first, many channels of pairs", [40, 3001, 2], 1, "float32"],
  ["channels-first, few channels and long segments", [2, 3, 40_003], 1, "float32"],
  ["one channel", [300_003], [], "float32"],
  ["few channels of one segment each", [3, 60_001], 0, "float32"],
  ["outers of channels-last", [9, 700, 64], [0, 2], "float32"],
  ["outers of channels-first", [5, 4, 8, 1100], [0, 2], "float64"],
  ["axes that alternate", [6, 30, 40, 5, 3], [0, 2, 4], "float32"],
]

/** What is called, of either entry: their arrays differ in whether the memory is shared. */
type Functions = Pick<typeof alone, "allocate" | "backward" | "forward" | "infer" | "moments">

function compute(
  { allocate, backward, forward, infer, moments }: Functions,
  shape: number[],
  axis: number | number[],
  dtype: "float32" | "float64",
  isResident: boolean,
) {
  const length = shape.reduce((product, size) => product * size, 1)
  const array = () => {
    if (isResident) return allocate(shape, dtype)
    return { data: new (dtype === "float32" ? Float32Array : Float64Array)(length), shape, dispose: () => {} }
  }
  const [x, dy, y, dx, residual] = [array(), array(), array(), array(), array()]
  const results: Record<string, alone.FloatArray> = {}
  try {
    x.data.set(filled(length, dtype))
    dy.data.set(x.data.map((value, index) => value * ((index % 7) - 3)))
    residual.data.set(x.data.map((value, index) => value + (index % 3) - 1))
    const axes = shape
      .map((_, each) => each)
      .filter((each) => ![axis].flat().some((own) => each === (own + shape.length) % shape.length))
    const { mean, variance } = moments(x, axes)
    Object.assign(results, { mean: mean.data, variance: variance.data })
    const statistics = mean.data.length
    const gamma = Float64Array.from({ length: statistics }, (_, channel) => 1 + channel / 64)
    const beta = gamma.map((value) => value - 1.5)
    for (const activation of [null, "relu"] as const) {
      const { saved } = forward(x, { axis, gamma, beta, activation, out: { y } })
      const { dgamma, dbeta } = backward(dy, x, saved, { out: { dx } })
      const name = activation ?? "plain"
      Object.assign(results, { [`${name} y`]: y.data.slice(), [`${name} dx`]: dx.data.slice() })
      Object.assign(results, { [`${name} dgamma`]: dgamma, [`${name} dbeta`]: dbeta })
    }
    const { saved } = forward(x, { axis, gamma, beta, residual, activation: "relu", out: { y } })
    const { dresidual } = backward(dy, x, saved, { residual, need: ["dx", "dresidual"], out: { dx } })
    Object.assign(results, { "residual y": y.data.slice(), "residual dx": dx.data.slice(), dresidual: dresidual.data })
    infer(x, { ...saved, activation: null, out: y })
    const given = forward(x, { axis, gamma, mean: mean.data, variance: variance.data, out: { y } })
    backward(dy, x, given.saved, { out: { dx } })
    Object.assign(results, { "inferred y": y.data.slice(), "frozen dx": dx.data.slice() })
    backward(dy, x, given.saved, { out: { dx: dy } })
    forward(x, { axis, out: { y: x } })
    return bitsOf({ ...results, "y in place": x.data, "dx in place": dy.data })
  } finally {
    for (const each of [x, dy, y, dx, residual]) each.dispose()
  }
}

const expected = new Map<string, object>()

afterAll(() => several.threads.dispose())

describe.each([0, 1, 2, 3, 8])("%i threads", (count) => {
  beforeAll(() => several.init({ threads: count, maximumMemory: 2 ** 28 }))

  test("are there", () => {
    expect(several.threads.count).toBe(Math.max(1, count))
  })

  test.each(cases)("%s: the bits of the default build", { timeout: 30_000 }, (name, shape, axis, dtype) => {
    const due = expected.get(name) ?? compute(alone, shape, axis, dtype, true)
    expected.set(name, due)
    for (const isResident of [true, false])
      expect(compute(several as object as Functions, shape, axis, dtype, isResident)).toEqual(due)
  })
})
