import { allocate, type NdArray, Standardizer } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, keep, label, numbers, place, product, settings } from "./support/arrays.ts"
import { design, layouts, plain } from "./support/dyadic.ts"

const ordinary = { type: "float32", home: "ordinary" } as const
const bits = ({ data }: NdArray) => [...new Uint8Array(data.slice().buffer)]
const columns = (...rows: number[][]) => ({
  data: Float64Array.from(rows.flat()),
  shape: [rows.length, rows[0]!.length],
})

describe.each(layouts)("on $name", (layout) => {
  const { shape, axis } = layout
  const { x, mean, variance, places } = design(layout)
  const deviation = variance.map(Math.sqrt)
  const standard = Array.from(x)
  for (const [column, each] of places.entries()) {
    for (const at of each) standard[at] = (x[at]! - mean[column]!) / deviation[column]!
  }

  test("each column comes to mean 0 and deviation 1, and back", () => {
    for (const setting of everywhere) {
      const array = place(setting, shape, x)
      const standardizer = new Standardizer({ axis }).adapt([array])
      expect(plain(standardizer.mean), label(setting)).toEqual(mean)
      expect(plain(standardizer.standardDeviation), label(setting)).toEqual(deviation)
      const z = standardizer.transform(array)
      expect(z.shape).toEqual(shape)
      expect(plain(z.data), label(setting)).toEqual(plain(standard))
      expect(plain(standardizer.invert(z).data), label(setting)).toEqual(plain(x))
      expect([...array.data]).toEqual([...x])
    }
  })
})

describe("axes", () => {
  test("the columns lie along the last one unless it is said, and the axes are kept as they were given", () => {
    const x = place(ordinary, [2, 3, 4], numbers(24))
    const due = new Standardizer({ axis: 2 }).adapt([x]).transform(x)
    expect(new Standardizer().adapt([x]).transform(x)).toEqual(due)
    expect(new Standardizer({}).adapt([x]).transform(x)).toEqual(due)
    expect(new Standardizer({ axis: undefined }).adapt([x]).transform(x)).toEqual(due)
    const axis = [1, -1]
    const several = new Standardizer({ axis })
    axis[0] = 7
    expect(several.axis).toEqual([1, -1])
    expect(() => (several.axis as number[]).push(0)).toThrow(TypeError)
    expect(several.adapt([x]).mean).toHaveLength(12)
    expect([new Standardizer().axis, new Standardizer({ axis: 1 }).axis]).toEqual([[-1], [1]])
  })

  test("of none all data are one column", () => {
    const standardizer = new Standardizer({ axis: [] }).adapt([
      place(ordinary, [2, 2], [1, 2, 3, 4]),
      place(ordinary, [1, 4], [-1, -2, 6, 3]),
    ])
    expect([...standardizer.mean]).toEqual([2])
    expect([...standardizer.transform(place(ordinary, [], [2])).data]).toEqual([0])
  })

  test("counted from the last one, they fit data of any rank", () => {
    const standardizer = new Standardizer().adapt([columns([1, 10], [3, 30])])
    for (const shape of [[2], [1, 2], [1, 1, 2]]) {
      expect(standardizer.transform({ data: Float64Array.of(4, 40), shape })).toEqual({
        data: Float64Array.of(2, 2),
        shape,
      })
    }
    standardizer.adapt([columns([1, 10]), { data: Float64Array.of(3, 30), shape: [2] }])
    expect([...standardizer.mean]).toEqual([2, 20])
  })
})

describe("a constant column", () => {
  // The values of the constant are such as sums round.
  test.each([0, 7, 0.1, -1 / 3, 1e7, 16_777_217, -1e-30])("of %d becomes 0, and comes back as it was", (value) => {
    for (const setting of everywhere) {
      const rows = 100
      const values = numbers(3 * rows).map((number, at) => (at % 3 === 1 ? value : number))
      const x = place(setting, [rows, 3], values)
      const standardizer = new Standardizer().adapt([x, x, x])
      const stored = x.data[1]!
      expect([standardizer.mean[1], standardizer.standardDeviation[1]], label(setting)).toEqual([stored, 0])
      const z = standardizer.transform(x)
      const back = standardizer.invert(z)
      for (let at = 1; at < 3 * rows; at += 3) {
        expect(z.data[at]).toBe(0)
        expect(back.data[at]).toBe(stored)
      }
    }
  })

  test("becomes 0 whatever comes later, and anything in its place comes back as its mean", () => {
    for (const setting of everywhere) {
      const standardizer = new Standardizer().adapt([place(setting, [2, 2], [5, 1, 5, 3])])
      const unseen = place(setting, [4, 2], [5, 0, -5, 0, 1e30, 0, 1e-30, 0])
      expect([...standardizer.transform(unseen).data].filter((_, at) => at % 2 === 0)).toEqual([0, 0, 0, 0])
      expect([...standardizer.invert(unseen).data].filter((_, at) => at % 2 === 0)).toEqual([5, 5, 5, 5])
    }
  })

  test("is one of a single row too", () => {
    const standardizer = new Standardizer().adapt([columns([1, -2, 3])])
    expect([...standardizer.standardDeviation]).toEqual([0, 0, 0])
    expect([...standardizer.transform(columns([9, 9, 9])).data]).toEqual([0, 0, 0])
  })
})

describe("results", () => {
  const x = numbers(12)
  const made = () => new Standardizer().adapt([place(ordinary, [4, 3], x)])

  test("are of x's type, whatever the statistics were taken of", () => {
    for (const setting of everywhere) {
      const array = place(setting, [4, 3], x)
      for (const call of ["transform", "invert"] as const) {
        const result = made()[call](array)
        expect(result.data.constructor).toBe(array.data.constructor)
        expect(result.data.buffer).toBeInstanceOf(ArrayBuffer)
        expect(result.data.buffer.byteLength).toBe(result.data.byteLength)
        expect(result.shape).not.toBe(array.shape)
      }
    }
  })

  test("may go into another array, or over x, with the same bits", () => {
    for (const setting of everywhere) {
      for (const call of ["transform", "invert"] as const) {
        const standardizer = made()
        const due = standardizer[call](place(setting, [4, 3], x))
        for (const { home } of settings("ordinary", "resident")) {
          const out = place({ type: setting.type, home }, [4, 3], numbers(12, 7))
          expect(standardizer[call](place(setting, [4, 3], x), { out })).toBe(out)
          expect(bits(out), label(setting)).toEqual(bits(due))
        }
        const array = place(setting, [4, 3], x)
        expect(standardizer[call](array, { out: array })).toBe(array)
        expect(bits(array), label(setting)).toEqual(bits(due))
        expect(standardizer[call](place(setting, [4, 3], x), { out: undefined })).toEqual(due)
      }
    }
  })

  test("of no rows are empty", () => {
    for (const setting of settings("ordinary", "resident")) {
      for (const call of ["transform", "invert"] as const) {
        const { data, shape } = made()[call](place(setting, [0, 3], []))
        expect([data.length, shape]).toEqual([0, [0, 3]])
      }
    }
  })

  test("larger than all buffers are those of their rows", () => {
    for (const type of ["float32", "float64"] as const) {
      const shape = [70_001, 3]
      const large = place({ type, home: "ordinary" }, shape, numbers(product(shape)))
      const standardizer = new Standardizer().adapt([large])
      const z = standardizer.transform(large)
      for (const row of [0, 1, 43_690, 43_691, 70_000]) {
        const part = { data: large.data.slice(3 * row, 3 * row + 3), shape: [1, 3] } as NdArray
        expect([...z.data.subarray(3 * row, 3 * row + 3)]).toEqual([...standardizer.transform(part).data])
      }
    }
  })
})

test("NaN and Infinity leave NaN in their column, and no other", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (const setting of everywhere) {
      const clean = new Standardizer().adapt([place(setting, [4, 3], numbers(12))])
      const values = numbers(12)
      values[4] = value
      const standardizer = new Standardizer().adapt([place(setting, [4, 3], values)])
      expect([standardizer.mean[1], standardizer.standardDeviation[1]]).toEqual([Number.NaN, Number.NaN])
      const x = place(setting, [4, 3], numbers(12))
      for (const call of ["transform", "invert"] as const) {
        const due = clean[call](x)
        for (const [at, each] of standardizer[call](x).data.entries()) {
          if (at % 3 === 1) expect(each).toBeNaN()
          else expect(each).toBe(due.data[at])
        }
      }
      const later = clean.transform(place(setting, [4, 3], values))
      expect(Number.isFinite(later.data[4])).toBe(false)
      expect(later.data.filter((each) => !Number.isFinite(each))).toHaveLength(1)
    }
  }
})

describe("adapt", () => {
  const batches = [columns([1, 10], [3, 30]), columns([5, 50]), columns([7, 70], [9, 90], [11, 110])]
  const whole = columns([1, 10], [3, 30], [5, 50], [7, 70], [9, 90], [11, 110])
  const due = JSON.stringify(new Standardizer().adapt(batches))

  async function* generated() {
    yield* batches
  }
  function* iterated() {
    yield* batches
  }

  test("takes the statistics of all batches together", () => {
    const [standardizer, one] = [new Standardizer().adapt(batches), new Standardizer().adapt([whole])]
    for (const name of ["mean", "standardDeviation"] as const) {
      for (const column of [0, 1]) expect(standardizer[name][column]).toBeCloseTo(one[name][column]!, 13)
    }
    expect([...one.mean]).toEqual([6, 60])
  })

  test("takes any iterable", () => {
    const standardizer = new Standardizer()
    const map = new Map(batches.entries())
    const own = { [Symbol.iterator]: () => batches.values() }
    for (const each of [batches, new Set(batches), iterated(), batches.values(), map.values(), own]) {
      const other = new Standardizer()
      expect(other.adapt(each)).toBe(other)
      expect(JSON.stringify(other)).toBe(due)
      expect(JSON.stringify(standardizer.adapt(batches))).toBe(due)
    }
  })

  test("takes any async iterable, and promises the standardizer", async () => {
    const own = {
      [Symbol.asyncIterator]: () => {
        const left = [...batches]
        return { next: async () => ({ done: left.length === 0, value: left.shift()! }) }
      },
    }
    const stream = () =>
      new ReadableStream<NdArray>({
        start(controller) {
          for (const batch of batches) controller.enqueue(batch)
          controller.close()
        },
      }) as unknown as AsyncIterable<NdArray>
    for (const each of [generated(), own, stream()]) {
      const standardizer = new Standardizer()
      const promise = standardizer.adapt(each)
      expect(promise).toBeInstanceOf(Promise)
      expect(await promise).toBe(standardizer)
      expect(JSON.stringify(standardizer)).toBe(due)
    }
  })

  test("prefers to wait where something is both", async () => {
    const both = { [Symbol.iterator]: () => [].values(), [Symbol.asyncIterator]: generated }
    expect(JSON.stringify(await new Standardizer().adapt(both as AsyncIterable<NdArray>))).toBe(due)
  })

  test("ignores batches without rows, the first one too", () => {
    const empty = { data: new Float32Array(0), shape: [0, 2] }
    const standardizer = new Standardizer().adapt([empty, ...batches.flatMap((batch) => [batch, empty])])
    expect(JSON.stringify(standardizer)).toBe(due)
  })

  test("takes batches of either type, and of any place", () => {
    const mixed = batches.map(({ data, shape }, index) => {
      const setting = everywhere[(3 * index + 1) % everywhere.length]!
      return place(setting, shape, data)
    })
    expect(JSON.stringify(new Standardizer().adapt(mixed))).toBe(due)
  })

  test("takes one array that is written anew for each batch", () => {
    const array = keep(allocate([1, 2], "float64"))
    const rows = function* () {
      for (let row = 0; row < 6; row++) {
        array.data.set(whole.data.subarray(2 * row, 2 * row + 2))
        yield array
      }
    }
    const standardizer = new Standardizer().adapt(rows())
    for (const column of [0, 1]) {
      expect(standardizer.mean[column]).toBeCloseTo([6, 60][column]!, 12)
      expect(standardizer.standardDeviation[column]).toBeCloseTo(Math.sqrt([35 / 3, 3500 / 3][column]!), 12)
    }
  })

  test("again replaces what it took, with other columns too", async () => {
    const standardizer = new Standardizer().adapt([columns([100, 200, 300], [101, 202, 303])])
    const { mean } = standardizer
    expect(JSON.stringify(standardizer.adapt(batches))).toBe(due)
    expect([...mean]).toEqual([100.5, 201, 301.5])
    await standardizer.adapt(
      (async function* () {
        yield columns([4], [6])
      })(),
    )
    expect([...standardizer.mean, ...standardizer.standardDeviation]).toEqual([5, 1])
  })

  test("leaves the statistics that there are in use until all batches have come", async () => {
    const standardizer = new Standardizer().adapt([columns([4], [6])])
    const seen: number[] = []
    const batchesMeanwhile = function* () {
      for (const value of [10, 20]) {
        seen.push(standardizer.transform(columns([6])).data[0]!)
        yield columns([value])
      }
    }
    standardizer.adapt(batchesMeanwhile())
    expect(seen).toEqual([1, 1])
    expect([...standardizer.mean, ...standardizer.standardDeviation]).toEqual([15, 5])
    const later = standardizer.adapt(
      (async function* () {
        yield* [columns([0]), columns([2])]
      })(),
    )
    expect(standardizer.mean[0]).toBe(15)
    await later
    expect(standardizer.mean[0]).toBe(1)
  })
})

describe("JSON", () => {
  const through = (standardizer: Standardizer) => Standardizer.fromJSON(JSON.parse(JSON.stringify(standardizer)))

  test("of a standardizer that has been adapted gives the same bits", () => {
    for (const axis of [-1, 1, [0, -1], []]) {
      const x = place(
        { type: "float64", home: "ordinary" },
        [2, 3, 4],
        numbers(24).map((value) => value / 3),
      )
      const standardizer = new Standardizer({ axis }).adapt([x])
      for (const copy of [through(standardizer), Standardizer.fromJSON(standardizer.toJSON())]) {
        expect(copy.axis).toEqual(standardizer.axis)
        expect(copy.mean).toEqual(standardizer.mean)
        expect(copy.standardDeviation).toEqual(standardizer.standardDeviation)
        expect(bits(copy.transform(x))).toEqual(bits(standardizer.transform(x)))
        expect(bits(copy.invert(x))).toEqual(bits(standardizer.invert(x)))
        expect(JSON.stringify(copy)).toBe(JSON.stringify(standardizer))
      }
    }
  })

  test("of one that has not been has no statistics, and can be adapted", () => {
    const fresh = new Standardizer({ axis: [1, -1] })
    expect(JSON.parse(JSON.stringify(fresh))).toEqual({ version: 1, axis: [1, -1], mean: null, variance: null })
    const copy = through(fresh)
    expect(copy.axis).toEqual([1, -1])
    expect(() => copy.mean).toThrow("adapt the standardizer")
    const x = place(ordinary, [2, 3, 4], numbers(24))
    expect(copy.adapt([x]).transform(x)).toEqual(fresh.adapt([x]).transform(x))
  })

  test("has NaN, Infinity and -0 as text", () => {
    const json = { version: 1, axis: [-1], mean: ["NaN", 1e300, "-0", 0.1], variance: ["NaN", "Infinity", 0, 5e-324] }
    const standardizer = Standardizer.fromJSON(json)
    expect(standardizer.toJSON()).toEqual(json)
    expect(JSON.parse(JSON.stringify(standardizer))).toEqual(json)
    expect([...standardizer.mean]).toEqual([Number.NaN, 1e300, -0, 0.1])
    expect([...standardizer.standardDeviation]).toEqual([Number.NaN, Number.POSITIVE_INFINITY, 0, Math.sqrt(5e-324)])
  })

  test("shares nothing with the standardizer", () => {
    const standardizer = new Standardizer().adapt([columns([1, 10], [3, 30])])
    const json = standardizer.toJSON() as { mean: number[]; axis: number[] }
    const copy = Standardizer.fromJSON(json)
    json.mean.fill(9)
    json.axis.fill(9)
    for (const each of [standardizer, copy]) expect([...each.mean, ...each.axis]).toEqual([2, 20, -1])
    copy.adapt([columns([0, 0])])
    expect([...standardizer.mean]).toEqual([2, 20])
  })
})
