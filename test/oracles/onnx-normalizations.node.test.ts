import { batchNormalization, forward, moments } from "batchnorm"
import { expect, test } from "vitest"
import { batch, gammas, normals, vectorOf } from "./support/arrays.ts"
import { run } from "./support/onnx.ts"
import { scalesOf } from "./support/scales.ts"
import { expectWithin } from "./support/within.ts"

const epsilon = 1e-4

/** What a float32 sum of so many elements may round at worst, thrice (mean, variance, what follows), and the rest. */
const roundingsOf = (reduced: number) => 3 * reduced + 32

/** The numbers of each statistic's parameter, where every row has the same. */
const repeated = (values: ArrayLike<number>, times: number) =>
  Array(times)
    .fill([...Array.from(values)])
    .flat()

test.each([
  { shape: [3, 4, 35], seed: 800 },
  { shape: [3, 4, 5, 7], seed: 801 },
  { shape: [2, 3, 4, 5, 3], seed: 802 },
])("InstanceNormalization-6 of $shape is forward with channels along 0 and 1 (seed $seed)", async ({ shape, seed }) => {
  const axes = [0, 1]
  const x = batch(seed, shape, axes)
  const [scale, b] = [gammas(seed + 1, shape[1]!), normals(seed + 2, shape[1]!)]
  const node = {
    operator: "InstanceNormalization",
    inputs: ["x", "scale", "b"],
    outputs: ["y"],
    attributes: { epsilon },
  }
  const { y: due } = await run(
    { opset: 15, nodes: [node], outputs: ["y"] },
    { x, scale: vectorOf(scale), b: vectorOf(b) },
  )
  const given = { gamma: repeated(scale, shape[0]!), beta: repeated(b, shape[0]!), epsilon }
  const { y } = forward(x, { axis: axes, ...given })
  expect(y.shape).toEqual(due!.shape)
  const reduced = x.data.length / given.gamma.length
  expectWithin("y", y.data, due!.data, scalesOf({ x, axes, ...given }).expanded, roundingsOf(reduced))
})

test.each([
  { shape: [4, 3, 5, 6], axes: undefined, channels: [1], seed: 810 },
  { shape: [4, 3, 5, 6], axes: [2, 3], channels: [0, 1], seed: 811 },
  { shape: [4, 5, 6, 3], axes: [0, 1, 2], channels: [3], seed: 812 },
])("MeanVarianceNormalization-13 over $axes of $shape is forward without ε (seed $seed)", async (each) => {
  const { shape, axes, channels, seed } = each
  const x = batch(seed, shape, channels)
  const node = {
    operator: "MeanVarianceNormalization",
    inputs: ["x"],
    outputs: ["y"],
    attributes: axes === undefined ? {} : { axes },
  }
  const { y: due } = await run({ opset: 15, nodes: [node], outputs: ["y"] }, { x })
  const { y, saved } = forward(x, { axis: channels, epsilon: 0 })
  const ones = { gamma: repeated([1], saved.mean.length), beta: repeated([0], saved.mean.length) }
  const { expanded } = scalesOf({ x, axes: channels, ...ones, epsilon: 0 })
  expectWithin("y", y.data, due!.data, expanded, roundingsOf(x.data.length / saved.mean.length))
})

test.each([
  { shape: [17, 40], seed: 820 },
  { shape: [3, 5, 64], seed: 821 },
])("LayerNormalization-17 of $shape is batchNormalization by each row's moments (seed $seed)", async (each) => {
  const { shape, seed } = each
  const features = shape.at(-1)!
  const rows = [...shape.keys()].slice(0, -1)
  const x = batch(seed, shape, rows)
  const [scale, b] = [gammas(seed + 1, features), normals(seed + 2, features)]
  const outputs = ["y", "mean", "inv_std_dev"]
  const node = { operator: "LayerNormalization", inputs: ["x", "scale", "b"], outputs, attributes: { epsilon } }
  const due = await run({ opset: 17, nodes: [node], outputs }, { x, scale: vectorOf(scale), b: vectorOf(b) })
  const { mean, variance } = moments(x, -1, { keepDims: true })
  const y = batchNormalization(x, mean, variance, b, scale, epsilon)

  // Each element has a γ and a β of its own.
  const along = (values: ArrayLike<number>) => x.data.map((_, index) => values[index % features]!)
  const ofRows = (values: ArrayLike<number>) => x.data.map((_, index) => values[Math.floor(index / features)]!)
  const statistics = { mean: ofRows(mean.data), variance: ofRows(variance.data) }
  const given = { gamma: along(scale), beta: along(b), epsilon, statistics }
  const { expanded } = scalesOf({ x, axes: [...shape.keys()], ...given })
  expectWithin("y", y.data, due.y!.data, expanded, roundingsOf(features))

  const ones = { gamma: repeated([1], mean.data.length), beta: repeated([0], mean.data.length), epsilon }
  const scales = scalesOf({ x, axes: rows, ...ones })
  expect(mean.shape).toEqual(due.mean!.shape)
  expectWithin("mean", mean.data, due.mean!.data, scales.mean, roundingsOf(features))
  const inverse = variance.data.map((value) => 1 / Math.sqrt(value + epsilon))
  expectWithin("1/√(σ²+ε)", inverse, due.inv_std_dev!.data, inverse, roundingsOf(features))
})

test("GroupNormalization-21 is batchNormalization by the moments of groups (seed 830)", async () => {
  const shape = [3, 6, 4, 5]
  const x = batch(830, [3, 2, 3, 4, 5], [0, 1])
  const [scale, b] = [gammas(831, 6), normals(832, 6)]
  const node = {
    operator: "GroupNormalization",
    inputs: ["x", "scale", "b"],
    outputs: ["y"],
    attributes: { epsilon, num_groups: { int: 2 } },
  }
  const { y: due } = await run(
    { opset: 21, nodes: [node], outputs: ["y"] },
    { x: { data: x.data, shape }, scale: vectorOf(scale), b: vectorOf(b) },
  )
  const { mean, variance } = moments(x, [2, 3, 4], { keepDims: true })
  const along = (data: Float32Array<ArrayBuffer>) => ({ data, shape: [2, 3, 1, 1] })
  const y = batchNormalization(x, mean, variance, along(b), along(scale), epsilon)

  const channel = (index: number) => Math.floor(index / 20) % 6
  const group = (index: number) => Math.floor(index / 60)
  const statistics = {
    mean: x.data.map((_, index) => mean.data[group(index)]!),
    variance: x.data.map((_, index) => variance.data[group(index)]!),
  }
  const gamma = x.data.map((_, index) => scale[channel(index)]!)
  const beta = x.data.map((_, index) => b[channel(index)]!)
  const { expanded } = scalesOf({ x, axes: [0, 1, 2, 3, 4], gamma, beta, epsilon, statistics })
  expectWithin("y", y.data, due!.data, expanded, roundingsOf(60))
})
