import { type Broadcastable, moments, normalizeMoments, sufficientStatistics } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, label, numbers, place, product, settings } from "./support/arrays.ts"
import { plain } from "./support/dyadic.ts"
import { broadcast, groups, type Spread } from "./support/naive.ts"

const ordinary = { type: "float32", home: "ordinary" } as const
const box = [2, 4, 8]
const subsets = Array.from({ length: 8 }, (_, bits) => [0, 1, 2].filter((axis) => (bits >> axis) % 2 === 1))
const keptOf = (axes: readonly number[]) => box.map((size, axis) => (axes.includes(axis) ? 1 : size))

/** Small whole numbers, of which all sums are exact. */
const whole = (length: number, seed = 0): number[] => numbers(length, seed).map((value) => Math.round(2 * value))

/** Count, Σ(x-s) and Σ(x-s)², as TensorFlow has them. */
function tensorFlow(x: readonly number[], axes: readonly number[], shift: Spread) {
  const places = groups(box, axes)
  const shifts = broadcast(shift, keptOf(axes))
  const sum = (term: (distance: number) => number) =>
    places.map((each, at) => each.reduce((total, place) => total + term(x[place]! - shifts[at]!), 0))
  return { count: places[0]!.length, meanSs: sum((distance) => distance), varianceSs: sum((distance) => distance ** 2) }
}

test("the shift comes back in the form in which it broadcasts to the sums", () => {
  for (const setting of everywhere) {
    const x = place(setting, box, numbers(64))
    for (const [axes, shape, dropped] of [
      [[2], [2, 4, 1], [2, 4]],
      [[2], [4, 1], [4]],
      [[2], [1], []],
      [[0, 2], [1, 4, 1], [4]],
      [[0, 2], [4, 1], [4]],
      [[0], [4, 8], [4, 8]],
      [[0], [1, 1, 8], [1, 8]],
      [[], [2, 1, 8], [2, 1, 8]],
      [[0, 1, 2], [1, 1, 1], []],
      [[1], [], []],
    ] as const) {
      const shift = { data: Float64Array.from(numbers(product(shape), 3)), shape }
      const hint = `${label(setting)}, axes [${axes}], shift of shape [${shape}]`
      const kept = sufficientStatistics(x, axes, { shift, keepDims: true })
      expect(kept.shift, hint).toEqual(shift)
      const { count, meanSs, varianceSs, shift: given } = sufficientStatistics(x, axes, { shift })
      expect(given, hint).toEqual({ ...shift, shape: dropped })
      expect(normalizeMoments(count, meanSs, varianceSs, given).mean.shape, hint).toEqual(meanSs.shape)
    }
  }
})

test.each(subsets.map((axes) => ({ axes })))("axes $axes of three are summed, and the others kept", ({ axes }) => {
  const values = whole(64)
  const due = tensorFlow(values, axes, 0)
  const kept = box.filter((_, axis) => !axes.includes(axis))
  for (const setting of everywhere) {
    const x = place(setting, box, values)
    for (const keepDims of [false, true]) {
      const { count, meanSs, varianceSs, shift } = sufficientStatistics(x, axes, { keepDims })
      expect(count).toEqual({ data: Float64Array.of(due.count), shape: [] })
      expect([meanSs.shape, varianceSs.shape]).toEqual(keepDims ? [keptOf(axes), keptOf(axes)] : [kept, kept])
      expect(plain(meanSs.data), label(setting)).toEqual(plain(due.meanSs))
      expect(plain(varianceSs.data), label(setting)).toEqual(plain(due.varianceSs))
      expect(shift).toBe(null)
    }
    const backwards = axes.map((axis) => axis - 3).reverse()
    expect(sufficientStatistics(x, backwards)).toEqual(sufficientStatistics(x, axes))
    expect([...x.data]).toEqual(values)
  }
})

test("no axes given are all of them, one may be given bare, and none leaves x, squared", () => {
  const x = place(ordinary, box, whole(64))
  const all = sufficientStatistics(x, [0, 1, 2])
  expect([all.meanSs.shape, all.meanSs.data.length]).toEqual([[], 1])
  expect(sufficientStatistics(x)).toEqual(all)
  expect(sufficientStatistics(x, undefined, {})).toEqual(all)
  expect(sufficientStatistics(x, 1)).toEqual(sufficientStatistics(x, [1]))
  expect(sufficientStatistics(x, -1)).toEqual(sufficientStatistics(x, [2]))
  const none = sufficientStatistics(x, [])
  expect([none.meanSs.shape, [...none.count.data]]).toEqual([box, [1]])
  expect(plain(none.meanSs.data)).toEqual(plain(whole(64)))
  expect(plain(none.varianceSs.data)).toEqual(whole(64).map((value) => value ** 2))
  const scalar = sufficientStatistics(place(ordinary, [], [3]), undefined, { shift: 1 })
  expect([scalar.count, scalar.meanSs, scalar.varianceSs].map(({ data, shape }) => [...data, shape])).toEqual([
    [1, []],
    [2, []],
    [4, []],
  ])
})

describe("a shift", () => {
  const values = whole(64)
  const forms = (axes: readonly number[]): readonly Spread[] => {
    const kept = keptOf(axes)
    const of = (shape: readonly number[]) => ({ data: Float64Array.from(whole(product(shape), 3)), shape })
    const last = kept[2]!
    return [
      ...[5, -3, 0, [4], { data: Float64Array.of(-7), shape: [] }, of([1, 1, 1]), of([1])],
      ...[whole(last, 3), of([last]), of([1, last]), of([kept[1]!, 1]), of([kept[1]!, last])],
      ...[of([kept[0]!, 1, 1]), of([1, kept[1]!, last]), of(kept)],
    ]
  }

  test.each(subsets.map((axes) => ({ axes })))(
    "is subtracted first, in every form that broadcasts: $axes",
    ({ axes }) => {
      for (const shift of forms(axes)) {
        const due = tensorFlow(values, axes, shift)
        for (const setting of settings("ordinary", "resident")) {
          const x = place(setting, box, values)
          const own = sufficientStatistics(x, axes, { shift: shift as Broadcastable })
          const hint = `${label(setting)}, ${JSON.stringify(shift)}`
          expect(plain(own.meanSs.data), hint).toEqual(plain(due.meanSs))
          expect(plain(own.varianceSs.data), hint).toEqual(plain(due.varianceSs))
          expect(own.count.data[0]).toBe(due.count)
        }
      }
    },
  )

  test("may be numbers of any kind, and is copied", () => {
    const x = place(ordinary, [4, 3], whole(12))
    const due = sufficientStatistics(x, [0], { shift: [1, 2, 3] })
    for (const shift of [Int8Array.of(1, 2, 3), Float32Array.of(1, 2, 3), { length: 3, 0: 1, 1: 2, 2: 3 }]) {
      expect(sufficientStatistics(x, [0], { shift })).toEqual(due)
    }
    const own = Float64Array.of(1, 2, 3)
    const { shift } = sufficientStatistics(x, [0], { shift: own })
    own.fill(9)
    expect(shift).toEqual({ data: Float64Array.of(1, 2, 3), shape: [3] })
  })

  test("that is none is null, and none is as 0", () => {
    const x = place(ordinary, [4, 3], whole(12))
    const none = sufficientStatistics(x, [0])
    expect(sufficientStatistics(x, [0], { shift: null })).toEqual(none)
    expect(sufficientStatistics(x, [0], { shift: undefined })).toEqual(none)
    const zero = { data: Float64Array.of(0), shape: [] }
    expect(sufficientStatistics(x, [0], { shift: 0 })).toEqual({ ...none, shift: zero })
  })

  test("far from the mean, or none at a large mean, costs no digits", () => {
    const x = { data: Float32Array.of(1e6, 1e6 + 1, 1e6 + 2, 1e6 + 5), shape: [4, 1] }
    for (const shift of [0, 1e6, -1e9, 1e12]) {
      const { meanSs, varianceSs } = sufficientStatistics(x, [0], { shift })
      const distances = Array.from(x.data, (value) => value - shift)
      const [sum, squares] = [1, 2].map((power) => distances.reduce((total, value) => total + value ** power, 0))
      expect(Math.abs(meanSs.data[0]! - sum!)).toBeLessThanOrEqual(2 ** -51 * Math.abs(sum!))
      expect(Math.abs(varianceSs.data[0]! - squares!)).toBeLessThanOrEqual(2 ** -50 * squares!)
    }
  })
})

test("sums of parts add up to those of the whole, and shifted ones too", () => {
  const values = whole(64)
  for (const setting of everywhere) {
    const { data } = place(setting, [16, 4], values)
    const part = (start: number, end: number) => ({ data: data.subarray(4 * start, 4 * end), shape: [end - start, 4] })
    for (const shift of [null, [3, -1, 0, 2]]) {
      const all = sufficientStatistics(part(0, 16), [0], { shift })
      const [first, second] = [part(0, 4), part(4, 12)].map((x) => sufficientStatistics(x, [0], { shift }))
      const third = sufficientStatistics(part(12, 16), [0], { shift })
      for (const name of ["count", "meanSs", "varianceSs"] as const) {
        for (const [at, due] of all[name].data.entries()) {
          const sum = first![name].data[at]! + second![name].data[at]! + third[name].data[at]!
          expect(sum, `${name}, ${label(setting)}`).toBeCloseTo(due, 11)
        }
      }
    }
  }
})

describe("arrays without elements", () => {
  test.each([
    [[0, 3], [0], [3]],
    [[2, 0, 3], [1], [2, 3]],
    [[2, 0], [0, 1], []],
    [[0], undefined, []],
  ] as const)("of shape %j have sums of 0 over %j", (shape, axes, kept) => {
    for (const setting of settings("ordinary", "resident")) {
      const x = place(setting, shape, [])
      for (const shift of [null, 5]) {
        const { count, meanSs, varianceSs } = sufficientStatistics(x, axes, { shift })
        expect([...count.data]).toEqual([0])
        for (const { data, shape } of [meanSs, varianceSs]) {
          expect(shape).toEqual(kept)
          expect([...data]).toEqual(Array(product(kept)).fill(0))
        }
      }
    }
  })

  test("and of no columns have none", () => {
    for (const [shape, axes, count] of [
      [[4, 0], [0], 4],
      [[0, 0], [0], 0],
      [[0, 5], [], 1],
    ] as const) {
      const own = sufficientStatistics(place(ordinary, shape, []), axes, { shift: 2 })
      expect([own.count.data[0], own.meanSs.data.length, own.varianceSs.data.length]).toEqual([count, 0, 0])
    }
  })
})

test("NaN and Infinity leave NaN in their sums, and no others", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const values = whole(12)
    const clean = sufficientStatistics(place(ordinary, [4, 3], values), [0])
    values[4] = value
    const { meanSs, varianceSs } = sufficientStatistics(place(ordinary, [4, 3], values), [0])
    for (const [own, due] of [
      [meanSs, clean.meanSs],
      [varianceSs, clean.varianceSs],
    ]) {
      expect([own!.data[0], own!.data[2]]).toEqual([due!.data[0], due!.data[2]])
      expect(own!.data[1]).toBeNaN()
    }
  }
})

test("results are Float64Arrays on buffers of their own", () => {
  for (const setting of everywhere) {
    const x = place(setting, [4, 3], numbers(12))
    const { count, meanSs, varianceSs, shift } = sufficientStatistics(x, [0], { shift: [1, 2, 3] })
    const moved = normalizeMoments(count, meanSs, varianceSs, shift)
    const all = [count, meanSs, varianceSs, shift!, moved.mean, moved.variance]
    expect(new Set([...all.map(({ data }) => data.buffer), x.data.buffer]).size).toBe(7)
    expect(new Set(all.map(({ shape }) => shape)).size).toBe(6)
    for (const { data } of all) {
      expect(data).toBeInstanceOf(Float64Array)
      expect(data.buffer.byteLength).toBe(data.byteLength)
    }
  }
})

describe("normalizeMoments", () => {
  test("is the mean d + shift and the variance varianceSs / count - d², d = meanSs / count", () => {
    const { mean, variance } = normalizeMoments(4, [2, -8, 0], [5, 16, 0], [10, 20, 30])
    expect(mean).toEqual({ data: Float64Array.of(10.5, 18, 30), shape: [3] })
    expect(variance).toEqual({ data: Float64Array.of(1, 0, 0), shape: [3] })
    expect(normalizeMoments(4, [2, -8, 0], [5, 16, 0])).toEqual({
      mean: { data: Float64Array.of(0.5, -2, 0), shape: [3] },
      variance,
    })
    const scalar = { data: Float64Array.of(1.5), shape: [] }
    expect(normalizeMoments(2, 3, 8.5)).toEqual({ mean: scalar, variance: { data: Float64Array.of(2), shape: [] } })
  })

  test("broadcasts whatever it is given", () => {
    const counts: readonly Spread[] = [4, [2, 4, 8], { data: Float64Array.of(2, 4), shape: [2, 1] }]
    const sums: readonly Spread[] = [
      6,
      [4, 8, -4],
      { data: Float64Array.of(8, -16), shape: [2, 1] },
      { data: Float64Array.from(whole(6, 2)), shape: [2, 3] },
      { data: Float64Array.of(12), shape: [1, 1] },
    ]
    const squares: readonly Spread[] = [
      1e4,
      [1024, 2048, 4096],
      { data: Float64Array.of(2 ** 12, 2 ** 13), shape: [2, 1] },
    ]
    const shifts: readonly (Spread | null)[] = [null, -3, [1, 2, 3], { data: Float64Array.of(7, 8), shape: [2, 1] }]
    const shapeOf = (value: Spread | null): readonly number[] =>
      value === null || typeof value === "number" ? [] : "data" in value ? value.shape : [value.length]
    for (const count of counts) {
      for (const sum of sums) {
        for (const square of squares) {
          for (const shift of shifts) {
            const all = [count, sum, square, shift].map(shapeOf)
            const rank = Math.max(...all.map(({ length }) => length))
            const shape = Array.from({ length: rank }, (_, axis) =>
              Math.max(...all.map((sizes) => sizes[axis - rank + sizes.length] ?? 1)),
            )
            const [n, s, q, k] = [count, sum, square, shift ?? 0].map((value) => broadcast(value, shape)) as number[][]
            const distances = s!.map((value, at) => value / n![at]!)
            const result = normalizeMoments(
              count as Broadcastable,
              sum as Broadcastable,
              square as Broadcastable,
              shift as Broadcastable | null,
            )
            expect([result.mean.shape, result.variance.shape]).toEqual([shape, shape])
            expect([...result.mean.data]).toEqual(distances.map((distance, at) => distance + k![at]!))
            expect([...result.variance.data]).toEqual(q!.map((value, at) => value / n![at]! - distances[at]! ** 2))
          }
        }
      }
    }
  })

  test("grows a single number to as many as there are of the others, and to none", () => {
    expect(normalizeMoments(4, [8], { data: Float64Array.of(16, 20), shape: [2, 1] }).mean).toEqual({
      data: Float64Array.of(2, 2),
      shape: [2, 1],
    })
    const none = { data: new Float64Array(0), shape: [0] }
    expect(normalizeMoments(4, none, [16])).toEqual({ mean: none, variance: none })
  })

  test("gives no variance below 0, where rounding would", () => {
    // 0.1, thrice: the sums are rounded, and their difference is -1.7e-18.
    const sum = 0.1 + 0.1 + 0.1
    const squares = 0.1 * 0.1 + 0.1 * 0.1 + 0.1 * 0.1
    expect(squares / 3 - (sum / 3) ** 2).toBeLessThan(0)
    expect([...normalizeMoments(3, sum, squares).variance.data]).toEqual([0])
    expect([...normalizeMoments(3, [sum, 3], [squares, 9]).variance.data]).toEqual([0, 2])
  })

  test("lets NaN stay where it is", () => {
    const { mean, variance } = normalizeMoments(2, [Number.NaN, 2, 2], [2, Number.NaN, 4])
    expect([...mean.data]).toEqual([Number.NaN, 1, 1])
    expect([...variance.data]).toEqual([Number.NaN, Number.NaN, 1])
  })

  test("goes back from the sums to the moments, exactly where those are exact", () => {
    const values = whole(64)
    for (const setting of everywhere) {
      const x = place(setting, box, values)
      for (const axes of subsets) {
        const due = moments(x, axes)
        for (const shift of [null, 3, -0.5]) {
          for (const keepDims of [false, true]) {
            const sums = sufficientStatistics(x, axes, { shift, keepDims })
            const own = normalizeMoments(sums.count, sums.meanSs, sums.varianceSs, sums.shift)
            expect(plain(own.mean.data), label(setting)).toEqual(plain(due.mean.data))
            expect(plain(own.variance.data), label(setting)).toEqual(plain(due.variance.data))
            expect(own.mean.shape).toEqual(keepDims ? keptOf(axes) : due.mean.shape)
          }
        }
      }
    }
  })
})
