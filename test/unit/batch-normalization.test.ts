import { allocate, batchNormalization, moments, type NdArray } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, keep, label, numbers, place, product, settings } from "./support/arrays.ts"
import { plain } from "./support/dyadic.ts"
import { broadcast, type Spread } from "./support/naive.ts"

const doubles = { type: "float64", home: "ordinary" } as const

/** Dyadic parameters of a shape, so that every result is exact in f32. */
const kinds = {
  mean: (length: number) => numbers(length, 3),
  variance: (length: number) => Array.from({ length }, (_, index) => [4, 0.25, 1, 16, 0.0625][index % 5]!),
  offset: (length: number) => numbers(length, 11),
  scale: (length: number) => Array.from({ length }, (_, index) => ((index * 3) % 7) / 4 - 0.75),
}
type Kind = keyof typeof kinds
const order: readonly Kind[] = ["mean", "variance", "offset", "scale"]

function expected(x: ArrayLike<number>, shape: readonly number[], parameters: readonly Spread[]): number[] {
  const [mean, variance, offset, scale] = parameters.map((parameter) => broadcast(parameter, shape))
  return Array.from(x, (value, at) => ((value - mean![at]!) / Math.sqrt(variance![at]!)) * scale![at]! + offset![at]!)
}

/** A parameter of a shape, as an array of one of the kinds that are taken; shape undefined: a bare number. */
function parameter(kind: Kind, shape: readonly number[] | undefined, form: number) {
  if (!shape) return kinds[kind](1)[0]!
  const values = kinds[kind](product(shape))
  const bare = shape.length === 1
  if (form === 0) return bare ? values : { data: Float64Array.from(values), shape }
  if (form === 1) return bare ? Float32Array.from(values) : { data: Float32Array.from(values), shape }
  const array = keep(allocate(shape, "float64"))
  array.data.set(values)
  return array
}

/** Shapes that broadcast to x's, one for each parameter in turn. */
const cases: readonly { shape: readonly number[]; parameters: readonly (readonly number[] | undefined)[] }[] = [
  { shape: [4, 3], parameters: [undefined, undefined, undefined, undefined] },
  { shape: [4, 3], parameters: [[3], [3], [3], [3]] },
  { shape: [4, 3], parameters: [[1, 3], [1, 3], [3], [1, 3]] },
  {
    shape: [4, 3],
    parameters: [
      [4, 1],
      [4, 1],
      [4, 1],
      [4, 1],
    ],
  },
  { shape: [4, 3], parameters: [[4, 1], [4, 1], [3], [3]] },
  {
    shape: [4, 3],
    parameters: [
      [4, 3],
      [4, 3],
      [4, 3],
      [4, 3],
    ],
  },
  { shape: [4, 3], parameters: [undefined, [3], [4, 1], [4, 3]] },
  { shape: [4, 3], parameters: [[1, 1], [1], [], [3]] },
  {
    shape: [2, 3, 4, 5],
    parameters: [
      [1, 3, 1, 1],
      [1, 3, 1, 1],
      [1, 3, 1, 1],
      [1, 3, 1, 1],
    ],
  },
  {
    shape: [2, 3, 4, 5],
    parameters: [
      [3, 1, 1],
      [3, 1, 1],
      [3, 1, 1],
      [3, 1, 1],
    ],
  },
  { shape: [2, 3, 4, 5], parameters: [[5], [5], [5], [5]] },
  { shape: [2, 3, 4, 5], parameters: [[2, 1, 1, 1], [2, 1, 1, 1], [5], [5]] },
  {
    shape: [2, 3, 4, 5],
    parameters: [
      [2, 3, 1, 1],
      [2, 3, 1, 1],
      [3, 1, 1],
      [3, 1, 1],
    ],
  },
  { shape: [2, 3, 4, 5], parameters: [[2, 1, 4, 1], [2, 1, 4, 1], [4, 1], undefined] },
  { shape: [2, 3, 4, 5], parameters: [[3, 1, 5], [3, 1, 5], [3, 1, 5], [5]] },
  { shape: [2, 3, 4, 5], parameters: [[2, 1, 1, 1], [3, 1, 1], [4, 1], [5]] },
  { shape: [2, 3, 4, 5], parameters: [[2, 3, 4, 5], undefined, [1, 1, 1, 5], []] },
  { shape: [3, 2, 3, 2, 3], parameters: [[3, 1, 3, 1, 3], [3, 1, 3, 1, 1], [3], undefined] },
  {
    shape: [3, 2, 3, 2, 3],
    parameters: [
      [2, 1, 2, 1],
      [2, 1, 2, 1],
      [2, 1],
      [2, 1, 1, 1],
    ],
  },
  { shape: [1, 3], parameters: [[3], [1, 3], [1], undefined] },
  { shape: [1, 1], parameters: [[1, 1], [1], [], undefined] },
  { shape: [7], parameters: [[7], undefined, [1], [7]] },
  { shape: [], parameters: [[], [], undefined, undefined] },
  { shape: [0, 3], parameters: [[3], [1, 3], undefined, [0, 3]] },
  { shape: [0, 3], parameters: [[0, 1], [0, 1], [3], undefined] },
  { shape: [3, 2100], parameters: [[2100], [3, 1], [1, 2100], [3, 2100]] },
]

const titled = cases.map(({ shape, parameters }) => ({
  title: `${parameters.map((each) => (each ? `[${each}]` : "a number")).join(" ")} broadcast to [${shape}]`,
  shape,
  parameters,
}))

test.each(titled)("$title as in NumPy", ({ shape, parameters }) => {
  const values = numbers(product(shape))
  for (const setting of everywhere) {
    const x = place(setting, shape, values)
    for (const form of [0, 1, 2]) {
      const [mean, variance, offset, scale] = order.map((kind, index) => parameter(kind, parameters[index], form))
      const y = batchNormalization(x, mean!, variance!, offset, scale, 0)
      expect(y.shape).toEqual(shape)
      expect(plain(y.data), `${label(setting)}, ${form}`).toEqual(
        plain(expected(values, shape, [mean, variance, offset, scale] as Spread[])),
      )
    }
  }
})

describe("a parameter that is left out", () => {
  const x = { data: Float64Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] }
  const due = (y: NdArray, offset: Spread, scale: Spread) =>
    expect(plain(y.data)).toEqual(plain(expected(x.data, x.shape, [[1, 2, 3], 4, offset, scale])))

  test("is 0 for the offset and 1 for the scale", () => {
    for (const absent of [undefined, null]) {
      due(batchNormalization(x, [1, 2, 3], 4, absent, absent, 0), 0, 1)
      due(batchNormalization(x, [1, 2, 3], 4, [5, 6, 7], absent, 0), [5, 6, 7], 1)
      due(batchNormalization(x, [1, 2, 3], 4, absent, 2, 0), 0, 2)
    }
  })

  test("is 1e-3 for ε", () => {
    const implicit = batchNormalization(x, [1, 2, 3], 4)
    expect(implicit).toEqual(batchNormalization(x, [1, 2, 3], 4, null, null, 1e-3))
    expect(implicit).not.toEqual(batchNormalization(x, [1, 2, 3], 4, null, null, 0))
  })
})

test("the example of tf.nn, argument for argument, normalizes each column", () => {
  const x = { data: Float64Array.of(1, 10, 3, 30), shape: [2, 2] }
  const { mean, variance } = moments(x, [0])
  expect([...batchNormalization(x, mean, variance, [5, 6], [1, 2], 0).data]).toEqual([4, 4, 6, 8])
  const kept = moments(x, [1], { keepDims: true })
  expect([...batchNormalization(x, kept.mean, kept.variance, null, null, 0).data]).toEqual([-1, 1, -1, 1])
  const all = moments(x)
  const y = batchNormalization(x, all.mean, all.variance, 0, 1, 0)
  expect(moments(y).mean.data[0]).toBeCloseTo(0, 14)
})

test("without out, the result is an ordinary array of x's type that the caller owns", () => {
  for (const setting of everywhere) {
    const x = place(setting, [2, 3], numbers(6))
    const y = batchNormalization(x, 0, 1)
    expect(y.data.constructor).toBe(x.data.constructor)
    expect(y.data.buffer).toBeInstanceOf(ArrayBuffer)
    expect(y.data.buffer.byteLength).toBe(y.data.byteLength)
    expect(y.data.buffer).not.toBe(x.data.buffer)
    expect(y.shape).not.toBe(x.shape)
    expect([...x.data]).toEqual(numbers(6))
  }
})

test("out is filled and returned, wherever it and x lie", () => {
  const due = batchNormalization(place(doubles, [4, 3], numbers(12)), [1, 2, 3], 4, 0, 1, 0)
  for (const setting of everywhere) {
    for (const { home } of settings("ordinary", "resident", "inside a live allocation", "shared")) {
      const x = place(setting, [4, 3], numbers(12))
      const out = place({ type: setting.type, home }, [4, 3], numbers(12, 50))
      expect(batchNormalization(x, [1, 2, 3], 4, 0, 1, 0, { out } as { out: typeof x })).toBe(out)
      expect([...out.data]).toEqual([...due.data])
      expect([...x.data]).toEqual(numbers(12))
    }
  }
})

test("out may be x, or another view of its elements", () => {
  const due = batchNormalization(place(doubles, [4, 3], numbers(12)), [1, 2, 3], 4, 0, 1, 0)
  for (const setting of everywhere) {
    const x = place(setting, [4, 3], numbers(12))
    batchNormalization(x, [1, 2, 3], 4, 0, 1, 0, { out: x })
    expect([...x.data]).toEqual([...due.data])
    const again = place(setting, [4, 3], numbers(12))
    batchNormalization(again, [1, 2, 3], 4, 0, 1, 0, { out: { data: again.data.subarray(0), shape: [4, 3] } as never })
    expect([...again.data]).toEqual([...due.data])
  }
})

test("parameters may lie in x, which is only read", () => {
  const data = Float64Array.from(numbers(12))
  const x = { data, shape: [4, 3] }
  const row = data.subarray(3, 6)
  const y = batchNormalization(x, row, 4, row, row, 0)
  const values = [...row]
  expect(plain(y.data)).toEqual(plain(expected(numbers(12), [4, 3], [values, 4, values, values])))
})

test("NaN and Infinity in parameters stay in their channels", () => {
  const x = { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] }
  const at = (index: number, value: number, usual: number) => [0, 1, 2].map((each) => (each === index ? value : usual))
  const rest = (y: { data: Float32Array }) => [y.data[0], y.data[1], y.data[3], y.data[4]]
  const due = rest(batchNormalization(x, 0, 1, 0, 1, 0))
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(rest(batchNormalization(x, at(2, value, 0), 1, 0, 1, 0))).toEqual(due)
    expect(rest(batchNormalization(x, 0, at(2, value, 1), 0, 1, 0))).toEqual(due)
    expect(rest(batchNormalization(x, 0, 1, at(2, value, 0), 1, 0))).toEqual(due)
    expect(rest(batchNormalization(x, 0, 1, 0, at(2, value, 1), 0))).toEqual(due)
  }
  expect(batchNormalization(x, 0, at(2, Number.NaN, 1), 0, 1, 0).data[2]).toBeNaN()
  expect(batchNormalization(x, 0, at(2, Number.POSITIVE_INFINITY, 1), 7, 1, 0).data[2]).toBe(7)
})

test("an integer mask does for a scale", () => {
  const x = { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] }
  expect([...batchNormalization(x, 0, 1, 0, Uint8Array.of(1, 0, 2), 0).data]).toEqual([1, 0, 6, 4, 0, 12])
})

test("a float64 result keeps what float32 cannot hold", () => {
  const x = { data: Float64Array.of(1 + 2 ** -40), shape: [1] }
  expect(batchNormalization(x, 1, 1, 0, 1, 0).data[0]).toBe(2 ** -40)
})
