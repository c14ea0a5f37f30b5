// Numbers are dyadic, so that each product and sum is exact and results are compared by equality.
import { BatchNorm, foldIntoConv, foldIntoDense, forward, infer, type NdArray } from "batchnorm"
import { BatchNorm as OtherBatchNorm } from "batchnorm/slim"
import { describe, expect, test } from "vitest"
import { type Convolution, convLayouts, convolve, type Image, normalize, weightShape } from "../support/convolutions.ts"
import { everywhere, label, numbers, place, product, type Setting, settings, types } from "./support/arrays.ts"
import { plain } from "./support/dyadic.ts"

const ordinary = { type: "float32", home: "ordinary" } as const

/** Statistics and parameters of some channels, each its own; σ is a power of two. */
function statistics(channels: number) {
  const vector = (value: (channel: number) => number) => Float64Array.from({ length: channels }, (_, c) => value(c))
  return {
    mean: vector((c) => ((c * 37) % 41) / 8 - 2),
    variance: vector((c) => [0.25, 1, 4, 16][c % 4]!),
    gamma: vector((c) => ((c * 7) % 31) / 4 - 3.625),
    beta: vector((c) => ((c * 5) % 29) / 4 - 3.375),
    epsilon: 0,
  }
}

const spaces = [[3], [2, 3], [2, 1, 2]]

/** Each layout in 1, 2 and 3 dimensions, without groups and with some. */
const convolutions = convLayouts.flatMap((layout) =>
  spaces.flatMap((space): Convolution[] =>
    layout === "hwim"
      ? [1, 3].map((multiplier) => ({ layout, space, groups: 4, inputs: 4, outputs: 4 * multiplier }))
      : [1, 2, 3, 6].map((groups) => ({ layout, space, groups, inputs: 6, outputs: 12 })),
  ),
)

const named = convolutions.map((convolution) => {
  const { layout, space, groups } = convolution
  return { name: `"${layout}", ${space.length}-D, ${groups} groups`, convolution }
})

const imageFor = ({ inputs, space }: Convolution): Image => {
  const shape = [inputs, ...space.map((_, axis) => 4 - axis)]
  return { shape, data: Float64Array.from(numbers(product(shape), 17)) }
}

/** What the convolution gives, normalized by the library and by the formula. */
function normalized(convolution: Convolution, weights: ArrayLike<number>, bias: number[] | null, given: Normalizing) {
  const y = convolve(convolution, imageFor(convolution), weights, bias)
  const byLibrary = infer(y, { ...given, axis: 0 })
  const byFormula = normalize(y, given)
  expect(plain(byLibrary.data)).toEqual(plain(byFormula))
  return plain(byFormula)
}
type Normalizing = Parameters<typeof normalize>[1] & { mean: Float64Array; variance: Float64Array }

const optionsOf = ({ layout, groups }: Convolution) => ({ layout, groups })

describe.each(named)("a folded convolution, $name,", ({ convolution }) => {
  const shape = weightShape(convolution)
  const values = numbers(product(shape))
  const { outputs } = convolution
  const given = statistics(outputs)
  const bias = numbers(outputs, 3)
  const folded = (weights: NdArray, bias: ArrayLike<number>) =>
    plain(convolve(convolution, imageFor(convolution), weights.data, bias).data)

  test.each(everywhere.map((setting) => ({ setting, name: label(setting) })))(
    "gives what the convolution and the normalization gave: $name",
    ({ setting }) => {
      const due = normalized(convolution, values, bias, given)
      const weights = place(setting, shape, values)
      const result = foldIntoConv(weights, bias, given, optionsOf(convolution))
      expect(result.weights.shape).toEqual(shape)
      expect(result.weights.data).toBeInstanceOf(types[setting.type])
      expect(result.bias).toBeInstanceOf(Float64Array)
      expect(folded(result.weights, result.bias)).toEqual(due)
      expect([...weights.data]).toEqual(values)

      const inPlace = foldIntoConv(weights, bias, given, { ...optionsOf(convolution), out: { weights } })
      expect(inPlace.weights).toBe(weights)
      expect([...weights.data]).toEqual([...result.weights.data])
      expect(folded(weights, inPlace.bias)).toEqual(due)
    },
  )

  test("gives it without a bias, without γ and without β", () => {
    for (const own of [null, bias]) {
      for (const gamma of [null, given.gamma]) {
        for (const beta of [undefined, given.beta]) {
          const some = { ...given, gamma, beta }
          const weights = place(ordinary, shape, values)
          const result = foldIntoConv(weights, own, some, optionsOf(convolution))
          expect(folded(result.weights, result.bias)).toEqual(normalized(convolution, values, own, some))
        }
      }
    }
  })
})

/** A dense layer is a convolution of a window and an image of one place. */
const dense = (layout: "io" | "oi"): Convolution => ({
  layout: layout === "io" ? "hwio" : "oihw",
  groups: 1,
  space: [1],
  inputs: 5,
  outputs: 7,
})

describe.each(["io", "oi"] as const)('a folded dense layer, "%s",', (layout) => {
  const convolution = dense(layout)
  const shape = layout === "io" ? [5, 7] : [7, 5]
  const values = numbers(35)
  const given = statistics(7)
  const bias = numbers(7, 3)

  test.each(everywhere.map((setting) => ({ setting, name: label(setting) })))(
    "gives what the layer and the normalization gave: $name",
    ({ setting }) => {
      const weights = place(setting, shape, values)
      for (const own of [null, bias]) {
        const due = normalized(convolution, values, own, given)
        const result = foldIntoDense(weights, own, given, { layout })
        expect(result.weights.shape).toEqual(shape)
        expect(result.weights.data).toBeInstanceOf(types[setting.type])
        const { data } = convolve(convolution, imageFor(convolution), result.weights.data, result.bias)
        expect(plain(data)).toEqual(due)
      }
      const { weights: expected } = foldIntoDense(weights, null, given, { layout })
      foldIntoDense(weights, null, given, { layout, out: { weights } })
      expect([...weights.data]).toEqual([...expected.data])
    },
  )
})

test('the layout of a dense layer is "io" unless given', () => {
  const weights = { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] }
  const given = { mean: [0, 0], variance: [1, 0.25], epsilon: 0 }
  for (const options of [undefined, {}, { layout: undefined }]) {
    expect([...foldIntoDense(weights, null, given, options).weights.data]).toEqual([1, 4, 3, 8])
  }
  expect([...foldIntoDense(weights, null, given, { layout: "oi" }).weights.data]).toEqual([1, 2, 6, 8])
})

describe("a normalization", () => {
  const weights = { data: Float64Array.of(1, 2, 3, 4), shape: [2, 2] }
  const gamma = [2, -3]
  const beta = [5, 7]
  const runningMean = [0.5, -1]
  const runningVariance = [0.25, 4]
  const parameters = { gamma, beta, runningMean, runningVariance }

  test("may be a layer, whose running statistics, γ, β and ε it has", () => {
    const layer = new BatchNorm(2, { ...parameters, epsilon: 0, axis: 1 })
    const { weights: scaled, bias } = foldIntoDense(weights, [1, 1], layer)
    expect([...scaled.data]).toEqual([4, -3, 12, -6])
    expect([...bias]).toEqual([7, 4])
  })

  test("may be a layer without γ, or β, whatever its arrays hold", () => {
    const withoutGamma = new BatchNorm(2, { ...parameters, epsilon: 0, scale: false })
    expect([...foldIntoDense(weights, [1, 1], withoutGamma).weights.data]).toEqual([2, 1, 6, 2])
    expect([...foldIntoDense(weights, [1, 1], withoutGamma).bias]).toEqual([6, 8])
    const withoutBeta = new BatchNorm(2, { ...parameters, epsilon: 0, center: false })
    expect([...foldIntoDense(weights, [1, 1], withoutBeta).weights.data]).toEqual([4, -3, 12, -6])
    expect([...foldIntoDense(weights, [1, 1], withoutBeta).bias]).toEqual([2, -3])
  })

  test.each(["keras", "torch"] as const)("has the ε of its layer's convention: %s", (convention) => {
    const layer = new BatchNorm(2, { ...parameters, convention })
    const [mean, variance] = [runningMean, runningVariance]
    const due = foldIntoDense(weights, null, { gamma, beta, mean, variance, epsilon: layer.epsilon })
    expect(foldIntoDense(weights, null, layer)).toEqual(due)
    const other = foldIntoDense(weights, null, { gamma, beta, mean, variance, epsilon: 2 * layer.epsilon })
    expect(foldIntoDense(weights, null, layer)).not.toEqual(other)
  })

  test("may be a layer of another copy of the package", () => {
    const options = { ...parameters, epsilon: 0 }
    const other = new OtherBatchNorm(2, options)
    expect(other).not.toBeInstanceOf(BatchNorm)
    const due = foldIntoDense(weights, [1, 1], new BatchNorm(2, options))
    expect(foldIntoDense(weights, [1, 1], other as never)).toEqual(due)
  })

  test("may be a trained layer, which then can be left out", () => {
    const layer = new BatchNorm(2, { gamma, beta })
    for (const seed of [1, 2, 3]) layer.forward({ data: Float64Array.from(numbers(16, seed)), shape: [8, 2] })
    const x = { data: Float64Array.of(1, 0.5, -2, 3), shape: [2, 2] }
    const through = ({ data }: NdArray, bias: ArrayLike<number>) => {
      const y = [0, 1].flatMap((row) =>
        [0, 1].map((o) => x.data[2 * row]! * data[o]! + x.data[2 * row + 1]! * data[2 + o]! + bias[o]!),
      )
      return { data: Float64Array.from(y), shape: [2, 2] }
    }
    const due = layer.infer(through(weights, [1, -1]))
    const { weights: scaled, bias } = foldIntoDense(weights, [1, -1], layer)
    const got = through(scaled, bias)
    for (const [index, value] of got.data.entries()) expect(value).toBeCloseTo(due.data[index]!, 13)
  })

  test("may be what forward saved", () => {
    const x = { data: Float32Array.from(numbers(16)), shape: [8, 2] }
    const { saved } = forward(x, { gamma, beta, epsilon: 0.5 })
    const { mean, variance } = saved
    const due = foldIntoDense(weights, [1, 2], { gamma, beta, mean, variance, epsilon: 0.5 })
    expect(foldIntoDense(weights, [1, 2], saved)).toEqual(due)
  })

  test("may have its channels along any axis, which does not matter", () => {
    const given = { gamma, beta, mean: [1, 2], variance: [4, 1] }
    const due = foldIntoDense(weights, null, given)
    for (const axis of [0, 1, -3, 7, [0, 2], []]) expect(foldIntoDense(weights, null, { ...given, axis })).toEqual(due)
  })

  test("has an ε of 1e-3 unless given", () => {
    const given = { mean: [1, 2], variance: [4, 1] }
    const due = foldIntoDense(weights, null, { ...given, epsilon: 1e-3 })
    expect(foldIntoDense(weights, null, given)).toEqual(due)
    expect(foldIntoDense(weights, null, { ...given, epsilon: 0 })).not.toEqual(due)
  })

  test("whose variance and ε are both 0 leaves β alone", () => {
    const given = { gamma, beta, mean: [1, 2], variance: [0, 4], epsilon: 0 }
    const { weights: scaled, bias } = foldIntoDense(weights, [3, 4], given)
    expect(plain(scaled.data)).toEqual([0, -3, 0, -6])
    expect([...bias]).toEqual([5, 4])
  })

  test("with NaN in a channel leaves the others as they are", () => {
    const given = { gamma, beta, mean: [0, Number.NaN], variance: [1, 1], epsilon: 0 }
    const { weights: scaled, bias } = foldIntoDense(weights, null, given)
    expect([...scaled.data]).toEqual([2, -6, 6, -12])
    expect([...bias]).toEqual([5, Number.NaN])
    const sick = foldIntoDense(weights, [1, 1], { ...given, mean: [0, 0], variance: [Number.NaN, 1] })
    expect([...sick.weights.data]).toEqual([Number.NaN, -6, Number.NaN, -12])
    expect([...sick.bias]).toEqual([Number.NaN, 4])
  })

  test("may have numbers of any kind, and so may the bias", () => {
    const kinds = [[1, 4], Uint8Array.of(1, 4), Float32Array.of(1, 4), { data: [1, 4], shape: [1, 2] }]
    const due = foldIntoDense(weights, [1, 4], { mean: [1, 4], variance: [1, 4] })
    for (const one of kinds as number[][]) {
      expect(foldIntoDense(weights, one, { mean: one, variance: one })).toEqual(due)
    }
  })
})

test("the groups of a depthwise convolution may be said", () => {
  const weights = { data: Float32Array.from(numbers(12)), shape: [2, 3, 2] }
  const given = statistics(6)
  const due = foldIntoConv(weights, null, given, { layout: "hwim" })
  expect(foldIntoConv(weights, null, given, { layout: "hwim", groups: 3 })).toEqual(due)
})

test("the groups of a convolution that is not transposed change nothing", () => {
  const weights = { data: Float32Array.from(numbers(36)), shape: [6, 2, 3] }
  const given = statistics(6)
  const due = foldIntoConv(weights, null, given, { layout: "oihw" })
  expect(foldIntoConv(weights, null, given, { layout: "oihw", groups: 3 })).toEqual(due)
  expect(foldIntoConv(weights, null, given, { layout: "oihw", groups: undefined })).toEqual(due)
})

describe("out", () => {
  const given = statistics(3)
  const values = numbers(12)
  const bias = numbers(3, 5)
  const weights = { data: Float32Array.from(values), shape: [4, 3] }
  const due = foldIntoDense(weights, bias, given)

  test.each(settings("ordinary", "resident", "inside a live allocation", "shared"))(
    "is filled and returned when it is whole: $type, $home",
    (setting: Setting) => {
      const like = { data: new types[setting.type](values), shape: [4, 3] }
      const out = { weights: place(setting, [4, 3], Array(12).fill(9)), bias: new Float64Array(3).fill(9) }
      expect(foldIntoDense(like, bias, given, { out })).toBe(out)
      expect([...out.weights.data]).toEqual([...due.weights.data])
      expect(out.bias).toEqual(due.bias)
    },
  )

  test("may be in part", () => {
    const target = { data: new Float32Array(12), shape: [4, 3] }
    const one = foldIntoDense(weights, bias, given, { out: { weights: target } })
    expect(one.weights).toBe(target)
    expect(one).toEqual(due)
    const vector = new Float64Array(3)
    const other = foldIntoDense(weights, bias, given, { out: { bias: vector } })
    expect(other.bias).toBe(vector)
    expect(other).toEqual(due)
    expect(foldIntoDense(weights, bias, given, { out: {} })).toEqual(due)
  })

  test("may be the weights and the bias themselves", () => {
    const own = { weights: { data: weights.data.slice(), shape: [4, 3] }, bias: Float64Array.from(bias) }
    expect(foldIntoDense(own.weights, own.bias, given, { out: own })).toBe(own)
    expect(own).toEqual(due)
  })

  test("may be the bias by another view of it", () => {
    const room = new Float64Array(8).fill(9)
    room.set(bias, 2)
    const own = { data: room.subarray(2, 5), shape: [3] }
    const { bias: vector } = foldIntoDense(weights, own, given, { out: { bias: room.subarray(2, 5) } })
    expect(vector).toEqual(due.bias)
    expect([...room]).toEqual([9, 9, ...due.bias, 9, 9, 9])
  })

  test("forgets what its bias held where there is none", () => {
    const vector = new Float64Array(3).fill(9)
    foldIntoDense(weights, null, given, { out: { bias: vector } })
    expect(vector).toEqual(foldIntoDense(weights, null, given).bias)
  })

  test("leaves what it does not write alone: the given weights, bias and numbers", () => {
    const own = Float64Array.from(bias)
    const before = structuredClone({ weights, own, given })
    foldIntoDense(weights, own, given)
    expect({ weights, own, given }).toEqual(before)
  })
})

describe("weights without elements", () => {
  test.each([
    ["dense", () => foldIntoDense({ data: new Float32Array(0), shape: [0, 3] }, [1, 2, 3], statistics(3))],
    ["of no places", () => foldIntoConv(empty([3, 2, 0]), [1, 2, 3], statistics(3), { layout: "oihw" })],
    ["transposed", () => foldIntoConv(empty([0, 3, 2]), [1, 2, 3], statistics(3), { layout: "iohw" })],
  ])("have a bias all the same: %s", (_, call) => {
    const { weights, bias } = call()
    expect(weights.data).toHaveLength(0)
    const row = { data: Float64Array.of(1, 2, 3), shape: [3] }
    expect([...bias]).toEqual(normalize(row, statistics(3)))
  })

  test.each(convLayouts)('have none without channels: "%s"', (layout) => {
    const { weights, bias } = foldIntoConv(empty([0, 0, 0]), [], statistics(0), { layout })
    expect(weights).toEqual(empty([0, 0, 0]))
    expect(bias).toHaveLength(0)
  })

  const empty = (shape: number[]) => ({ data: new Float32Array(0), shape })
})
