import { allocate, backward, forward, infer, type NdArray, type Saved } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, keep, label, numbers, place, settings } from "./support/arrays.ts"
import { design, expectedY, layouts, plain } from "./support/dyadic.ts"

const ordinary = { type: "float32", home: "ordinary" } as const
const zeros = (length: number): Float64Array<ArrayBuffer> => new Float64Array(length)
const bits = ({ data }: NdArray) => [...new Uint8Array(data.slice().buffer)]

/** Vectors to save into. */
const savedOf = (channels: number, gamma = true, beta = true) =>
  ({
    mean: zeros(channels),
    variance: zeros(channels),
    count: zeros(channels),
    gamma: gamma ? zeros(channels) : null,
    beta: beta ? zeros(channels) : null,
  }) as Saved

describe.each(layouts)("on $name", (layout) => {
  const { shape, axis } = layout
  const due = design(layout)
  const { gamma, beta, mean, variance, places } = due

  test("forward normalizes by the batch and saves its statistics", () => {
    for (const setting of everywhere) {
      const x = place(setting, shape, due.x)
      const { y, saved } = forward(x, { gamma, beta, axis, epsilon: 0 })
      expect(y.shape).toEqual(shape)
      expect(plain(y.data), label(setting)).toEqual(plain(expectedY(due)))
      expect(saved).toEqual({
        mean: Float64Array.from(mean),
        variance: Float64Array.from(variance),
        count: Float64Array.from(places, (each) => each.length),
        gamma: Float64Array.from(gamma),
        beta: Float64Array.from(beta),
        epsilon: 0,
        axis,
        activation: null,
        frozen: false,
        inPlace: false,
      })
      expect([...x.data]).toEqual([...due.x])
    }
  })

  test("forward with a ReLU is the same above 0, and +0 else", () => {
    for (const setting of everywhere) {
      const x = place(setting, shape, due.x)
      const { y, saved } = forward(x, { gamma, beta, axis, epsilon: 0, activation: "relu" })
      expect([...y.data], label(setting)).toEqual(expectedY(due, true))
      expect(saved.activation).toBe("relu")
    }
  })

  test("infer normalizes by the statistics given", () => {
    for (const setting of everywhere) {
      const x = place(setting, shape, due.x)
      const options = { mean, variance, gamma, beta, axis, epsilon: 0 }
      expect(plain(infer(x, options).data), label(setting)).toEqual(plain(expectedY(due)))
      expect([...infer(x, { ...options, activation: "relu" }).data]).toEqual(expectedY(due, true))
    }
  })

  test("forward by statistics that are given is infer, with what backward needs", () => {
    for (const setting of everywhere) {
      const x = place(setting, shape, numbers(due.x.length))
      const options = { mean, variance, gamma, beta, axis, epsilon: 0.5 }
      const { y, saved } = forward(x, options)
      expect(bits(y), label(setting)).toEqual(bits(infer(x, options)))
      expect(saved.frozen).toBe(true)
      expect(plain(saved.mean)).toEqual(plain(mean))
      expect(plain(saved.variance)).toEqual(plain(variance))
      expect([...saved.count]).toEqual(places.map((each) => each.length))
    }
  })

  test("what forward saved is options for infer, and gives the bits of y", () => {
    for (const activation of [null, "relu"] as const) {
      for (const setting of everywhere) {
        const x = place(setting, shape, numbers(due.x.length))
        const { y, saved } = forward(x, { gamma, beta, axis, activation })
        expect(bits(infer(x, saved)), label(setting)).toEqual(bits(y))
      }
    }
  })

  test("the bits are the same in place, into another array, and without one", () => {
    for (const setting of everywhere) {
      const values = numbers(due.x.length)
      const options = { gamma, beta, axis }
      const fresh = forward(place(setting, shape, values), options)
      for (const { home } of settings("ordinary", "resident")) {
        const out = place({ type: setting.type, home }, shape, numbers(due.x.length, 9))
        const result = forward(place(setting, shape, values), { ...options, out: { y: out } })
        expect(result.y).toBe(out)
        expect(bits(out), label(setting)).toEqual(bits(fresh.y))
        expect(result.saved).toEqual(fresh.saved)
      }
      const x = place(setting, shape, values)
      const result = forward(x, { ...options, out: { y: x } })
      expect(bits(x)).toEqual(bits(fresh.y))
      expect(result.saved).toEqual({ ...fresh.saved, inPlace: true })
    }
  })
})

describe("defaults", () => {
  const x = place(ordinary, [4, 3], numbers(12))

  test("are those of Keras: the last axis, ε 1e-3, no γ, no β, no activation", () => {
    const { y, saved } = forward(x)
    const same = forward(x, { axis: -1, epsilon: 1e-3, gamma: [1, 1, 1], beta: [0, 0, 0], activation: null })
    expect(y).toEqual(same.y)
    expect(saved).toEqual({ ...same.saved, gamma: null, beta: null })
    expect([saved.axis, saved.epsilon, saved.activation]).toEqual([[1], 1e-3, null])
    expect(forward(x, {}).y).toEqual(y)
    expect(infer(x, { mean: saved.mean, variance: saved.variance })).toEqual(y)
  })

  test("stand for null and undefined alike", () => {
    const absent = { gamma: null, beta: undefined, activation: null, mean: null, variance: null, axis: undefined }
    expect(forward(x, absent as never)).toEqual(forward(x))
    expect(forward(x, { epsilon: undefined, out: undefined, activation: undefined })).toEqual(forward(x))
  })
})

test("several axes are a set, in whatever order and sign", () => {
  const x = place(ordinary, [2, 4, 3], numbers(24))
  const gamma = numbers(6, 3)
  const due = forward(x, { axis: [0, 2], gamma })
  for (const axis of [
    [2, 0],
    [-3, -1],
    [0, -1],
    [2, -3],
  ] as const) {
    expect(forward(x, { axis, gamma })).toEqual(due)
  }
  expect(due.saved.axis).toEqual([0, 2])
})

test("a scalar is one channel of one element", () => {
  for (const setting of everywhere) {
    const x = place(setting, [], [2.5])
    for (const axis of [undefined, []]) {
      const { y, saved } = forward(x, { axis, beta: [7], gamma: [3] })
      expect([y.shape, [...y.data]]).toEqual([[], [7]])
      expect([[...saved.mean], [...saved.variance], [...saved.count]]).toEqual([[2.5], [0], [1]])
    }
    expect([...infer(x, { mean: [0.5], variance: [4], epsilon: 0 }).data]).toEqual([1])
  }
})

test("one element per channel gives β", () => {
  for (const setting of everywhere) {
    const { y, saved } = forward(place(setting, [1, 3], [4, 5, 6]), { gamma: [9, 9, 9], beta: [1, 2, 3] })
    expect([...y.data]).toEqual([1, 2, 3])
    expect([...saved.variance]).toEqual([0, 0, 0])
  }
})

test("a constant channel gives β, even with ε = 0", () => {
  for (const setting of everywhere) {
    const { y } = forward(place(setting, [4, 1], [7, 7, 7, 7]), { epsilon: 0, gamma: [5], beta: [2] })
    expect([...y.data]).toEqual([2, 2, 2, 2])
  }
})

describe("an empty batch", () => {
  test.each([
    ["channels-last", [0, 3], -1],
    ["channels-first", [0, 3, 4], 1],
    ["without pixels", [2, 3, 0], 1],
  ] as const)("gives an empty result by given statistics: %s", (_, shape, axis) => {
    const statistics = { mean: [1, 2, 3], variance: [1, 1, 1], axis }
    for (const setting of settings("ordinary", "resident")) {
      const x = place(setting, shape, [])
      expect(infer(x, statistics)).toMatchObject({ shape })
      expect(infer(x, statistics).data).toHaveLength(0)
      const { y, saved } = forward(x, statistics)
      expect(y.shape).toEqual(shape)
      expect([...saved.count]).toEqual([0, 0, 0])
      expect(saved.inPlace).toBe(false)
      const { dx, dgamma, dbeta } = backward(x, x, saved)
      expect([dx.data.length, ...dgamma, ...dbeta]).toEqual([0, 0, 0, 0, 0, 0, 0])
    }
  })

  test("of no channels has no statistics to lack", () => {
    const x = { data: new Float32Array(0), shape: [4, 0] }
    const { y, saved } = forward(x)
    expect([y.shape, saved.mean.length, y.data.length]).toEqual([[4, 0], 0, 0])
    expect(infer(x, saved)).toEqual(y)
    expect(backward(x, x, saved).dx).toEqual(y)
  })
})

describe("out", () => {
  const values = numbers(12)
  const options = { gamma: [1, 2, 3], beta: [4, 5, 6] }
  const due = forward(place(ordinary, [4, 3], values), options)

  test("whole is filled and returned", () => {
    for (const setting of everywhere) {
      const out = { y: place(setting, [4, 3], numbers(12, 7)), saved: savedOf(3) }
      const fresh = forward(place(setting, [4, 3], values), options)
      const x = place(setting, [4, 3], values)
      expect(forward(x, { ...options, out })).toBe(out)
      expect(bits(out.y)).toEqual(bits(fresh.y))
      expect(out.saved).toEqual(fresh.saved)
    }
  })

  test("in part is filled and is part of the result", () => {
    const x = place(ordinary, [4, 3], values)
    const y = place(ordinary, [4, 3], numbers(12, 7))
    const first = forward(x, { ...options, out: { y } })
    expect(first.y).toBe(y)
    expect(first).toEqual(due)
    const saved = savedOf(3)
    const second = forward(x, { ...options, out: { saved } })
    expect(second.saved).toBe(saved)
    expect(second).toEqual(due)
    expect(forward(x, { ...options, out: {} })).toEqual(due)
  })

  test("takes again what was saved before, whatever it was", () => {
    const x = place(ordinary, [4, 3], values)
    const { saved } = forward(place(ordinary, [3, 8], numbers(24)), {
      axis: 0,
      activation: "relu",
      epsilon: 7,
      gamma: [1, 1, 1],
      beta: [1, 1, 1],
      mean: [0, 0, 0],
      variance: [1, 1, 1],
    })
    forward(x, { ...options, out: { saved } })
    expect(saved).toEqual(due.saved)
  })

  test("may keep its vectors on the library's memory", () => {
    const vector = () => keep(allocate([3], "float64")).data
    const saved = {
      ...savedOf(3),
      mean: vector(),
      variance: vector(),
      count: vector(),
      gamma: vector(),
      beta: vector(),
    }
    forward(place(ordinary, [4, 3], values), { ...options, out: { saved } })
    expect([...saved.mean]).toEqual([...due.saved.mean])
    expect([...saved.gamma]).toEqual([1, 2, 3])
  })
})

describe("what forward saved", () => {
  test("is a copy: later changes of γ and β do not reach it", () => {
    const gamma = Float64Array.of(1, 2, 3)
    const beta = [4, 5, 6]
    const { saved } = forward(place(ordinary, [4, 3], numbers(12)), { gamma, beta })
    gamma.fill(0)
    beta.fill(0)
    expect([[...saved.gamma!], [...saved.beta!]]).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ])
  })

  test("is plain, and survives a structured clone", () => {
    const x = place(ordinary, [4, 3], numbers(12))
    const { y, saved } = forward(x, { gamma: [1, 2, 3], activation: "relu" })
    expect(Object.getPrototypeOf(saved)).toBe(Object.prototype)
    expect(Object.keys(saved).sort()).toEqual(
      ["mean", "variance", "count", "gamma", "beta", "epsilon", "axis", "activation", "frozen", "inPlace"].sort(),
    )
    const clone = structuredClone(saved)
    expect(clone).toEqual(saved)
    expect(infer(x, clone)).toEqual(y)
    expect(backward(y, x, clone)).toEqual(backward(y, x, saved))
  })

  test("can be transferred to another thread, where it is as good", async () => {
    const x = place(ordinary, [4, 3], numbers(12))
    const { y, saved } = forward(x, { gamma: [1, 2, 3], beta: [4, 5, 6] })
    const due = backward(y, x, saved)
    const { port1, port2 } = new MessageChannel()
    const arrived = new Promise<Saved>((resolve) => {
      port2.onmessage = ({ data }) => resolve(data as Saved)
    })
    port1.postMessage(
      saved,
      [saved.mean, saved.variance, saved.count, saved.gamma!, saved.beta!].map(({ buffer }) => buffer),
    )
    const received = await arrived
    port1.close()
    port2.close()
    expect(saved.mean).toHaveLength(0)
    expect(infer(x, received)).toEqual(y)
    expect(backward(y, x, received)).toEqual(due)
  })

  test("lies on buffers of its own, one for each vector", () => {
    for (const setting of settings("ordinary", "resident")) {
      const { saved, y } = forward(place(setting, [4, 3], numbers(12)), { gamma: [1, 1, 1], beta: [0, 0, 0] })
      const vectors = [saved.mean, saved.variance, saved.count, saved.gamma!, saved.beta!]
      expect(new Set([...vectors, y.data].map(({ buffer }) => buffer)).size).toBe(6)
      for (const vector of vectors) {
        expect(vector).toBeInstanceOf(Float64Array)
        expect(vector.buffer.byteLength).toBe(24)
      }
    }
  })
})

describe("NaN and Infinity", () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "%d in x stays in its channel",
    (value) => {
      for (const [shape, axis, channelOf] of [
        [[8, 3], 1, (at: number) => at % 3],
        [[4, 3, 4], 1, (at: number) => Math.floor(at / 4) % 3],
      ] as const) {
        for (const setting of everywhere) {
          const length = shape.reduce((product: number, size) => product * size, 1)
          const clean = forward(place(setting, shape, numbers(length)), { axis })
          const values = numbers(length)
          const at = values.findIndex((_, index) => channelOf(index) === 1)
          values[at] = value
          const { y, saved } = forward(place(setting, shape, values), { axis })
          for (const [index, each] of y.data.entries()) {
            if (channelOf(index) === 1) expect(each).toBeNaN()
            else expect(each).toBe(clean.y.data[index])
          }
          expect(saved.mean[0]).toBe(clean.saved.mean[0])
          expect(saved.variance[2]).toBe(clean.saved.variance[2])
          expect(saved.variance[1]).toBeNaN()
        }
      }
    },
  )

  test("NaN passes a ReLU", () => {
    const x = { data: Float32Array.of(Number.NaN, 1), shape: [1, 2] }
    const { data } = infer(x, { mean: [0, 0], variance: [1, 1], epsilon: 0, activation: "relu" })
    expect([...data]).toEqual([Number.NaN, 1])
  })
})
