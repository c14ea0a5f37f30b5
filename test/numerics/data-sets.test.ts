// What is adapted to a data set in batches has the moments of all its elements at once, within the contract (docs/numerics.md).
//
// VITE_CONTRACT_SEED repeats a run, VITE_CONTRACT_REPORT=1 prints the worst of each.
import { allocate, BatchNorm, type NdArray, Standardizer } from "batchnorm"
import { afterAll, describe, expect, test } from "vitest"
import { exact, toNumber } from "../reference.ts"
import { dtypes, layouts, ordinary, setting } from "../support/numerics-arrays.ts"
import { exactMoments, gather, judgeMoments } from "../support/numerics-contract.ts"
import { families } from "../support/numerics-families.ts"
import { Random } from "../support/numerics-random.ts"
import { Worst } from "../support/numerics-worst.ts"

const seed = Number(setting("VITE_CONTRACT_SEED") ?? 1)
const worst = new Worst()
afterAll(() => worst.report())

const channels = 3

describe.each(layouts.flatMap((layout) => dtypes.map((dtype) => ({ layout, dtype }))))(
  "$layout, $dtype",
  ({ layout, dtype }) => {
    const isLast = layout === "channels-last"
    const axis = isLast ? -1 : 1

    test.each(Object.entries(families))(
      "%s: a layer and a standardizer get the moments of all batches",
      async (name, family) => {
        const random = new Random(seed)
        const limit = dtype === "float32" ? 2 ** 126 : 2 ** 1022
        const inner = 1 + random.below(9)
        const items = 40
        const columns = Array.from({ length: channels }, () =>
          family(random, items * inner).map((value) => Math.max(-limit, Math.min(limit, value))),
        )
        const batches: NdArray[] = []
        for (let item = 0; item < items; ) {
          const count = Math.min(items - item, random.pick([0, 1, 2, 13]))
          const values = Array.from({ length: count * channels * inner }, (_, at) => {
            const [own, place] = isLast
              ? [at % channels, Math.floor(at / channels)]
              : [Math.floor(at / inner) % channels, Math.floor(at / inner / channels) * inner + (at % inner)]
            return columns[own]![item * inner + place]!
          })
          batches.push(ordinary(values, isLast ? [count, inner, channels] : [count, channels, inner], dtype))
          item += count
        }

        const standardizer = new Standardizer({ axis }).adapt(batches)
        const layers = ([false, true] as const).map((unbiased) => new BatchNorm(channels, { axis, unbiased }))
        for (const layer of layers) layer.recalibrate(batches)
        const { note, broken } = worst.notesOf(`${dtype}:`, `${name}, seed ${seed}`)
        for (const [channel, column] of columns.entries()) {
          const x = gather(ordinary(column, [column.length], dtype).data, [...column.keys()])
          const due = exactMoments(dtype, x)
          if (!due.covered) continue
          const [mean, variance] = [layers[0]!.runningMean[channel]!, layers[0]!.runningVariance[channel]!]
          judgeMoments(dtype, due, mean, variance, note)
          const unbiased = layers[1]!.runningVariance[channel]!
          judgeMoments(dtype, due, mean, (unbiased / x.length) * (x.length - 1), note)
          expect([standardizer.mean[channel], standardizer.standardDeviation[channel]]).toEqual([
            mean,
            Math.sqrt(variance),
          ])
        }
        expect(broken).toEqual([])

        const stream = async function* () {
          yield* batches
        }
        const later = new BatchNorm(channels, { axis, unbiased: true })
        await later.recalibrate(stream())
        expect(later.toJSON()).toEqual(layers[1]!.toJSON())
        expect((await new Standardizer({ axis }).adapt(stream())).toJSON()).toEqual(standardizer.toJSON())
      },
    )
  },
)

const columns = 2
const rowsPerBatch = 20_000
const batchCount = 500
const offset = 2 ** 20

/** Ten million rows in one array, of which each batch is the one before plus 1. */
function* tenMillionRows(seen: () => void): Generator<NdArray> {
  const data = Float32Array.from({ length: columns * rowsPerBatch }, (_, at) => offset + (at % 7))
  for (let batch = 0; batch < batchCount; batch++) {
    if (batch > 0) for (let at = 0; at < data.length; at++) data[at] = data[at]! + 1
    yield { data, shape: [rowsPerBatch, columns] }
    if (batch % 100 === 99) seen()
  }
}

async function* later<T>(values: Iterable<T>): AsyncGenerator<T> {
  yield* values
}

const memoryBytes = () => {
  const probe = allocate([0])
  const { byteLength } = probe.data.buffer
  probe.dispose()
  return byteLength
}

/** What lives on the heap, where the engine says. */
const heapBytes = () => {
  globalThis.gc?.()
  const usage = globalThis.process?.memoryUsage?.()
  return usage ? usage.heapUsed + usage.arrayBuffers : 0
}

test.each(["at once", "in time"])(
  "ten million rows that come %s give their moments, in memory that stays as small as it was",
  async (way) => {
    // An element is the sum of one of these and the batch's number, of which all pairs come once.
    const first = Array.from({ length: columns * rowsPerBatch }, (_, at) => at % 7)
    const [standardizer, layer] = [new Standardizer(), new BatchNorm(columns, { unbiased: false })]
    const before = { memory: memoryBytes(), heap: heapBytes() }
    const grown: number[] = []
    const seen = () => {
      expect(memoryBytes()).toBe(before.memory)
      grown.push(heapBytes() - before.heap)
    }
    if (way === "at once") {
      standardizer.adapt(tenMillionRows(seen))
      layer.recalibrate(tenMillionRows(seen))
    } else {
      await standardizer.adapt(later(tenMillionRows(seen)))
      await layer.recalibrate(later(tenMillionRows(seen)))
    }
    expect(grown).toHaveLength(10)
    // All of the rows would be 80 MB.
    expect(Math.max(...grown)).toBeLessThan(2 ** 21)

    const batches = exactMoments(
      "float64",
      Array.from({ length: batchCount }, (_, batch) => batch),
    )
    for (let column = 0; column < columns; column++) {
      const own = exactMoments(
        "float64",
        first.filter((_, at) => at % columns === column),
      )
      const mean = exact(offset + toNumber(own.mean) + toNumber(batches.mean))
      const variance = exact(toNumber(own.variance) + toNumber(batches.variance))
      const { note, broken } = worst.notesOf("ten million rows:", way)
      judgeMoments("float32", { mean, variance }, layer.runningMean[column]!, layer.runningVariance[column]!, note)
      expect(broken).toEqual([])
      expect(standardizer.mean[column]).toBe(layer.runningMean[column])
      expect(standardizer.standardDeviation[column]).toBe(Math.sqrt(layer.runningVariance[column]!))
    }
  },
)
