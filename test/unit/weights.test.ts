import { allocate, backward, forward, moments, type Saved, type Weights } from "batchnorm"
import { describe, expect, test } from "vitest"
import {
  everywhere,
  keep,
  label,
  numbers,
  place,
  product,
  type Setting,
  settings,
  sharedBuffer,
} from "./support/arrays.ts"
import { layouts } from "./support/dyadic.ts"
import { broadcast } from "./support/naive.ts"
import { bits, expectNear, tolerance } from "./support/near.ts"
import { slopes, solve } from "./support/textbook.ts"
import { parametersOf, reducedOf, shapesBeside, weightsBeside } from "./support/weights.ts"

const epsilon = 0.01

describe.each(layouts)("on $name", (layout) => {
  const { shape, axis } = layout
  const reduced = reducedOf(layout)
  const parameters = parametersOf(product(axis.map((each) => shape[each]!)))
  const [x, dy] = [numbers(product(shape)), numbers(product(shape), 5)]

  test.each(shapesBeside(shape).map((own) => ({ own })))("weights of shape $own count as they broadcast", ({ own }) => {
    const weights = weightsBeside(layout, own)
    for (const activation of [null, "relu"] as const) {
      const problem = { shape, axis, x, epsilon, ...parameters, weights: broadcast(weights, shape) }
      const due = { ...solve({ ...problem, relu: !!activation }), ...slopes({ ...problem, relu: !!activation }, dy) }
      for (const setting of activation ? settings("ordinary", "resident") : settings("ordinary")) {
        const hint = label(setting)
        const within = tolerance[setting.type]
        const array = place(setting, shape, x)
        const slope = place(setting, shape, dy)
        const { mean, variance } = moments(array, reduced, { weights })
        expectNear(mean.data, due.mean, 1e-13, `mean, ${hint}`)
        expectNear(variance.data, due.variance, 1e-13, `variance, ${hint}`)
        const { y, saved } = forward(array, { axis, epsilon, ...parameters, activation, weights })
        expect(y.shape).toEqual(shape)
        expectNear(y.data, due.y, within, `y, ${hint}`)
        expect(saved.mean).toEqual(mean.data)
        expect(saved.variance).toEqual(variance.data)
        expectNear(saved.count, due.count, 1e-15, `count, ${hint}`)
        const { dx, dgamma, dbeta } = backward(slope, array, saved, { weights })
        expectNear(dx.data, due.dx, within, `dx, ${hint}`)
        expectNear(dgamma, due.dgamma, within, `dgamma, ${hint}`)
        expectNear(dbeta, due.dbeta, within, `dbeta, ${hint}`)
        expect([[...array.data], [...slope.data]], "x and dy are left as they were").toEqual([x, dy])
      }
    }
  })
})

/** All that weights have a part in, of one array. */
function everything(setting: Setting, shape: readonly number[], axis: readonly number[]) {
  const [x, dy] = [place(setting, shape, numbers(product(shape))), place(setting, shape, numbers(product(shape), 5))]
  return (weights: Weights | null | undefined) => {
    const { mean, variance } = moments(x, reducedOf({ shape, axis }), { weights })
    const { y, saved } = forward(x, { axis, weights })
    const { dx, dgamma, dbeta } = backward(dy, x, saved, { weights })
    return { mean, variance, y: bits(y), saved, dx: bits(dx), dgamma, dbeta }
  }
}

const small = [0, 1, 2, 0, 3, 1]
const resident = (data: readonly number[], shape: readonly number[], type: "float32" | "float64") => {
  const array = keep(allocate(shape, type as "float64"))
  array.data.set(data)
  return array
}

describe.each([
  { name: "along the last axis", shape: [4, 6], axis: [0], own: [6] },
  { name: "along the rows", shape: [6, 5], axis: [1], own: [6, 1] },
  { name: "along the images of channels-first", shape: [6, 3, 5], axis: [1], own: [6, 1, 1] },
  { name: "along axes that alternate", shape: [2, 2, 3, 2, 5], axis: [1, 3], own: [2, 1, 3, 1, 1] },
])("the same weights $name", ({ shape, axis, own }) => {
  const run = everything({ type: "float64", home: "ordinary" }, shape, axis)
  const due = run({ data: small, shape: own })

  test("may be numbers of any kind of array", () => {
    for (const View of [Uint8Array, Uint8ClampedArray, Int8Array, Int32Array, Float32Array, Float64Array]) {
      expect(run({ data: View.from(small), shape: own }), View.name).toEqual(due)
    }
    const shared = new Float64Array(sharedBuffer() as unknown as ArrayBuffer, 64, small.length)
    shared.set(small)
    expect(run({ data: shared, shape: own })).toEqual(due)
    expect(run({ data: { ...small, length: small.length }, shape: own })).toEqual(due)
  })

  test("may lie on the library's memory", () => {
    for (const type of ["float32", "float64"] as const) {
      const array = resident(small, own, type)
      expect(run(array)).toEqual(due)
      expect([...array.data]).toEqual(small)
      const around = resident([9, ...small, 9, 9], [small.length + 3], type)
      expect(run({ data: around.data.subarray(1, 1 + small.length), shape: own })).toEqual(due)
    }
  })

  test("may be booleans where they are a mask", () => {
    const mask = small.map((weight) => weight > 0)
    const ones = run({ data: mask.map(Number), shape: own })
    expect(run({ data: mask, shape: own })).toEqual(ones)
    expect(run({ data: Object.assign({ length: 6 }, mask), shape: own })).toEqual(ones)
    expect(run({ data: Uint8Array.from(mask, Number), shape: own })).toEqual(ones)
  })
})

test("a bare array of weights lies along the last axis", () => {
  for (const setting of everywhere) {
    for (const [shape, axis] of [
      [[4, 6], [0]],
      [[6], []],
      [[2, 3, 6], [1]],
      [[2, 6], []],
    ] as const) {
      const run = everything(setting, shape, axis)
      const due = run({ data: small, shape: [6] })
      for (const bare of [small, Float32Array.from(small), resident(small, [6], "float64").data]) {
        expect(run(bare), label(setting)).toEqual(due)
      }
      const mask = small.map((weight) => weight > 0)
      expect(run(mask)).toEqual(run({ data: mask, shape: [1, 6].slice(-shape.length) }))
    }
  }
})

test("weights of shape [] are one for all elements", () => {
  for (const setting of everywhere) {
    for (const shape of [[], [5], [3, 4], [2, 3, 2]]) {
      const run = everything(setting, shape, shape.length === 0 ? [] : [0])
      const own = shape.map(() => 1)
      expect(run({ data: [2.5], shape: [] })).toEqual(run({ data: [2.5], shape: own }))
      expect(run({ data: [true], shape: [] })).toEqual(run({ data: [1], shape: own }))
    }
  }
})

test("no weights are null and undefined alike", () => {
  const run = everything({ type: "float32", home: "ordinary" }, [4, 3], [1])
  const { mean } = moments(place({ type: "float32", home: "ordinary" }, [4, 3], numbers(12)), [0])
  expect(run(null)).toEqual(run(undefined))
  expect(run(null).mean).toEqual(mean)
})

test("weights are read at the call, and are the caller's", () => {
  const x = { data: Float64Array.of(1, 3, 9, 5), shape: [4, 1] }
  const weights = { data: [1, 1, 0, 0], shape: [4, 1] }
  expect([...moments(x, 0, { weights }).mean.data]).toEqual([2])
  weights.data.fill(1, 2)
  expect([...moments(x, 0, { weights }).mean.data]).toEqual([4.5])
  expect(weights).toEqual({ data: [1, 1, 1, 1], shape: [4, 1] })
})

describe("what forward with weights saved", () => {
  const x = { data: Float64Array.from(numbers(12)), shape: [4, 3] }
  const dy = { data: Float64Array.from(numbers(12, 5)), shape: [4, 3] }
  const weights = { data: [1, 0.5, 0, 2], shape: [4, 1] }
  const { y, saved } = forward(x, { weights, gamma: [1, 2, 3] })

  test("has Σw for its count, and no weights", () => {
    expect([...saved.count]).toEqual([3.5, 3.5, 3.5])
    expect(Object.keys(saved)).not.toContain("weights")
    const unweighted = Object.keys(forward(x, { gamma: [1, 2, 3] }).saved)
    expect(Object.keys(saved).sort()).toEqual([...unweighted, "hasWeights"].sort())
    const perChannel = forward(x, { weights: { data: [0.25, 0.5, 3], shape: [3] } })
    expect([...perChannel.saved.count]).toEqual([1, 2, 12])
  })

  test("has all of it, where additions one by one would round parts away", () => {
    const three = { data: Float64Array.of(1, 2, 3), shape: [3, 1] }
    const { saved } = forward(three, { weights: { data: [1, 2 ** -53, 2 ** -53], shape: [3, 1] } })
    expect([...saved.count]).toEqual([1 + 2 ** -52])
  })

  test("is plain: a structured clone goes back with the weights", () => {
    expect(backward(dy, x, structuredClone(saved), { weights })).toEqual(backward(dy, x, saved, { weights }))
  })

  test("may be put into vectors that were given", () => {
    const out = structuredClone(saved) as Saved
    for (const vector of [out.mean, out.variance, out.count]) vector.fill(7)
    const result = forward(x, { weights, gamma: [1, 2, 3], out: { saved: out } })
    expect(result.saved).toBe(out)
    expect(out).toEqual(saved)
    expect(bits(result.y)).toEqual(bits(y))
  })
})

test("moments with weights go into out, whole or in part", () => {
  const x = { data: Float32Array.of(1, 2, 3, 6), shape: [2, 2] }
  const vector = () => ({ data: new Float64Array(2), shape: [2] })
  const weights = { data: [1, 1, 3, 3], shape: [2, 2] }
  const out = { mean: vector(), variance: vector() }
  expect(moments(x, 0, { weights, out })).toBe(out)
  expect([...out.mean.data, ...out.variance.data]).toEqual([2.5, 5, 0.75, 3])
  const mean = vector()
  const part = moments(x, 0, { weights: { data: [1, 3], shape: [2, 1] }, out: { mean } })
  expect(part.mean).toBe(mean)
  expect([...mean.data, ...part.variance.data]).toEqual([2.5, 5, 0.75, 3])
})

test("moments with weights keep reduced axes where that is asked for", () => {
  const x = { data: Float64Array.from(numbers(24)), shape: [2, 3, 4] }
  const weights = { data: [1, 2, 0], shape: [3, 1] }
  const flat = moments(x, [0, 1], { weights })
  const kept = moments(x, [0, 1], { weights, keepDims: true })
  expect([flat.mean.shape, kept.mean.shape, kept.variance.shape]).toEqual([[4], [1, 1, 4], [1, 1, 4]])
  expect([kept.mean.data, kept.variance.data]).toEqual([flat.mean.data, flat.variance.data])
})

test.each([[[3, 2100]], [[64, 1100]]])(
  "weights count in a resident array wider than its tiles, of shape %j",
  (shape) => {
    const weights = { data: Array.from({ length: shape[0]! }, (_, row) => row % 3), shape: [shape[0]!, 1] }
    const x = numbers(product(shape))
    const due = solve({ shape, axis: [1], x, epsilon: 0, weights: broadcast(weights, shape) })
    for (const setting of settings("resident")) {
      const { mean, variance } = moments(place(setting, shape, x), 0, { weights })
      expectNear(mean.data, due.mean, 1e-13, label(setting))
      expectNear(variance.data, due.variance, 1e-13, label(setting))
    }
  },
)
