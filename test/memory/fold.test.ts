import { expect, test } from "vitest"
import { allocate, foldIntoConv, foldIntoDense } from "../../ts/entry/index.ts"
import { type Convolution, outputsOf, weightShape } from "../support/convolutions.ts"
import { type Dtype, dtypes, firstDifference, ordinary, product } from "../support/numerics-arrays.ts"

const memoryBytes = () => {
  const probe = allocate([0])
  const { byteLength } = probe.data.buffer
  probe.dispose()
  return byteLength
}

/** Dyadic, so that products are exact; each channel's own. */
const numbersOf = (channels: number) => ({
  mean: Float64Array.from({ length: channels }, (_, c) => (c % 251) / 8 - 16),
  variance: Float64Array.from({ length: channels }, (_, c) => [0.25, 1, 4][c % 3]!),
  gamma: Float64Array.from({ length: channels }, (_, c) => (c % 1021) / 4 - 127),
  beta: Float64Array.from({ length: channels }, (_, c) => (c % 127) - 63),
  epsilon: 0,
})

const weightsOf = (shape: readonly number[], dtype: Dtype) =>
  ordinary(
    Array.from({ length: product(shape) }, (_, index) => (index % 1013) / 8 - 63),
    shape,
    dtype,
  )

/** Each is of more elements than a staging buffer holds, or of more channels than a tile. */
const convolutions: readonly Convolution[] = [
  { layout: "hwio", groups: 1, space: [3, 3], inputs: 80, outputs: 200 },
  { layout: "hwio", groups: 2, space: [1], inputs: 8, outputs: 6000 },
  { layout: "oihw", groups: 1, space: [3, 3], inputs: 200, outputs: 80 },
  { layout: "oihw", groups: 2, space: [400, 500], inputs: 2, outputs: 2 },
  { layout: "oihw", groups: 1500, space: [2], inputs: 3000, outputs: 4500 },
  { layout: "iohw", groups: 1, space: [3, 3], inputs: 200, outputs: 80 },
  { layout: "iohw", groups: 4, space: [3, 3], inputs: 256, outputs: 320 },
  { layout: "iohw", groups: 900, space: [7, 7], inputs: 900, outputs: 2700 },
  { layout: "hwoi", groups: 1, space: [3, 3], inputs: 80, outputs: 200 },
  { layout: "hwoi", groups: 4, space: [3, 3], inputs: 256, outputs: 320 },
  { layout: "hwoi", groups: 900, space: [7, 7], inputs: 900, outputs: 2700 },
  { layout: "hwim", groups: 3000, space: [7, 7], inputs: 3000, outputs: 3000 },
]

test.each(dtypes)("weights of %s that are larger than all buffers go through them, in every layout", (dtype) => {
  const before = memoryBytes()
  for (const convolution of convolutions) {
    const { layout, groups, outputs } = convolution
    const given = numbersOf(outputs)
    const { data, shape } = weightsOf(weightShape(convolution), dtype)
    const scale = given.gamma.map((gamma, c) => gamma / Math.sqrt(given.variance[c]!))
    const channels = outputsOf(convolution)
    const due = data.map((weight, place) => weight * scale[channels[place]!]! + 0)
    const bias = given.beta.map((beta, c) => beta - given.mean[c]! * scale[c]!)
    const result = foldIntoConv({ data, shape }, null, given, { layout, groups })
    const hint = `"${layout}", ${groups} groups`
    expect(firstDifference(result.weights.data, due), hint).toBe(-1)
    expect(firstDifference(result.bias, bias), hint).toBe(-1)
    foldIntoConv<Float32Array | Float64Array>({ data, shape }, null, given, {
      layout,
      groups,
      out: { weights: { data, shape } as never },
    })
    expect(firstDifference(data, due), `${hint}, in place`).toBe(-1)
  }
  expect(memoryBytes()).toBe(before)
})

test.each(dtypes)("a dense layer's weights of %s do too", (dtype) => {
  const before = memoryBytes()
  for (const [inputs, outputs] of [
    [100, 5000],
    [5000, 100],
    [3, 70_000],
    [300_000, 1],
  ] as const) {
    const given = numbersOf(outputs)
    for (const layout of ["io", "oi"] as const) {
      const { data, shape } = weightsOf(layout === "io" ? [inputs, outputs] : [outputs, inputs], dtype)
      const output = (place: number) => (layout === "io" ? place % outputs : Math.floor(place / inputs))
      const scale = given.gamma.map((gamma, c) => gamma / Math.sqrt(given.variance[c]!))
      const due = data.map((weight, place) => weight * scale[output(place)]! + 0)
      const { weights } = foldIntoDense({ data, shape }, null, given, { layout })
      expect(firstDifference(weights.data, due), `${layout}, ${shape}`).toBe(-1)
    }
  }
  expect(memoryBytes()).toBe(before)
})
