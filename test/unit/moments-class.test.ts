import { Moments, moments, type NdArray } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, label, numbers, place, product, settings } from "./support/arrays.ts"
import { design, type Layout, layouts, plain } from "./support/dyadic.ts"

const ordinary = { type: "float32", home: "ordinary" } as const
const doubles = (...values: number[]) => ({ data: Float64Array.from(values), shape: [values.length / 2, 2] })
const channelsOf = ({ shape, axis }: Layout) => axis.reduce((count, each) => count * shape[each]!, 1)

/** All that there is to see. */
const seen = ({ count, mean, m2, variance, unbiasedVariance }: Moments) =>
  [count, mean, m2, variance, unbiasedVariance].map((vector) => [...vector])

describe.each(layouts)("on $name", (layout) => {
  const { shape, axis } = layout
  const { x, mean, variance, places } = design(layout)
  const channels = channelsOf(layout)
  const count = places[0]!.length

  test("one push has the moments of its array", () => {
    for (const setting of everywhere) {
      const array = place(setting, shape, x)
      const negative = axis.map((each) => each - shape.length)
      for (const own of [axis, negative, [...axis].reverse()]) {
        const moments = new Moments(channels, { axis: own }).push(array)
        expect([...moments.count], label(setting)).toEqual(mean.map(() => count))
        expect(plain(moments.mean), label(setting)).toEqual(mean)
        expect(plain(moments.variance), label(setting)).toEqual(variance)
        expect(plain(moments.m2)).toEqual(variance.map((each) => each * count))
        expect(plain(moments.unbiasedVariance)).toEqual(variance.map((each) => (each * count) / (count - 1)))
      }
      expect([...array.data]).toEqual([...x])
    }
  })

  test("the moments of copies are those of one, which counts as often", () => {
    const once = new Moments(channels, { axis }).push(place(ordinary, shape, x))
    for (const setting of everywhere) {
      const array = place(setting, shape, x)
      const pushed = new Moments(channels, { axis }).push(array).push(array).push(array)
      expect([...pushed.count]).toEqual(mean.map(() => 3 * count))
      expect(plain(pushed.mean)).toEqual(plain(once.mean))
      expect(plain(pushed.variance)).toEqual(plain(once.variance))
    }
  })
})

test("channels lie along the last axis unless it is said, and the axes are kept as they were given", () => {
  const x = place(ordinary, [2, 3, 4], numbers(24))
  expect(seen(new Moments(4).push(x))).toEqual(seen(new Moments(4, { axis: 2 }).push(x)))
  expect(seen(new Moments(4, {}).push(x))).toEqual(seen(new Moments(4, { axis: undefined }).push(x)))
  const axis = [1, -3]
  const moments = new Moments(6, { axis })
  axis[0] = 7
  expect([moments.channels, moments.axis]).toEqual([6, [1, -3]])
  expect(() => (moments.axis as number[]).push(0)).toThrow(TypeError)
  expect(new Moments(4).axis).toEqual([-1])
  expect(new Moments(3, { axis: 1 }).axis).toEqual([1])
})

test("with no axis all elements are of one channel, a scalar's too", () => {
  const moments = new Moments(1, { axis: [] }).push(place(ordinary, [2, 3], [1, 2, 3, 4, 5, 9]))
  moments.push(place(ordinary, [], [4])).push(place(ordinary, [1], [4]))
  expect(seen(moments)).toEqual([[8], [4], [40], [5], [40 / 7]])
})

test("arrays of any size, type and rank go into the same moments", () => {
  const moments = new Moments(2)
    .push(place({ type: "float32", home: "resident" }, [1, 2], [1, 10]))
    .push(place({ type: "float64", home: "ordinary" }, [1, 1, 2], [3, 30]))
    .push(place({ type: "float64", home: "shared" }, [2, 1, 1, 2], [5, 50, 7, 70]))
    .push(place({ type: "float32", home: "inside a live allocation" }, [2], [4, 40]))
  expect(seen(moments)).toEqual([
    [5, 5],
    [4, 40],
    [20, 2000],
    [4, 400],
    [5, 500],
  ])
})

test("parts of doubling size give the bits of the whole, where those are exact", () => {
  const layout = { name: "", shape: [64, 3], axis: [1] }
  const { x, mean, variance } = design(layout)
  for (const setting of everywhere) {
    const { data } = place(setting, layout.shape, x)
    const moments = new Moments(3)
    for (let [row, rows] = [0, 1]; row < 64; [row, rows] = [row + rows, row + rows]) {
      moments.push({ data: data.subarray(3 * row, 3 * (row + rows)), shape: [rows, 3] })
    }
    expect([...moments.count]).toEqual([64, 64, 64])
    expect(plain(moments.mean), label(setting)).toEqual(mean)
    expect(plain(moments.variance), label(setting)).toEqual(variance)
  }
})

test("an array larger than all buffers has the bits that the function gives", () => {
  for (const [shape, axis] of [
    [[100_003, 3], 1],
    [[7, 3, 9_001], 1],
    [[150_001], []],
  ] as const) {
    const axes = [...shape.keys()].filter((each) => each !== axis)
    for (const setting of settings("ordinary", "resident")) {
      const x = place(setting, shape, numbers(product(shape)))
      const due = moments(x, axes)
      const channels = due.mean.data.length
      const own = new Moments(channels, { axis }).push(x)
      expect(own.mean).toEqual(due.mean.data)
      const count = product(shape) / channels
      expect([...own.m2]).toEqual(Array.from(due.variance.data, (variance) => variance * count))
    }
  }
})

describe("weights", () => {
  const shape = [4, 3]
  const values = numbers(12)

  test("count as so many elements", () => {
    for (const setting of everywhere) {
      const x = place(setting, shape, values)
      const weighted = new Moments(3).push(x, { weights: { data: [2, 0, 1, 1], shape: [4, 1] } })
      const rows = [0, 0, 2, 3].flatMap((row) => values.slice(3 * row, 3 * row + 3))
      const repeated = new Moments(3).push(place(setting, shape, rows))
      expect([...weighted.count]).toEqual([4, 4, 4])
      expect(plain(weighted.mean), label(setting)).toEqual(plain(repeated.mean))
      expect(plain(weighted.m2), label(setting)).toEqual(plain(repeated.m2))
    }
  })

  test("that are a mask leave elements out, whatever they are", () => {
    const mask = values.map((_, place) => place % 5 !== 2)
    const hostile = values.map((value, place) =>
      mask[place] ? value : [Number.NaN, Number.POSITIVE_INFINITY][place % 2]!,
    )
    for (const setting of everywhere) {
      const own = new Moments(3).push(place(setting, shape, hostile), { weights: { data: mask, shape } })
      for (const channel of [0, 1, 2]) {
        const left = values.filter((_, place) => place % 3 === channel && mask[place])
        const alone = new Moments(1).push(place(setting, [left.length, 1], left))
        expect(own.count[channel]).toBe(left.length)
        expect(own.mean[channel]).toBeCloseTo(alone.mean[0]!, 6)
        expect(own.variance[channel]).toBeCloseTo(alone.variance[0]!, 5)
      }
    }
  })

  test("are those of moments, with their sum as count", () => {
    const weights = { data: [0.5, 2, 0.25, 1], shape: [4, 1] }
    for (const setting of everywhere) {
      const x = place(setting, shape, values)
      const due = moments(x, [0], { weights })
      const own = new Moments(3).push(x, { weights })
      expect([...own.count]).toEqual([3.75, 3.75, 3.75])
      expect(own.mean).toEqual(due.mean.data)
      expect(own.m2).toEqual(due.variance.data.map((variance) => variance * 3.75))
    }
  })

  test("of 0 in all of a channel leave that channel as it was", () => {
    for (const setting of everywhere) {
      const x = place(setting, shape, values)
      const poisoned = place(
        setting,
        shape,
        values.map((value, place) => (place % 3 === 1 ? Number.NaN : value)),
      )
      const before = new Moments(3).push(x)
      const after = new Moments(3).push(x).push(poisoned, { weights: [1, 0, true] as number[] })
      expect([...after.count]).toEqual([8, 4, 8])
      expect([after.mean[1], after.m2[1]]).toEqual([before.mean[1], before.m2[1]])
      const none = new Moments(3).push(poisoned, { weights: [false, false, false] })
      expect(none.toBytes()).toEqual(new Moments(3).toBytes())
    }
  })

  test("that are none, or all 1, are as if there were none", () => {
    const x = place(ordinary, shape, values)
    const due = new Moments(3).push(x).toJSON()
    expect(new Moments(3).push(x, { weights: null }).toJSON()).toEqual(due)
    expect(new Moments(3).push(x, { weights: undefined }).toJSON()).toEqual(due)
    const ones = new Moments(3).push(x, { weights: [true, true, true] })
    expect([...ones.count]).toEqual([4, 4, 4])
    expect(plain(ones.mean)).toEqual(plain(new Moments(3).push(x).mean))
    const huge = { data: Float64Array.of(1, -1e300, 1e200, 2, 1e300, 1e200), shape: [2, 3] }
    expect(seen(new Moments(3).push(huge, { weights: [1, 1, 1] }))).toEqual(seen(new Moments(3).push(huge)))
  })
})

test("arrays without elements add nothing", () => {
  for (const { type, home } of everywhere) {
    const empty = (...shape: number[]) => place({ type, home }, shape, [])
    const moments = new Moments(3)
    for (const array of [empty(0, 3), empty(2, 0, 3)]) expect(moments.push(array)).toBe(moments)
    moments.push(empty(0, 3), { weights: [1, 0, 1] })
    moments.push(empty(0, 3), { weights: { data: [], shape: [0, 3] } })
    expect(seen(moments)).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
      [Number.NaN, Number.NaN, Number.NaN],
      [Number.NaN, Number.NaN, Number.NaN],
    ])
    moments.push(place({ type, home }, [4, 3], numbers(12)))
    const bytes = moments.toBytes()
    expect(moments.push(empty(0, 3)).toBytes()).toEqual(bytes)
    expect(moments.merge(new Moments(3)).toBytes()).toEqual(bytes)
  }
})

describe("variance and unbiasedVariance", () => {
  const of = (...values: number[]) =>
    new Moments(1).push({ data: Float64Array.from(values), shape: [values.length, 1] })

  test("are m2 by the count and by one less, and NaN where that is 0", () => {
    expect(seen(new Moments(1))).toEqual([[0], [0], [0], [Number.NaN], [Number.NaN]])
    expect(seen(of(5))).toEqual([[1], [5], [0], [0], [Number.NaN]])
    expect(seen(of(5, 7))).toEqual([[2], [6], [2], [1], [2]])
    expect(seen(of(5, 7, 9))).toEqual([[3], [7], [8], [8 / 3], [4]])
  })

  test("unbiased, is NaN of no more weight than one element's", () => {
    const pair = { data: Float64Array.of(5, 7), shape: [2, 1] }
    const half = new Moments(1).push(pair, { weights: { data: [0.5, 0.5], shape: [2, 1] } })
    expect(seen(half)).toEqual([[1], [6], [1], [1], [Number.NaN]])
    // Normalized weights may sum up to what rounding makes of 1.
    const tenths = { data: Array(10).fill(0.1 + 2 ** -54), shape: [10, 1] }
    const ten = new Moments(1).push({ data: Float64Array.from(numbers(10)), shape: [10, 1] }, { weights: tenths })
    expect(ten.count[0]).toBeGreaterThan(1)
    expect(ten.unbiasedVariance[0]).toBeNaN()
    expect(half.push(pair, { weights: { data: [0.25, 0.25], shape: [2, 1] } }).unbiasedVariance[0]).toBe(1.5 / 0.5)
  })

  test("are 0 of a constant channel, never below", () => {
    for (const value of [0.1, -1e7, 1 / 3, 1e300, 5e-324]) {
      const moments = of(value, value, value)
      for (let index = 0; index < 20; index++) moments.push({ data: Float64Array.of(value, value), shape: [2, 1] })
      expect([moments.mean[0], moments.variance[0], moments.unbiasedVariance[0]]).toEqual([value, 0, 0])
    }
  })

  test("are new vectors each time", () => {
    const moments = of(5, 7)
    moments.variance.fill(9)
    moments.unbiasedVariance.fill(9)
    expect([moments.variance[0], moments.unbiasedVariance[0]]).toEqual([1, 2])
  })
})

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  "%d makes its channel NaN for good, and no other",
  (value) => {
    for (const setting of everywhere) {
      const values = numbers(12)
      const clean = new Moments(3).push(place(setting, [4, 3], values)).push(place(setting, [4, 3], values))
      values[7] = value
      for (const order of [
        [values, numbers(12)],
        [numbers(12), values],
      ]) {
        const moments = new Moments(3)
        for (const each of order) moments.push(place(setting, [4, 3], each))
        expect([...moments.count]).toEqual([8, 8, 8])
        for (const vector of ["mean", "m2", "variance", "unbiasedVariance"] as const) {
          expect(moments[vector][1]).toBeNaN()
          for (const other of [0, 2]) expect(moments[vector][other]).toBe(clean[vector][other])
        }
      }
    }
  },
)

describe("merge", () => {
  const a = () => new Moments(2).push(doubles(1, 10, 3, 30))
  const b = () => new Moments(2).push(doubles(5, 50, 7, 70, 9, 90, 11, 110))

  test("has all elements of both, and leaves the other as it was", () => {
    const [left, right] = [a(), b()]
    const before = right.toBytes()
    expect(left.merge(right)).toBe(left)
    expect(right.toBytes()).toEqual(before)
    const whole = new Moments(2).push(doubles(1, 10, 3, 30, 5, 50, 7, 70, 9, 90, 11, 110))
    expect(left.count).toEqual(whole.count)
    for (const name of ["mean", "m2"] as const) {
      for (const channel of [0, 1]) expect(left[name][channel]).toBeCloseTo(whole[name][channel]!, 12)
    }
    const other = b().merge(a())
    expect(other.count).toEqual(left.count)
    for (const channel of [0, 1]) expect(other.mean[channel]).toBeCloseTo(left.mean[channel]!, 12)
  })

  test("of a push is that push, to the last bit", () => {
    const x = place(ordinary, [4, 3], numbers(12))
    const y = place(ordinary, [2, 3], numbers(6, 5))
    const pushed = new Moments(3).push(x).push(y)
    const merged = new Moments(3).push(x).merge(new Moments(3).push(y))
    expect(merged.toBytes()).toEqual(pushed.toBytes())
  })

  test("into none, or with none, is the one that there is, to the last bit", () => {
    const bytes = a()
      .push(doubles(0.1, 1 / 3))
      .toBytes()
    const some = Moments.fromBytes(bytes)
    expect(new Moments(2).merge(some).toBytes()).toEqual(bytes)
    expect(some.merge(new Moments(2)).toBytes()).toEqual(bytes)
  })

  test("with itself counts all twice", () => {
    const moments = b()
    moments.merge(moments)
    expect(seen(moments)).toEqual([
      [8, 8],
      [8, 80],
      [40, 4000],
      [5, 500],
      [40 / 7, 4000 / 7],
    ])
  })

  test("does not mind where the channels lay", () => {
    const first = new Moments(2, { axis: 0 }).push(place(ordinary, [2, 2], [1, 3, 10, 30]))
    expect(seen(first.merge(b()))).toEqual(seen(a().merge(b())))
    expect(first.axis).toEqual([0])
  })

  test("goes channel by channel: one may have elements where the other has none", () => {
    const left = new Moments(2).push(doubles(1, 10, 3, 30), { weights: [1, 0] })
    const right = new Moments(2).push(doubles(5, 50, 7, 70), { weights: [0, 1] })
    expect(seen(left.merge(right))).toEqual([
      [2, 2],
      [2, 60],
      [2, 200],
      [1, 100],
      [2, 200],
    ])
  })
})

test("calls chain", () => {
  const moments = new Moments(2)
  const x = doubles(1, 10, 3, 30)
  expect(
    moments
      .push(x)
      .push(x, { weights: [1, 1] })
      .merge(new Moments(2).push(x)),
  ).toBe(moments)
  expect([...moments.count]).toEqual([6, 6])
})

describe("a huge part and tiny ones lose nothing of each other", () => {
  /** 2³⁰ elements, of which the mean is that of the two and the variance 1. */
  function huge(center: number): Moments {
    const moments = new Moments(1).push({ data: Float64Array.of(center - 1, center + 1), shape: [2, 1] })
    for (let times = 2; times < 2 ** 30; times *= 2) moments.merge(moments)
    return moments
  }

  test("of the mean, though each moves it by a fraction of its last digit more", () => {
    const moments = huge(1e6)
    const value = 1e6 + 10 / 3
    for (let index = 0; index < 1000; index++) moments.push({ data: Float64Array.of(value), shape: [1, 1] })
    const count = 2 ** 30 + 1000
    const mean = 1e6 + (1000 * (value - 1e6)) / count
    expect(moments.count[0]).toBe(count)
    expect(Math.abs(moments.mean[0]! - mean)).toBeLessThanOrEqual(2 ** -53 * mean)
  })

  test("of m2 likewise", () => {
    const moments = huge(0)
    for (let index = 0; index < 1000; index++) moments.push({ data: Float64Array.of(-1 / 3, 1 / 3), shape: [2, 1] })
    const m2 = 2 ** 30 + 2000 * (1 / 3) ** 2
    expect(moments.mean[0]).toBe(0)
    expect(Math.abs(moments.m2[0]! - m2)).toBeLessThanOrEqual(2 ** -53 * m2)
  })

  test("of the count likewise, where weights are no whole numbers", () => {
    const moments = new Moments(1)
    const one = { data: Float64Array.of(7), shape: [1, 1] }
    for (let index = 0; index < 999; index++) moments.push(one, { weights: [1 / 3] })
    expect(moments.count[0]).toBe(999 * (1 / 3))
  })

  test("and what rounding took away goes on, from either side", () => {
    const of = (meanRest: number, m2: number, m2Rest: number) =>
      Moments.fromJSON({
        ...{ version: 1, channels: 1, axis: [-1], count: [8], countRest: [0], mean: [1e6] },
        ...{ meanRest: [meanRest], m2: [m2], m2Rest: [m2Rest] },
      })
    const [one, other] = [of(2 ** -60, 2 ** 70, 3), of(2 ** -58, 2 ** 15, 2 ** -30)]
    expect(one.merge(other).toJSON()).toMatchObject({
      ...{ count: [16], mean: [1e6], meanRest: [2 ** -60 + (2 ** -58 - 2 ** -60) / 2] },
      ...{ m2: [2 ** 70], m2Rest: [2 ** 15 + 3 + 2 ** -30] },
    })
  })
})

describe("bytes", () => {
  test("are laid out as it is written down", () => {
    const moments = new Moments(2, { axis: [1, -3] }).push({ data: Float64Array.of(1, 10, 3, 50), shape: [1, 2, 2] })
    moments.push({ data: Float64Array.of(0.1, 1e9), shape: [1, 2, 1] })
    const bytes = moments.toBytes()
    const view = new DataView(bytes.buffer)
    expect(new TextDecoder().decode(bytes.subarray(0, 4))).toBe("BNMO")
    const words = Array.from({ length: 5 }, (_, index) => view.getInt32(4 + 4 * index, true))
    expect(words).toEqual([1, 2, 2, 1, -3])
    expect(bytes).toHaveLength(24 + 6 * 2 * 8)
    const float = (column: number, channel: number) => view.getFloat64(24 + 8 * (2 * column + channel), true)
    const { count, mean, m2 } = moments
    for (const channel of [0, 1]) {
      expect(float(0, channel)).toBe(count[channel])
      expect(float(1, channel)).toBe(0)
      expect(float(2, channel)).toBe(mean[channel])
      expect(float(4, channel)).toBe(m2[channel])
      // What is left of a sum is no more than half of its last digit.
      expect(Math.abs(float(3, channel))).toBeLessThanOrEqual(2 ** -53 * Math.abs(mean[channel]!))
      expect(Math.abs(float(5, channel))).toBeLessThanOrEqual(2 ** -53 * m2[channel]!)
    }
    expect([...count]).toEqual([3, 3])
  })

  test("have zeros after an odd number of axes, so that the floats lie at multiples of 8", () => {
    for (const [axis, start] of [
      [[], 16],
      [[-1], 24],
      [[-1, 0], 24],
      [[-1, 0, 1], 32],
      [[-1, 0, 1, 2], 32],
    ] as const) {
      const bytes = new Moments(3, { axis }).toBytes()
      expect(bytes).toHaveLength(start + 6 * 3 * 8)
      expect([...bytes.subarray(16 + 4 * axis.length)].every((byte) => byte === 0)).toBe(true)
      expect(Moments.fromBytes(bytes).axis).toEqual(axis)
    }
  })

  test("are little-endian, by an array written by hand", () => {
    const bytes = new Uint8Array(24 + 6 * 8)
    bytes.set([0x42, 0x4e, 0x4d, 0x4f, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])
    // 2, 0, 1.5, 2⁻⁶⁰, 0.5 and 0.
    bytes.set([0, 0, 0, 0, 0, 0, 0, 0x40], 24)
    bytes.set([0, 0, 0, 0, 0, 0, 0xf8, 0x3f], 40)
    bytes.set([0, 0, 0, 0, 0, 0, 0x30, 0x3c], 48)
    bytes.set([0, 0, 0, 0, 0, 0, 0xe0, 0x3f], 56)
    const moments = Moments.fromBytes(bytes)
    expect([moments.channels, moments.axis]).toEqual([1, [-1]])
    expect(seen(moments)).toEqual([[2], [1.5], [0.5], [0.25], [0.5]])
    expect(moments.toJSON()).toMatchObject({ meanRest: [2 ** -60] })
    expect(moments.toBytes()).toEqual(bytes)
  })

  test("may lie anywhere in a buffer, and in any kind of Uint8Array", () => {
    const bytes = new Moments(3).push(place(ordinary, [4, 3], numbers(12))).toBytes()
    class Chunk extends Uint8Array {}
    for (const offset of [1, 3, 4, 8]) {
      const around = new Uint8Array(bytes.length + offset + 5)
      around.set(bytes, offset)
      const copy = Moments.fromBytes(around.subarray(offset, offset + bytes.length))
      expect(copy.toBytes()).toEqual(bytes)
      expect(Moments.fromBytes(new Chunk(around.buffer, offset, bytes.length)).toBytes()).toEqual(bytes)
    }
  })

  test("are the caller's own, and so are the moments that come back from them", () => {
    const moments = new Moments(2).push(doubles(1, 10, 3, 30))
    const bytes = moments.toBytes()
    expect(bytes.buffer).toBeInstanceOf(ArrayBuffer)
    expect(bytes.byteLength).toBe(bytes.buffer.byteLength)
    const copy = Moments.fromBytes(bytes)
    bytes.fill(0)
    expect(seen(copy)).toEqual(seen(moments))
    copy.push(doubles(5, 50))
    expect([...moments.count]).toEqual([2, 2])
  })

  test("hold NaN, the infinities and -0", () => {
    const moments = hostile()
    const copy = Moments.fromBytes(moments.toBytes())
    for (const name of ["count", "mean", "m2"] as const) {
      for (const [channel, value] of moments[name].entries()) expect(copy[name][channel]).toBe(value)
    }
    expect(copy.toBytes()).toEqual(moments.toBytes())
  })
})

/** Channels of NaN, of squares beyond all numbers, of a mean of -0, of nothing, and one of usual numbers. */
function hostile(): Moments {
  return Moments.fromJSON({
    ...{ version: 1, channels: 5, axis: [-1], count: [2, 2, 2, 0, 3], countRest: [0, 0, 0, 0, 0] },
    ...{ mean: ["NaN", 1e300, "-0", 0, 1 / 3], meanRest: [0, -1e283, 0, 0, 2 ** -56] },
    ...{ m2: ["NaN", "Infinity", 0, 0, 0.1], m2Rest: [0, 0, "-0", 0, 2 ** -58] },
  })
}

describe("JSON", () => {
  const through = (moments: Moments) => Moments.fromJSON(JSON.parse(JSON.stringify(moments)))

  test("brings moments back to the last bit, which go on as they would have", () => {
    const x = place(
      { type: "float64", home: "ordinary" },
      [2, 3, 2],
      numbers(12).map((value) => value / 3),
    )
    const moments = new Moments(6, { axis: [-1, 1] }).push(x)
    moments.push({ ...x, data: x.data.map((value) => value + 1e7) } as NdArray)
    for (const copy of [through(moments), Moments.fromJSON(moments.toJSON()), Moments.fromBytes(moments.toBytes())]) {
      expect(copy.toBytes()).toEqual(moments.toBytes())
      expect([copy.channels, copy.axis]).toEqual([6, [-1, 1]])
      const other = through(moments)
      expect(copy.push(x).merge(moments).toBytes()).toEqual(other.push(x).merge(moments).toBytes())
      expect(copy.toBytes()).not.toEqual(moments.toBytes())
    }
  })

  test("has NaN, the infinities and -0 as text", () => {
    const moments = hostile()
    expect(JSON.parse(JSON.stringify(moments))).toEqual({
      ...{ version: 1, channels: 5, axis: [-1], count: [2, 2, 2, 0, 3], countRest: [0, 0, 0, 0, 0] },
      ...{ mean: ["NaN", 1e300, "-0", 0, 1 / 3], meanRest: [0, -1e283, 0, 0, 2 ** -56] },
      ...{ m2: ["NaN", "Infinity", 0, 0, 0.1], m2Rest: [0, 0, "-0", 0, 2 ** -58] },
    })
    expect(through(moments).toBytes()).toEqual(moments.toBytes())
    expect(seen(moments)[3]).toEqual([Number.NaN, Number.POSITIVE_INFINITY, 0, Number.NaN, 0.1 / 3])
  })

  test("is plain, and shares nothing with the moments", () => {
    const moments = new Moments(2).push(doubles(1, 10, 3, 30))
    const json = moments.toJSON() as { count: number[]; axis: number[] }
    expect(structuredClone(json)).toEqual(json)
    const copy = Moments.fromJSON(json)
    json.count.fill(9)
    json.axis.fill(9)
    expect([[...moments.count], moments.axis]).toEqual([[2, 2], [-1]])
    expect([[...copy.count], copy.axis]).toEqual([[2, 2], [-1]])
  })
})
