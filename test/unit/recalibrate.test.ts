import { BatchNorm, type BatchNormOptions, type Convention, type NdArray } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, label, numbers, place } from "./support/arrays.ts"
import { momentsOf } from "./support/naive.ts"

const conventions = ["keras", "torch", "onnx", "tf-fused"] as const
const unbiased: Readonly<Record<Convention, boolean>> = { keras: false, torch: true, onnx: false, "tf-fused": true }

const rows = (...values: number[][]): NdArray => ({
  data: Float64Array.from(values.flat()),
  shape: [values.length, values[0]!.length],
})
/** Means 6 and 60 of six rows, m2 70 and 7000. */
const batches = [rows([1, 10], [3, 30]), rows([5, 50]), rows([7, 70], [9, 90], [11, 110])]
const empty = { data: new Float32Array(0), shape: [0, 2] }
const poisoned = (...channels: number[]) =>
  rows([0, 1].map((channel) => (channels.includes(channel) ? Number.NaN : 100)))

const made = (options: BatchNormOptions = {}) => new BatchNorm(2, { axis: 1, epsilon: 0, ...options })
const running = ({ runningMean, runningVariance }: BatchNorm) => [...runningMean, ...runningVariance]

function expectNear(actual: readonly number[], due: readonly number[], hint?: string): void {
  expect(actual.length, hint).toBe(due.length)
  for (const [at, value] of due.entries()) expect(actual[at], hint).toBeCloseTo(value, 11)
}

describe.each(conventions)("by the convention of %s", (convention) => {
  test("the running statistics become those of all elements, the variance as the convention has it", () => {
    const layer = made({ convention })
    layer.forward(rows([1000, 5], [2000, 7]))
    layer.recalibrate(batches)
    const less = unbiased[convention] ? 5 : 6
    expectNear(running(layer), [6, 60, 70 / less, 7000 / less])
    expect([layer.batches, layer.skipped]).toEqual([3, 0])
  })

  test("the option unbiased decides apart from it", () => {
    for (const chosen of [true, false]) {
      const layer = made({ convention, unbiased: chosen })
      layer.recalibrate(batches)
      expectNear(running(layer), [6, 60, 70 / (chosen ? 5 : 6), 7000 / (chosen ? 5 : 6)])
    }
  })

  test("inference then normalizes by all of the data", () => {
    const gamma = [2, -1]
    const beta = [1, 3]
    const layer = made({ convention, unbiased: false, gamma, beta })
    layer.recalibrate(batches)
    const x = rows([6, 60], [1, 110])
    const due = [1, 3, (-5 / Math.sqrt(70 / 6)) * 2 + 1, -50 / Math.sqrt(7000 / 6) + 3]
    expectNear([...layer.infer(x).data], due)
    expectNear([...layer.forward(x, { training: false }).data], due)
    expect([[...layer.gamma], [...layer.beta]]).toEqual([gamma, beta])
  })

  test("one element in all leaves an unbiased variance as it was", () => {
    const layer = made({ convention, runningVariance: [7, 8] })
    layer.recalibrate([rows([3, 4])])
    expect(running(layer)).toEqual([3, 4, ...(unbiased[convention] ? [7, 8] : [0, 0])])
    expect(layer.batches).toBe(1)
  })
})

test("the data may lie along any axes, in any array", () => {
  for (const setting of everywhere) {
    const layers = [
      { layer: new BatchNorm(3), shape: [4, 2, 3] },
      { layer: new BatchNorm(3, { convention: "torch", unbiased: false }), shape: [4, 3, 2] },
      { layer: new BatchNorm(6, { axis: [0, -1] }), shape: [2, 4, 3] },
      { layer: new BatchNorm(1, { axis: [] }), shape: [4, 3, 2] },
      { layer: new BatchNorm(1, { convention: "onnx" }), shape: [24] },
    ]
    for (const { layer, shape } of layers) {
      const x = place(setting, shape, numbers(24))
      layer.recalibrate([x])
      // One batch alone, followed with no weight of the old values, is the same.
      const axis = layer.convention === "onnx" ? [] : layer.axis
      const once = new BatchNorm(layer.channels, { convention: "tf-fused", unbiased: false, axis })
      once.forward(x)
      expect(running(layer), label(setting)).toEqual(running(once))
      expect([...x.data]).toEqual(numbers(24))
    }
  }
})

describe("a batch with NaN or Infinity in a channel", () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "does not count there, and is counted as skipped: %d",
    (value) => {
      const layer = made()
      layer.recalibrate([batches[0]!, rows([value, 1000]), batches[1]!, rows([100, 60], [value, 60]), batches[2]!])
      const second = [10, 30, 1000, 50, 60, 60, 70, 90, 110]
      const { mean, variance } = momentsOf(second, [...second.keys()])
      expectNear(running(layer), [6, mean, 70 / 6, variance])
      expect([layer.batches, layer.skipped]).toEqual([5, 2])
    },
  )

  test("leaves a channel as it was that has no other batch", () => {
    const layer = made({ runningMean: [5, 6], runningVariance: [7, 8] })
    layer.recalibrate([poisoned(1), ...batches.map((batch) => rows([batch.data[0]!, Number.NaN]))])
    const { mean, variance } = momentsOf([100, 1, 5, 7], [0, 1, 2, 3])
    expectNear(running(layer), [mean, 6, variance, 8])
    expect([layer.batches, layer.skipped]).toEqual([4, 4])
  })

  test("keeps its count through JSON, and through the batches that follow", () => {
    const layer = made({ convention: "torch", momentum: null })
    layer.recalibrate([poisoned(0), ...batches, poisoned(0, 1)])
    expect([layer.batches, layer.skipped]).toEqual([5, 3])
    const copy = BatchNorm.fromJSON(JSON.parse(JSON.stringify(layer)))
    expect([copy.batches, copy.skipped]).toEqual([5, 3])
    // The cumulative average goes on: of each channel's own batches.
    for (const each of [layer, copy]) {
      const before = running(each)
      each.forward(rows([0, 0], [2, 20]))
      expectNear(running(each).slice(0, 2), [before[0]! + (1 - before[0]!) / 4, before[1]! + (10 - before[1]!) / 5])
      expect([each.batches, each.skipped]).toEqual([6, 3])
    }
  })
})

describe("the count of batches", () => {
  test("is that of the data set, not of what was before, and without empty ones", () => {
    const layer = made()
    for (let index = 0; index < 4; index++) layer.forward(rows([1, Number.NaN], [3, 4]))
    expect([layer.batches, layer.skipped]).toEqual([4, 4])
    layer.recalibrate([empty, batches[0]!, empty, empty, batches[1]!, empty])
    expect([layer.batches, layer.skipped]).toEqual([2, 0])
    expectNear([...layer.runningMean], [3, 30])
  })

  test("goes on with a cumulative average, in which the data set is so many batches", () => {
    const layer = made({ convention: "torch", momentum: null })
    layer.recalibrate(batches)
    layer.forward(rows([10, 0], [12, 0]))
    expectNear([...layer.runningMean], [6 + (11 - 6) / 4, 60 - 60 / 4])
  })
})

test("batches may come from any iterable, and in time, and empty ones do not count", async () => {
  const due = made()
  due.recalibrate(batches)
  const all = [empty, ...batches, empty]
  const iterables = [all, new Set(all), all.values(), new Map(all.entries()).values()]
  for (const each of iterables) {
    const layer = made()
    expect(layer.recalibrate(each)).toBe(undefined)
    expect(JSON.stringify(layer)).toBe(JSON.stringify(due))
  }
  const generated = async function* () {
    for (const batch of all) {
      await new Promise((resolve) => setTimeout(resolve))
      yield batch
    }
  }
  const stream = new ReadableStream<NdArray>({
    start(controller) {
      for (const batch of all) controller.enqueue(batch)
      controller.close()
    },
  })
  for (const each of [generated(), stream as unknown as AsyncIterable<NdArray>]) {
    const layer = made({ runningMean: [1, 2] })
    const promise = layer.recalibrate(each)
    expect(promise).toBeInstanceOf(Promise)
    expect([...layer.runningMean]).toEqual([1, 2])
    expect(await promise).toBe(undefined)
    expect(JSON.stringify(layer)).toBe(JSON.stringify(due))
  }
})

test("the batches may run the layer itself, as those of a network's middle do", () => {
  const layer = made({ runningMean: [1, 2], runningVariance: [4, 9] })
  const seen: number[] = []
  layer.recalibrate(
    (function* () {
      for (const batch of batches) {
        seen.push(...layer.infer(rows([3, 5])).data)
        layer.forward(batch, { updateRunning: false })
        yield batch
      }
    })(),
  )
  expect(seen).toEqual([1, 1, 1, 1, 1, 1])
  expectNear(running(layer), [6, 60, 70 / 6, 7000 / 6])
})

test("the batches of a data set give the same statistics however they are cut", () => {
  const layer = (cuts: number[]) => {
    const values = numbers(60)
    const own = made({ convention: "torch" })
    own.recalibrate(
      cuts.map((start, index) => {
        const end = cuts[index + 1] ?? 30
        return { data: Float32Array.from(values.slice(2 * start, 2 * end)), shape: [end - start, 2] }
      }),
    )
    return running(own)
  }
  const due = layer([0])
  for (const cuts of [[0, 1], [0, 29], [0, 10, 20], [...Array(30).keys()], [0, 1, 3, 7, 15]]) {
    for (const [at, value] of layer(cuts).entries()) expect(value).toBeCloseTo(due[at]!, 5)
  }
})

test("the forward pass that was kept is still there, and what the layer learns is as it was", () => {
  const options = { gamma: [2, 3], beta: [4, 5] }
  const [layer, other] = [made(options), made(options)]
  const x = rows([1, 2], [3, 5])
  for (const each of [layer, other]) each.forward(x)
  layer.dgamma.set([7, 8])
  layer.recalibrate(batches)
  expect([...layer.dgamma]).toEqual([7, 8])
  expect(layer.backward(x)).toEqual(other.backward(x))
  expect([[...layer.gamma], [...layer.beta]]).toEqual([
    [2, 3],
    [4, 5],
  ])
})

test("a frozen layer is recalibrated too, and stays frozen", () => {
  const layer = made()
  layer.frozen = true
  layer.recalibrate(batches)
  expectNear([...layer.runningMean], [6, 60])
  expect(layer.frozen).toBe(true)
})

test("it writes into the arrays that the layer has had all along", () => {
  const layer = made()
  const { runningMean, runningVariance } = layer
  layer.recalibrate(batches)
  expect(layer.runningMean).toBe(runningMean)
  expect(layer.runningVariance).toBe(runningVariance)
})
