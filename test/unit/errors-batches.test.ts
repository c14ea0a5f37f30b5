import { allocate, BatchNorm, type NdArray, Standardizer } from "batchnorm"
import { describe, expect, test } from "vitest"
import { keep, numbers, place } from "./support/arrays.ts"
import {
  argumentError,
  disposedError,
  expectRefusal,
  expectRefused,
  type Refusal,
  shapeError,
  thrown,
} from "./support/refuses.ts"
import { type Bench, bench, shape } from "./support/slots.ts"

const ordinary = { type: "float32", home: "ordinary" } as const
const array = (sizes: readonly number[] = shape, seed = 0): NdArray =>
  place(
    ordinary,
    sizes,
    numbers(
      sizes.reduce((product, size) => product * size, 1),
      seed,
    ),
  )
const x = array()

type Batches = Iterable<NdArray> | AsyncIterable<NdArray>

/** What takes batches, one by one. */
const takers = [
  {
    call: "Standardizer.adapt",
    take: (batches: Batches, { standardizer }: Bench): unknown => standardizer.adapt(batches as Iterable<NdArray>),
  },
  {
    call: "BatchNorm.recalibrate",
    take: (batches: Batches, { layer }: Bench): unknown => layer.recalibrate(batches as Iterable<NdArray>),
  },
]

/** All that batches could have changed. */
const inside = ({ standardizer, layer }: Bench) => JSON.stringify([standardizer, layer, [...layer.dgamma]])

function expectUntouched(around: Bench, before: string, hint: string): void {
  expect(inside(around), hint).toBe(before)
  const { dx } = bench(around.setting).layer.backward(around.dy)
  expect(around.layer.backward(around.dy).dx, hint).toEqual(dx)
}

/** Batches are refused at once. */
function refuse(make: () => unknown, due: Refusal): void {
  for (const { call, take } of takers) {
    const around = bench(ordinary)
    const before = inside(around)
    expectRefused(() => take(make() as Batches, around), due, around.watched, call)
    expectUntouched(around, before, call)
  }
}

/** Batches that come in time are refused then. */
async function refuseLater(make: () => unknown, due: Refusal): Promise<void> {
  for (const { call, take } of takers) {
    const around = bench(ordinary)
    const before = inside(around)
    const result = take(make() as Batches, around)
    expect(result, call).toBeInstanceOf(Promise)
    expectRefusal(await (result as Promise<unknown>).catch((error: unknown) => error), due, call)
    expectUntouched(around, before, call)
  }
}

async function* later(batches: Iterable<NdArray>): AsyncGenerator<NdArray> {
  for (const batch of batches) {
    await new Promise((resolve) => setTimeout(resolve))
    yield batch
  }
}

/** Bad ones and what is wrong with them, whether they come at once or in time. */
function refuseBoth(make: () => Iterable<NdArray>, due: Refusal): Promise<void> {
  refuse(make, due)
  return refuseLater(() => later(make()), due)
}

describe("batches that are none are refused:", () => {
  const expected = "an iterable or async iterable of { data, shape }"

  test.each([
    [undefined, "undefined"],
    [null, "null"],
    [5, "5"],
    [true, "true"],
    ["abc", '"abc"'],
    ["", '""'],
    [() => [x], "a function"],
    [{}, "an Object"],
    [{ length: 1, 0: x }, "an Object"],
    [{ [Symbol.iterator]: x }, "an Object"],
    [new Float32Array(12), "a Float32Array"],
    [new DataView(new ArrayBuffer(8)), "a DataView"],
    [new WeakSet(), "a WeakSet"],
  ])("%o", (batches, actual) => {
    refuse(() => batches, argumentError("batches", expected, actual))
  })

  test("one array, with the way to wrap it", () => {
    const due = argumentError("batches", expected, "one array: wrap it, as in [x]")
    refuse(() => x, due)
    refuse(() => keep(allocate([4, 3])), due)
    refuse(() => ({ shape, data: async () => x.data, dataSync: () => x.data }), due)
    refuse(() => ({ dims: shape, data: x.data }), due)
  })

  test("a promise of some", () => {
    const due = argumentError("batches", expected, "a Promise: await it, or pass an async iterable")
    refuse(() => Promise.resolve([x]), due)
  })
})

describe("a batch that is none is refused by its place, and the statistics are those that they were:", () => {
  test("what is no array", async () => {
    await refuseBoth(() => [x, x, undefined as never], argumentError("batches[2]", "{ data, shape }", "undefined"))
    const bare = "a Float32Array: wrap it, as in { data, shape: [length] }"
    await refuseBoth(() => [x.data] as never, argumentError("batches[0]", "{ data, shape }", bare))
    const rows = "an Array of 2: wrap it, as in { data, shape: [length] }"
    refuse(() => new Map([["a", x]]), argumentError("batches[0]", "{ data, shape }", rows))
    const integers = { data: new Uint8Array(12), shape }
    const convert = "a Uint8Array: convert it, as by new Float32Array(data)"
    const due = argumentError("batches[1].data", "a Float32Array or Float64Array", convert)
    await refuseBoth(() => [x, integers as never], due)
  })

  test("a promise of one among batches that come at once", () => {
    const promise = "a Promise: await it, or pass an async iterable"
    refuse(() => [x, Promise.resolve(x)], argumentError("batches[1]", "{ data, shape }", promise))
  })

  test("one that was disposed before its turn came", async () => {
    const make = () => {
      const gone = allocate(shape)
      return (function* () {
        yield gone
        gone.dispose()
        yield gone
      })()
    }
    await refuseBoth(make, disposedError("batches[1]"))
  })

  test.each([
    [[4, 2], 2],
    [[3, 4], 4],
    [[0, 4], 4],
    [[4], 4],
    [[2, 2, 1], 1],
  ])("of shape %j among those of 3 columns", async (sizes, columns) => {
    const axis = sizes.length - 1
    const due = (index: number) =>
      shapeError(`batches[${index}].shape[${axis}]`, `3 channels along axis [${axis}]`, `${columns}`)
    await refuseBoth(() => [x, array(sizes), x], due(1))
    await refuseBoth(() => [x, array([0, 3]), x, array(sizes)], due(3))
    await refuseBoth(() => new Set([x, array(sizes)]), due(1))
  })

  test("without the axis along which the columns lie", () => {
    const due = shapeError("batches[1].shape", "an axis 1, along which the channels lie", "[3]")
    const batches = [x, array([3])]
    const standardizer = new Standardizer({ axis: 1 }).adapt([x])
    const layer = new BatchNorm(3, { axis: 1 })
    const { runningMean, runningVariance } = layer
    expectRefused(() => standardizer.adapt(batches), due)
    expectRefused(() => layer.recalibrate(batches), due, { runningMean, runningVariance })
  })
})

describe("batches without any element are refused", () => {
  const due = argumentError("batches", "some elements", "none")

  test("whether there is none, or none that has some", async () => {
    await refuseBoth(() => [], due)
    await refuseBoth(() => new Set<NdArray>(), due)
    await refuseBoth(() => [array([0, 3]), array([2, 0, 3]), array([0, 3])], due)
  })

  test("of no columns either", () => {
    expectRefused(() => new Standardizer().adapt([array([4, 0])]), due)
  })

  test("and leave a standardizer that has not been adapted as it was", async () => {
    const standardizer = new Standardizer()
    for (const batches of [[], [x, array([4, 2])]]) expect(() => standardizer.adapt(batches)).toThrow(/^batches/)
    await expect(standardizer.adapt(later([x, array([4, 2])]))).rejects.toThrow(/^batches\[1\]/)
    expect(() => standardizer.mean).toThrow("adapt the standardizer to data first")
  })
})

describe("an error of the batches themselves comes through, and the statistics are those that they were:", () => {
  const own = new Error("the file ends here")

  test("of an iterator that throws after some", () => {
    for (const { call, take } of takers) {
      const around = bench(ordinary)
      const before = inside(around)
      const batches = (function* () {
        yield array(shape, 7)
        yield array(shape, 8)
        throw own
      })()
      expect(
        thrown(() => take(batches, around), call),
        call,
      ).toBe(own)
      expectUntouched(around, before, call)
    }
  })

  test("of an async iterator that rejects after some, or at once", async () => {
    for (const { call, take } of takers) {
      for (const count of [0, 2]) {
        const around = bench(ordinary)
        const before = inside(around)
        const batches = (async function* () {
          for (let index = 0; index < count; index++) yield array(shape, index)
          throw own
        })()
        await expect(take(batches, around), call).rejects.toBe(own)
        expectUntouched(around, before, call)
      }
    }
  })

  test("of a stream that fails", async () => {
    for (const { call, take } of takers) {
      const around = bench(ordinary)
      const before = inside(around)
      let count = 0
      const stream = new ReadableStream<NdArray>({
        pull(controller) {
          if (count++ < 3) controller.enqueue(array(shape, count))
          else controller.error(own)
        },
      })
      await expect(take(stream as unknown as AsyncIterable<NdArray>, around), call).rejects.toBe(own)
      expectUntouched(around, before, call)
    }
  })
})

test("an iterator is closed when one of its batches is refused", async () => {
  for (const { call, take } of takers) {
    const closed: string[] = []
    const around = bench(ordinary)
    const sync = (function* () {
      try {
        yield x
        yield array([4, 2])
        closed.push("went on")
      } finally {
        closed.push("sync")
      }
    })()
    const async = (async function* () {
      try {
        yield x
        yield array([4, 2])
        closed.push("went on")
      } finally {
        closed.push("async")
      }
    })()
    expect(() => take(sync, around), call).toThrow("batches[1]")
    await expect(take(async, around), call).rejects.toThrow("batches[1]")
    expect(closed, call).toEqual(["sync", "async"])
  }
})

describe("recalibrate", () => {
  const poisoned = (channel: number, value = Number.NaN) => {
    const batch = array(shape, 5)
    batch.data[6 + channel] = value
    return batch
  }

  test("refuses NaN and Infinity where they are to throw, by batch and channel", async () => {
    const layer = new BatchNorm(3, { nonFinite: "throw" })
    layer.forward(x)
    const before = JSON.stringify(layer)
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const channel of [0, 2]) {
        const due = (index: number) =>
          argumentError(
            `batches[${index}]`,
            "finite statistics in each channel",
            `NaN or Infinity in channel ${channel}`,
          )
        const batches = () => [x, array([0, 3]), poisoned(channel, value), x]
        expectRefused(() => layer.recalibrate(batches()), due(2))
        const error = await layer.recalibrate(later(batches())).catch((cause: unknown) => cause)
        expectRefusal(error, due(2))
        expectRefused(() => layer.recalibrate([poisoned(channel, value)]), due(0))
      }
    }
    expect(JSON.stringify(layer)).toBe(before)
    layer.backward(x)
  })

  test("refuses batches of which each holds NaN in every channel, where they are to be skipped", async () => {
    const nothing = () => ({ data: new Float32Array(12).fill(Number.NaN), shape })
    const due = argumentError("batches", "finite statistics in some channel", "NaN or Infinity in all of them")
    const layer = new BatchNorm(3)
    layer.forward(x)
    const before = JSON.stringify(layer)
    expectRefused(() => layer.recalibrate([nothing(), array([0, 3]), nothing()]), due)
    const error = await layer.recalibrate(later([nothing()])).catch((cause: unknown) => cause)
    expectRefusal(error, due)
    expect(JSON.stringify(layer)).toBe(before)
    layer.backward(x)
  })
})
