import { BatchNorm, type BatchNormOptions, type Convention, forward, infer, type NdArray, ShapeError } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, label, numbers, place, settings } from "./support/arrays.ts"
import { plain } from "./support/dyadic.ts"

const ordinary = { type: "float64", home: "ordinary" } as const
const bits = ({ data }: NdArray) => [...new Uint8Array(data.slice().buffer)]

interface Meaning {
  readonly convention: Convention
  readonly axis: number
  readonly epsilon: number
  readonly momentum: number
  /** The weight of the old value. */
  readonly decay: number
  readonly unbiased: boolean
  /** Training on one element per channel. */
  readonly singleElement: "allow" | "throw"
}

const conventions: readonly Meaning[] = [
  {
    convention: "keras",
    axis: -1,
    epsilon: 1e-3,
    momentum: 0.99,
    decay: 0.99,
    unbiased: false,
    singleElement: "allow",
  },
  { convention: "torch", axis: 1, epsilon: 1e-5, momentum: 0.1, decay: 0.9, unbiased: true, singleElement: "throw" },
  { convention: "onnx", axis: 1, epsilon: 1e-5, momentum: 0.9, decay: 0.9, unbiased: false, singleElement: "allow" },
  { convention: "tf-fused", axis: -1, epsilon: 1e-3, momentum: 1, decay: 0, unbiased: true, singleElement: "allow" },
]

/** Two channels of four elements along axis 1: means 3 and 10, biased variances 5 and 20. */
const batch = { data: Float64Array.of(0, 4, 2, 8, 4, 12, 6, 16), shape: [4, 2] }
/** The next: means 1 and -2, biased variances 1 and 4. */
const next = { data: Float64Array.of(0, 0, 2, -4, 0, 0, 2, -4), shape: [4, 2] }

describe.each(conventions)(
  "in the convention $convention",
  ({ convention, axis, epsilon, momentum, decay, unbiased, singleElement }) => {
    const make = (options: BatchNormOptions = {}) => new BatchNorm(2, { convention, ...options })

    test("the defaults are the framework's", () => {
      const layer = make()
      expect(layer).toMatchObject({ convention, axis: [axis], epsilon, momentum, unbiased, singleElement, channels: 2 })
      expect(layer.decay).toBeCloseTo(decay, 15)
      expect([layer.center, layer.scale, layer.nonFinite, layer.frozen, layer.activation]).toEqual([
        true,
        true,
        "skip",
        false,
        null,
      ])
      expect([[...layer.gamma], [...layer.beta]]).toEqual([
        [1, 1],
        [0, 0],
      ])
      expect([[...layer.runningMean], [...layer.runningVariance]]).toEqual([
        [0, 0],
        [1, 1],
      ])
      expect([layer.batches, layer.skipped]).toEqual([0, 0])
    })

    test("the channels lie along the framework's axis", () => {
      const layer = make()
      const x = place(ordinary, [3, 2, 2], numbers(12))
      const { y } = forward(x, { axis, epsilon })
      expect(bits(layer.forward(x))).toEqual(bits(y))
      if (axis === 1) expect(() => layer.forward(place(ordinary, [3, 3, 2], numbers(18)))).toThrow(/x\.shape\[1\]/)
      else expect(() => layer.forward(place(ordinary, [3, 2, 3], numbers(18)))).toThrow(/x\.shape\[2\]/)
    })

    test("the running statistics follow two batches as computed by hand", () => {
      const layer = make()
      const correction = unbiased ? 4 / 3 : 1
      layer.forward(batch)
      const first = (old: number, fresh: number) => decay * old + (1 - decay) * fresh
      expect(layer.runningMean[0]).toBeCloseTo(first(0, 3), 14)
      expect(layer.runningMean[1]).toBeCloseTo(first(0, 10), 14)
      expect(layer.runningVariance[0]).toBeCloseTo(first(1, 5 * correction), 14)
      expect(layer.runningVariance[1]).toBeCloseTo(first(1, 20 * correction), 14)
      layer.forward(next)
      expect(layer.runningMean[0]).toBeCloseTo(first(first(0, 3), 1), 14)
      expect(layer.runningMean[1]).toBeCloseTo(first(first(0, 10), -2), 14)
      expect(layer.runningVariance[0]).toBeCloseTo(first(first(1, 5 * correction), 1 * correction), 14)
      expect(layer.runningVariance[1]).toBeCloseTo(first(first(1, 20 * correction), 4 * correction), 14)
      expect(layer.batches).toBe(2)
    })

    test("y is normalized by the biased variance", () => {
      const y = make({ epsilon: 0 }).forward({ data: Float64Array.of(-1, -2, 1, 2), shape: [2, 2] })
      expect([...y.data]).toEqual([-1, -1, 1, 1])
    })

    test("a momentum that is given means what it means in the framework", () => {
      const layer = make({ momentum: 0.25 })
      const weighsOld = convention === "keras" || convention === "onnx"
      expect([layer.momentum, layer.decay]).toEqual([0.25, weighsOld ? 0.25 : 0.75])
      layer.forward(batch)
      expect([...layer.runningMean]).toEqual(weighsOld ? [2.25, 7.5] : [0.75, 2.5])
      for (const extreme of [0, 1]) {
        const other = make({ momentum: extreme })
        other.forward(batch)
        expect([...other.runningMean]).toEqual((extreme === 0) === weighsOld ? [3, 10] : [0, 0])
      }
    })

    test("a running variance that is to be unbiased, or not, is, and y is normalized by the biased one", () => {
      for (const chosen of [true, false]) {
        const layer = make({ unbiased: chosen, epsilon: 0 })
        const due = forward(batch, { epsilon: 0, axis: 1 })
        expect(bits(layer.forward(batch))).toEqual(bits(due.y))
        const correction = chosen ? 4 / 3 : 1
        expect(layer.unbiased).toBe(chosen)
        expect(layer.runningVariance[0]).toBeCloseTo(decay + (1 - decay) * 5 * correction, 14)
        expect(layer.runningVariance[1]).toBeCloseTo(decay + (1 - decay) * 20 * correction, 14)
      }
    })

    test("x of rank 1 is one channel in onnx alone", () => {
      const x = { data: Float64Array.of(1, 3), shape: [2] }
      const layer = new BatchNorm(1, { convention })
      if (convention === "onnx") expect(layer.forward(x).data[0]).toBeCloseTo(-1, 4)
      else expect(() => layer.forward(x)).toThrow(ShapeError)
    })

    test("one element per channel trains where that is allowed", () => {
      for (const [chosen, kind] of [
        [true, "unbiased"],
        [false, "biased"],
      ] as const) {
        const layer = make({ singleElement: "allow", unbiased: chosen, beta: [5, 6], runningVariance: [4, 8] })
        const x = { data: Float64Array.of(7, 8), shape: [1, 2] }
        expect([...layer.forward(x).data]).toEqual([5, 6])
        expect([...layer.backward(x).dx.data]).toEqual([0, 0])
        expect(layer.runningMean[1]).toBeCloseTo((1 - decay) * 8, 14)
        expect(layer.runningVariance[0], kind).toBeCloseTo(chosen ? 4 : 4 * decay, 14)
        expect([layer.batches, layer.skipped]).toEqual([1, 0])
      }
    })

    test("one element per channel does not train where that is refused", () => {
      const layer = make({ singleElement: "throw" })
      const x = { data: Float64Array.of(7, 8), shape: [1, 2] }
      expect(() => layer.forward(x)).toThrow("x: expected 2 or more elements per channel to train on, got 1")
      expect([layer.batches, ...layer.runningMean, ...layer.runningVariance]).toEqual([0, 0, 0, 1, 1])
      layer.forward(x, { training: false })
      layer.infer(x)
    })

    test("one element per channel trains, but in torch", () => {
      const layer = make({ beta: [5, 6] })
      const x = { data: Float64Array.of(7, 8), shape: [1, 2] }
      if (convention === "torch") {
        expect(() => layer.forward(x)).toThrow("x: expected 2 or more elements per channel to train on, got 1")
        expect([layer.batches, ...layer.runningMean, ...layer.runningVariance]).toEqual([0, 0, 0, 1, 1])
        return
      }
      expect([...layer.forward(x).data]).toEqual([5, 6])
      expect(layer.runningMean[0]).toBeCloseTo((1 - decay) * 7, 14)
      // One element has no unbiased variance: the running one stays as it was.
      expect(layer.runningVariance[0]).toBeCloseTo(unbiased ? 1 : decay, 14)
      expect(layer.batches).toBe(1)
    })

    test("infer and a forward that does not train use the running statistics, and change nothing", () => {
      for (const setting of everywhere) {
        const layer = make({ gamma: [2, 3], beta: [1, -1], runningMean: [3, 4], runningVariance: [4, 16] })
        const shape = axis === 1 ? [2, 2, 4] : [8, 2]
        const x = place(setting, shape, numbers(16))
        const before = JSON.stringify(layer)
        const due = infer(x, { mean: [3, 4], variance: [4, 16], gamma: [2, 3], beta: [1, -1], axis, epsilon })
        expect(bits(layer.infer(x)), label(setting)).toEqual(bits(due))
        expect(bits(layer.forward(x, { training: false }))).toEqual(bits(due))
        layer.frozen = true
        expect(bits(layer.forward(x))).toEqual(bits(due))
        expect(bits(layer.forward(x, { training: true }))).toEqual(bits(due))
        layer.frozen = false
        expect(JSON.stringify(layer)).toBe(before)
      }
    })
  },
)

test("without a convention it is Keras's", () => {
  expect(new BatchNorm(2).convention).toBe("keras")
  expect(new BatchNorm(2, { convention: undefined }).convention).toBe("keras")
})

describe("a cumulative average, torch's momentum of null", () => {
  const make = () => new BatchNorm(2, { convention: "torch", momentum: null })

  test("is the average of all batches", () => {
    const layer = make()
    expect([layer.momentum, layer.decay]).toEqual([null, null])
    layer.forward(batch)
    expect([...layer.runningMean]).toEqual([3, 10])
    expect(layer.runningVariance[0]).toBeCloseTo(20 / 3, 14)
    layer.forward(next)
    expect([...layer.runningMean]).toEqual([2, 4])
    expect(layer.runningVariance[1]).toBeCloseTo((80 / 3 + 16 / 3) / 2, 14)
    layer.forward(batch)
    expect(layer.runningMean[0]).toBeCloseTo(7 / 3, 14)
  })

  test("is, in a channel that skipped batches, that of the others", () => {
    const layer = make()
    const broken = { data: batch.data.map((value, at) => (at === 0 ? Number.NaN : value)), shape: [4, 2] }
    layer.forward(broken)
    expect([...layer.runningMean]).toEqual([0, 10])
    layer.forward(batch)
    layer.forward(next)
    expect(layer.runningMean[0]).toBe(2)
    expect(layer.runningMean[1]).toBeCloseTo(6, 14)
    expect([layer.batches, layer.skipped]).toEqual([3, 1])
    const copy = BatchNorm.fromJSON(JSON.parse(JSON.stringify(layer)))
    for (const each of [layer, copy]) each.forward(batch)
    expect(layer.runningMean[0]).toBeCloseTo(7 / 3, 14)
    expect(copy.runningMean).toEqual(layer.runningMean)
  })

  test("begins anew after a reset", () => {
    const layer = make()
    layer.forward(next)
    layer.resetRunningStatistics()
    layer.forward(batch)
    expect([...layer.runningMean]).toEqual([3, 10])
  })
})

test("running statistics without weight may be anything before the first batch", () => {
  const layer = new BatchNorm(2, {
    convention: "tf-fused",
    runningMean: [Number.NaN, Number.POSITIVE_INFINITY],
    runningVariance: [Number.NaN, Number.POSITIVE_INFINITY],
  })
  layer.forward(batch)
  expect([...layer.runningMean]).toEqual([3, 10])
  expect(layer.runningVariance.every(Number.isFinite)).toBe(true)
})

describe("options of the layer", () => {
  test("updateRunning false trains by the batch and leaves the running statistics", () => {
    const layer = new BatchNorm(2, { epsilon: 0 })
    const { y } = forward(batch, { epsilon: 0, gamma: [1, 1], beta: [0, 0] })
    expect(bits(layer.forward(batch, { updateRunning: false }))).toEqual(bits(y))
    expect([layer.batches, ...layer.runningMean, ...layer.runningVariance]).toEqual([0, 0, 0, 1, 1])
    layer.backward(batch)
  })

  test("scale false leaves γ out, center false β", () => {
    const given = { gamma: [2, 3], beta: [4, 5], epsilon: 0 }
    const y = (options: BatchNormOptions) => [...new BatchNorm(2, { ...given, ...options }).forward(batch).data]
    const plainly = forward(batch, { epsilon: 0 }).y.data
    expect(y({ scale: false, center: false })).toEqual([...plainly])
    expect(y({ scale: false })).toEqual([...plainly].map((value, at) => value + [4, 5][at % 2]!))
    expect(y({ center: false })).toEqual([...forward(batch, { epsilon: 0, gamma: [2, 3] }).y.data])
  })

  test("an activation goes with the layer", () => {
    const layer = new BatchNorm(2, { activation: "relu" })
    const due = forward(batch, { activation: "relu" })
    expect([...layer.forward(batch).data]).toEqual([...due.y.data])
    expect(layer.infer(next).data.every((value) => value >= 0)).toBe(true)
    expect(layer.activation).toBe("relu")
  })

  test("initial values are copied in, from any kind of array", () => {
    const gamma = Float32Array.of(2, 3)
    const layer = new BatchNorm(2, {
      gamma,
      beta: { data: Float64Array.of(4, 5), shape: [1, 2] },
      runningMean: [6, 7],
      runningVariance: Uint8Array.of(8, 9),
    })
    gamma.fill(0)
    const { beta, runningMean, runningVariance } = layer
    expect([...layer.gamma, ...beta, ...runningMean, ...runningVariance]).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
    expect(new BatchNorm(2, { gamma: null, beta: undefined }).gamma).toEqual(Float64Array.of(1, 1))
  })

  test("several axes hold one channel for each combination", () => {
    for (const setting of settings("ordinary", "resident")) {
      const layer = new BatchNorm(6, { axis: [0, -1], gamma: numbers(6, 3) })
      const x = place(setting, [2, 8, 3], numbers(48))
      const { y, saved } = forward(x, { axis: [0, 2], gamma: numbers(6, 3), beta: Array(6).fill(0) })
      expect(bits(layer.forward(x))).toEqual(bits(y))
      expect(layer.runningMean[4]).toBeCloseTo(saved.mean[4]! * (1 - layer.decay!), 13)
      expect(layer.axis).toEqual([0, -1])
    }
  })

  test("no axes are one channel", () => {
    const layer = new BatchNorm(1, { axis: [] })
    expect(bits(layer.forward(batch))).toEqual(bits(forward(batch, { axis: [] }).y))
    layer.forward({ data: Float64Array.of(5), shape: [] })
    expect(layer.batches).toBe(2)
  })

  test("the layer takes x of any rank and length, one after the other", () => {
    const layer = new BatchNorm(2)
    for (const shape of [
      [4, 2],
      [3, 2],
      [2, 2, 2],
      [1, 1, 5, 2],
    ]) {
      const x = place(ordinary, shape, numbers(shape.reduce((a, b) => a * b, 1)))
      const y = layer.forward(x)
      layer.backward(y)
    }
    expect(layer.batches).toBe(4)
  })
})

describe("onnx", () => {
  test("takes x of rank 1 as one channel", () => {
    const layer = new BatchNorm(1, { convention: "onnx", momentum: 0 })
    const x = { data: Float64Array.of(1, 3), shape: [2] }
    layer.forward(x)
    expect([layer.runningMean[0], layer.runningVariance[0]]).toEqual([2, 1])
    expect([...layer.backward(x).dbeta]).toEqual([4])
    expect(plain(layer.infer(x).data)[0]).toBeCloseTo(-1, 4)
  })

  test("does not take it for several channels", () => {
    const layer = new BatchNorm(2, { convention: "onnx" })
    expect(() => layer.forward({ data: Float64Array.of(1, 3), shape: [2] })).toThrow(
      "x.shape: expected an axis 1, along which the channels lie, got [2]",
    )
  })
})

describe("the arrays of the layer", () => {
  test("are ordinary ones, and the same for its whole life", () => {
    const layer = new BatchNorm(2)
    const names = ["gamma", "beta", "runningMean", "runningVariance", "dgamma", "dbeta"] as const
    const arrays = names.map((name) => layer[name])
    expect(new Set(arrays.map(({ buffer }) => buffer)).size).toBe(6)
    layer.forward(batch)
    layer.backward(next)
    layer.infer(next)
    layer.resetRunningStatistics()
    layer.forward(next, { training: false })
    layer.backward(batch)
    for (const [index, name] of names.entries()) {
      expect(layer[name]).toBe(arrays[index])
      expect(layer[name]).toBeInstanceOf(Float64Array)
      expect(layer[name].buffer.byteLength).toBe(16)
    }
  })

  test("may be written: γ and β count from the next call on", () => {
    const layer = new BatchNorm(2, { epsilon: 0 })
    layer.gamma.set([2, 4])
    layer.beta.set([1, -1])
    const due = forward(batch, { epsilon: 0, gamma: [2, 4], beta: [1, -1] })
    expect(bits(layer.forward(batch))).toEqual(bits(due.y))
    layer.runningMean.set([1, 2])
    layer.runningVariance.set([4, 16])
    expect([...layer.infer({ data: Float64Array.of(3, 6), shape: [1, 2] }).data]).toEqual([3, 3])
  })

  test("dgamma and dbeta are overwritten by each backward, not added to", () => {
    const layer = new BatchNorm(2)
    for (const _ of [1, 2]) {
      layer.forward(batch)
      const { dgamma, dbeta } = layer.backward(next)
      expect(dgamma).toBe(layer.dgamma)
      expect(dbeta).toBe(layer.dbeta)
      expect([...dbeta]).toEqual([4, -8])
    }
    layer.forward(batch)
    layer.backward(batch)
    expect([...layer.dbeta]).toEqual([12, 40])
  })

  test("dgamma and dbeta are written even where the result is not to have them", () => {
    const layer = new BatchNorm(2)
    layer.forward(batch)
    expect(Object.keys(layer.backward(next, { need: ["dx"] }))).toEqual(["dx"])
    expect([...layer.dbeta]).toEqual([4, -8])
    layer.forward(batch)
    expect(layer.backward(batch, { need: [] })).toEqual({})
    expect([...layer.dbeta]).toEqual([12, 40])
  })

  test("the gradients are those of the function, by the parameters at the time of the forward", () => {
    for (const training of [true, false]) {
      const layer = new BatchNorm(2, { gamma: [2, 3], runningMean: [1, 2], runningVariance: [4, 9] })
      const due = new BatchNorm(2, { gamma: [2, 3], runningMean: [1, 2], runningVariance: [4, 9] })
      due.forward(batch, { training })
      const gradients = due.backward(next)
      layer.forward(batch, { training })
      layer.gamma.fill(99)
      layer.runningVariance.fill(99)
      expect(layer.backward(next)).toEqual(gradients)
    }
  })

  test("dx goes where it is told: into out, over dy, over x", () => {
    const layer = new BatchNorm(2)
    layer.forward(batch)
    const due = layer.backward(next).dx
    const x = { data: batch.data.slice(), shape: [4, 2] }
    const dy = { data: next.data.slice(), shape: [4, 2] }
    const other = { data: new Float64Array(8), shape: [4, 2] }
    for (const dx of [other, dy, x]) {
      x.data.set(batch.data)
      dy.data.set(next.data)
      layer.forward(x)
      expect(layer.backward(dy, { out: { dx } }).dx).toBe(dx)
      expect([...dx.data]).toEqual([...due.data])
    }
  })

  test("y goes where it is told: into out, or over x", () => {
    const layer = new BatchNorm(2)
    const due = layer.forward(batch)
    const out = { data: new Float64Array(8), shape: [4, 2] }
    expect(layer.forward(batch, { out })).toBe(out)
    expect(out).toEqual(due)
    const x = { data: batch.data.slice(), shape: [4, 2] }
    expect(layer.forward(x, { out: x })).toBe(x)
    expect(x).toEqual(due)
    const inferred = layer.infer(batch)
    expect(layer.infer(batch, { out })).toBe(out)
    expect(out).toEqual(inferred)
  })
})

describe("resetRunningStatistics", () => {
  test("puts back mean 0, variance 1 and the counts, and nothing else", () => {
    const layer = new BatchNorm(2, { gamma: [2, 3], runningMean: [5, 6], runningVariance: [7, 8] })
    layer.forward({ data: Float64Array.of(Number.NaN, 1, 2, 3), shape: [2, 2] })
    expect([layer.batches, layer.skipped]).toEqual([1, 1])
    layer.resetRunningStatistics()
    expect([layer.batches, layer.skipped]).toEqual([0, 0])
    expect([...layer.runningMean, ...layer.runningVariance, ...layer.gamma]).toEqual([0, 0, 1, 1, 2, 3])
  })
})

describe("a batch with NaN or Infinity", () => {
  const broken = (value: number) => ({
    data: batch.data.map((each, at) => (at === 3 ? value : each)),
    shape: [4, 2],
  })
  const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

  test("leaves the running statistics of that channel alone, and is counted", () => {
    for (const [count, value] of values.entries()) {
      for (const { convention } of conventions) {
        const layer = new BatchNorm(2, { convention, runningMean: [5, 6], runningVariance: [7, 8] })
        const clean = new BatchNorm(2, { convention, runningMean: [5, 6], runningVariance: [7, 8] })
        const due = clean.forward(batch)
        const y = layer.forward(broken(value))
        expect([layer.runningMean[1], layer.runningVariance[1]], `${count}`).toEqual([6, 8])
        expect(layer.runningMean[0]).toBe(clean.runningMean[0])
        expect(layer.runningVariance[0]).toBe(clean.runningVariance[0])
        expect([layer.skipped, layer.batches]).toEqual([1, 1])
        for (const [at, each] of y.data.entries()) {
          if (at % 2 === 1) expect(each).toBeNaN()
          else expect(each).toBe(due.data[at])
        }
        layer.forward({ data: new Float64Array(8).fill(value), shape: [4, 2] })
        expect([layer.skipped, layer.batches]).toEqual([3, 2])
      }
    }
  })

  test("throws where that was asked for, and changes nothing", () => {
    for (const value of values) {
      const layer = new BatchNorm(2, { nonFinite: "throw" })
      layer.forward(batch)
      const before = JSON.stringify(layer)
      const out = { data: new Float64Array(8).fill(7), shape: [4, 2] }
      const x = broken(value)
      const copy = x.data.slice()
      expect(() => layer.forward(x, { out })).toThrow(
        "x: expected finite statistics in each channel, got NaN or Infinity in channel 1",
      )
      expect(() => layer.forward(x, { out: x })).toThrow("channel 1")
      expect(JSON.stringify(layer)).toBe(before)
      expect(out.data.every((each) => each === 7)).toBe(true)
      expect([...x.data]).toEqual([...copy])
      layer.backward(next)
    }
  })

  test("does not throw where the running statistics are used", () => {
    const layer = new BatchNorm(2, { nonFinite: "throw" })
    expect(layer.infer(broken(Number.NaN)).data[3]).toBeNaN()
    expect(layer.forward(broken(Number.NaN), { training: false }).data[3]).toBeNaN()
  })

  test("is found in channels-first and packed arrays too", () => {
    for (const [shape, axis] of [
      [[2, 2, 4], 1],
      [
        [2, 2, 2, 2],
        [1, 3],
      ],
    ] as const) {
      const channels = axis === 1 ? 2 : 4
      const layer = new BatchNorm(channels, { axis, nonFinite: "throw" })
      const data = Float32Array.from(numbers(16))
      layer.forward({ data, shape })
      data[15] = Number.NaN
      expect(() => layer.forward({ data, shape })).toThrow(`channel ${channels - 1}`)
    }
  })
})

test("finite numbers whose variance is not finite are told as well", () => {
  const layer = new BatchNorm(1, { nonFinite: "throw" })
  const x = { data: Float64Array.of(1e300, -1e300), shape: [2, 1] }
  expect(() => layer.forward(x)).toThrow("finite statistics")
})
