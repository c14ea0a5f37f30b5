import { describe, expect, test } from "vitest"
import { activationsOf, bins } from "../../demo/activations.ts"
import type { EpochOfOne, Settings } from "../../demo/messages.ts"
import { Pair } from "../../demo/pair.ts"
import { readDigits } from "../../examples/digits/data.ts"
import { split, standardizer } from "../../examples/digits/images.ts"
import { train } from "../../examples/digits/train.ts"

const all = split(readDigits())
const standardize = standardizer(all.train.x)
const images = {
  train: { ...all.train, x: standardize(all.train.x) },
  test: { ...all.test, x: standardize(all.test.x) },
}
const settings: Settings = { rate: 0.3, hiddenLayers: 5, batchSize: 60, convention: "keras", seed: 7 }

function epochs(pair: Pair, count: number) {
  const found = []
  for (let batch = 0; batch < count * pair.batchesPerEpoch; batch++) {
    const epoch = pair.step()
    if (epoch) found.push(epoch)
  }
  return found
}

test("the page trains as the example does, to the last bit", () => {
  const found = epochs(new Pair(settings, images), 2)
  for (const batchNorm of [true, false]) {
    const { epochs: expected } = train({ rate: 0.3, batchNorm }, images, { epochs: 2, seed: 7 }, () => {})
    const numbers = ({ loss, accuracy }: Pick<EpochOfOne, "loss" | "accuracy">) => ({ loss, accuracy })
    expect(found.map((epoch) => numbers(epoch[batchNorm ? "with" : "without"]!))).toEqual(expected)
  }
}, 60_000)

test("a network that has diverged stops, answers nothing, and the other goes on", () => {
  const pair = new Pair({ ...settings, rate: 3, hiddenLayers: 6 }, images)
  const [first, second] = epochs(pair, 2)
  expect(first!.without!.loss).toBeNaN()
  expect(second!.without).toBeNull()
  expect(second!.with!.loss).toBeLessThan(2)
  expect(pair.isLost).toBe(false)
  const { with: told, without } = pair.classify({ data: images.test.x.data.slice(0, 64), shape: [1, 64] })
  expect(without).toBeNull()
  expect(told!.reduce((a, b) => a + b)).toBeCloseTo(1, 5)
}, 60_000)

test("before training both are the same, but for batch norm", () => {
  const { with: normalized, without } = new Pair(settings, images).untrained()
  expect(normalized.layers).toHaveLength(5)
  // Running statistics are 0 and 1 yet.
  expect(normalized.layers[0]!.deviation).toBeCloseTo(without.layers[0]!.deviation, 2)
})

test.each([
  ["keras", 1e-3, 0.9, false],
  ["torch", 1e-5, 0.9, true],
  ["onnx", 1e-5, 0.9, false],
  ["tf-fused", 1e-3, 0, true],
] as const)("%s", (convention, epsilon, decay, unbiased) => {
  const { norm } = new Pair({ ...settings, convention }, images)
  expect(norm).toEqual({ epsilon, decay: expect.closeTo(decay, 12), unbiased })
})

describe("the histogram", () => {
  const of = (...values: number[]) => activationsOf({ data: new Float32Array(values), shape: [1, values.length] })

  test("has bins of a quarter from -8 to 8", () => {
    const { counts } = of(-8, -0.25, -0.1, 0, 0.1, 0.25, 7.9)
    const found = [...counts.entries()].filter(([, count]) => count > 0)
    expect(found).toEqual([
      [0, 1],
      [bins / 2 - 1, 2],
      [bins / 2, 2],
      [bins / 2 + 1, 1],
      [bins - 1, 1],
    ])
  })

  test("counts what lies outside, and what the ReLU lets through", () => {
    const { mean, deviation, positive, outside } = of(-9, 8, 1, 0)
    expect({ mean, positive, outside }).toEqual({ mean: 0, positive: 0.5, outside: 0.5 })
    expect(deviation).toBeCloseTo(Math.sqrt((81 + 64 + 1) / 4), 12)
  })

  test("NaN is outside, and the mean tells of it", () => {
    const { mean, outside } = of(Number.NaN, 1)
    expect({ mean, outside }).toEqual({ mean: Number.NaN, outside: 0.5 })
  })
})
