import { allocate, moments, type Vector } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, keep, label, numbers, place, settings } from "./support/arrays.ts"
import { design, layouts, plain } from "./support/dyadic.ts"
import { groups, momentsOf } from "./support/naive.ts"

const ordinary = { type: "float32", home: "ordinary" } as const
const empty = (length: number): Vector => new Float64Array(length)

test.each(layouts)("the mean and variance of $name are exact where they can be", (layout) => {
  const { x, mean, variance } = design(layout)
  const reduced = [...layout.shape.keys()].filter((axis) => !layout.axis.includes(axis))
  for (const setting of everywhere) {
    const result = moments(place(setting, layout.shape, x), reduced)
    expect(plain(result.mean.data), label(setting)).toEqual(mean)
    expect(plain(result.variance.data), label(setting)).toEqual(variance)
  }
})

const box = [2, 4, 8]
const subsets = Array.from({ length: 8 }, (_, bits) => [0, 1, 2].filter((axis) => (bits >> axis) % 2 === 1))

test.each(subsets.map((axes) => ({ axes })))("axes $axes of three are reduced and the others kept", ({ axes }) => {
  const values = numbers(64)
  const due = groups(box, axes).map((places) => momentsOf(values, places))
  for (const setting of everywhere) {
    const x = place(setting, box, values)
    for (const keepDims of [false, true]) {
      const { mean, variance } = moments(x, axes, { keepDims })
      const shape = keepDims
        ? box.map((size, axis) => (axes.includes(axis) ? 1 : size))
        : box.filter((_, axis) => !axes.includes(axis))
      expect(mean.shape).toEqual(shape)
      expect(variance.shape).toEqual(shape)
      expect(plain(mean.data)).toEqual(due.map((each) => each.mean))
      expect(plain(variance.data)).toEqual(due.map((each) => each.variance))
    }
    const backwards = axes.map((axis) => axis - 3).reverse()
    expect(moments(x, backwards)).toEqual(moments(x, axes))
  }
})

test("no axes given are all of them, and one may be given bare", () => {
  const x = place(ordinary, box, numbers(64))
  const all = moments(x, [0, 1, 2])
  expect(all.mean.shape).toEqual([])
  expect(all.mean.data).toHaveLength(1)
  expect(moments(x)).toEqual(all)
  expect(moments(x, undefined, {})).toEqual(all)
  expect(moments(x, null as never)).toEqual(all)
  expect(moments(x, 1)).toEqual(moments(x, [1]))
  expect(moments(x, -1)).toEqual(moments(x, [2]))
  expect(moments(x, -0)).toEqual(moments(x, [0]))
})

test("with no axes to reduce, the mean is x and the variance 0", () => {
  for (const setting of everywhere) {
    const { mean, variance } = moments(place(setting, [2, 3], numbers(6)), [])
    expect(mean.shape).toEqual([2, 3])
    expect([...mean.data]).toEqual(numbers(6))
    expect([...variance.data]).toEqual([0, 0, 0, 0, 0, 0])
  }
})

test("a scalar is its own mean", () => {
  for (const setting of everywhere) {
    for (const axes of [undefined, []]) {
      const { mean, variance } = moments(place(setting, [], [2.5]), axes)
      expect([mean.shape, [...mean.data], variance.shape, [...variance.data]]).toEqual([[], [2.5], [], [0]])
    }
  }
})

test("axes of size 0 that are kept give an empty result", () => {
  for (const setting of settings("ordinary", "resident")) {
    for (const [shape, axes, kept] of [
      [[4, 0], [0], [0]],
      [[0, 3], [1], [0]],
      [[2, 0, 3], [0, 2], [0]],
      [[0, 0], [0], [0]],
      [[0, 5], [], [0, 5]],
    ] as const) {
      const { mean, variance } = moments(place(setting, shape, []), axes)
      expect([mean.shape, mean.data.length, variance.data.length]).toEqual([kept, 0, 0])
    }
  }
})

test("the last of 32 axes is one as any other", () => {
  const shape = [...Array(30).fill(1), 2, 3]
  const x = place(ordinary, shape, [1, 2, 3, 5, 6, 7])
  expect([...moments(x, 31).mean.data]).toEqual([2, 6])
  expect([...moments(x, 30).mean.data]).toEqual([3, 4, 5])
  expect([...moments(x, [...shape.keys()]).mean.data]).toEqual([4])
})

test("results are Float64Arrays on buffers of their own", () => {
  for (const setting of everywhere) {
    const x = place(setting, [4, 3], numbers(12))
    const { mean, variance } = moments(x, [0])
    for (const { data, shape } of [mean, variance]) {
      expect(data).toBeInstanceOf(Float64Array)
      expect(data.buffer.byteLength).toBe(24)
      expect(data.buffer).not.toBe(x.data.buffer)
      expect(Array.isArray(shape)).toBe(true)
    }
    expect(mean.data.buffer).not.toBe(variance.data.buffer)
    expect(mean.shape).not.toBe(variance.shape)
    const copy = mean.data.slice()
    x.data.fill(7)
    moments(x, [0])
    expect(mean.data).toEqual(copy)
  }
})

test("x is left as it was", () => {
  for (const layout of layouts) {
    const { x } = design(layout)
    const array = place(ordinary, layout.shape, x)
    moments(array, [0])
    expect([...array.data]).toEqual([...x])
  }
})

describe("out", () => {
  const x = { data: Float32Array.of(1, 2, 3, 6), shape: [2, 2] }

  test("whole is filled and returned", () => {
    const out = { mean: { data: empty(2), shape: [2] }, variance: { data: empty(2), shape: [2] } }
    expect(moments(x, [0], { out })).toBe(out)
    expect([...out.mean.data, ...out.variance.data]).toEqual([2, 4, 1, 4])
  })

  test("in part is filled and is part of the result", () => {
    const mean = { data: empty(2), shape: [2] }
    const result = moments(x, [0], { out: { mean } })
    expect(result.mean).toBe(mean)
    expect([...mean.data, ...result.variance.data]).toEqual([2, 4, 1, 4])
    const variance = { data: empty(2), shape: [2] }
    const other = moments(x, [0], { out: { variance } })
    expect(other.variance).toBe(variance)
    expect([...other.mean.data, ...variance.data]).toEqual([2, 4, 1, 4])
    expect(moments(x, [0], { out: {} })).toEqual(moments(x, [0]))
  })

  test("keeps its own shape, if it has as many elements", () => {
    const out = { mean: { data: empty(2), shape: [1, 2] }, variance: { data: empty(2), shape: [2, 1] } }
    moments(x, [0], { out })
    expect([out.mean.shape, out.variance.shape]).toEqual([
      [1, 2],
      [2, 1],
    ])
  })

  test("may lie on the library's memory", () => {
    const out = { mean: keep(allocate([2], "float64")), variance: keep(allocate([2], "float64")) }
    expect(moments(x, [0], { out })).toBe(out)
    expect([...out.mean.data, ...out.variance.data]).toEqual([2, 4, 1, 4])
  })
})
