// Calls that are computed while the calling thread goes on.
import * as alone from "batchnorm"
import {
  allocate,
  BatchNorm,
  backward,
  batchNormalization,
  foldIntoDense,
  forward,
  inBackground,
  infer,
  init,
  Moments,
  moments,
  Standardizer,
  threads,
} from "batchnorm/threads"
import { afterAll, beforeEach, describe, expect, test } from "vitest"
import { runFresh } from "../unit/support/fresh.node.ts"

// Larger than a piece of a thread that is alone, and smaller than what is shared.
const shapes = [
  { shape: [70_001, 16], axis: -1 },
  { shape: [24, 64, 30, 30], axis: 1 },
  { shape: [8, 2900, 7, 7], axis: 1 },
  { shape: [2, 3, 200_000], axis: 1 },
  { shape: [1_500_001], axis: [] },
  { shape: [6, 5], axis: -1 },
  { shape: [0, 5], axis: -1 },
] as const

const zeros = new Float64Array(5)

type Array = { data: Float32Array; shape: readonly number[] }

function wave(shape: readonly number[], from: number): Float32Array<ArrayBuffer> {
  const length = shape.reduce((product, size) => product * size, 1)
  return Float32Array.from({ length }, (_, index) => (((index + from) * 2654435761) % 1000) / 500 - 0.7)
}

afterAll(() => threads.dispose())

describe.each([0, 3])("with %i threads", (count) => {
  beforeEach(() => init({ threads: count, maximumMemory: 2 ** 28 }))

  describe.each(["resident", "ordinary"])("%s arrays", (residency) => {
    const empty = (shape: readonly number[]): Array =>
      residency === "resident" ? allocate(shape) : { data: wave(shape, 0).fill(0), shape }
    const array = (shape: readonly number[], from: number): Array => {
      const made = empty(shape)
      made.data.set(wave(shape, from))
      return made
    }

    test.each(shapes)("of shape $shape, axis $axis, have the same bits", async ({ shape, axis }) => {
      const [x, dy, residual] = [array(shape, 0), array(shape, 7), array(shape, 11)]
      const [y, inferred, dx, dresidual] = [empty(shape), empty(shape), empty(shape), empty(shape)]
      const ownOf = ({ data }: Array) => ({ data: Float32Array.from(data), shape })
      const [xOwn, dyOwn, residualOwn] = [ownOf(x), ownOf(dy), ownOf(residual)]
      const given = (residual: Array) =>
        ({ axis, activation: "relu", residual, ...(shape[0] === 0 && { mean: zeros, variance: zeros }) }) as const
      const expected = alone.forward(xOwn, given(residualOwn))
      const { saved } = await inBackground(() => forward(x, { ...given(residual), out: { y } }))
      expect([y.data, saved.mean, saved.variance]).toEqual([
        expected.y.data,
        expected.saved.mean,
        expected.saved.variance,
      ])
      await inBackground(() => infer(x, { ...saved, residual, out: inferred }))
      expect(inferred.data).toEqual(alone.infer(xOwn, { ...expected.saved, residual: residualOwn }).data)
      // Where a residual comes before the ReLU dy goes through buffers; without one it does not.
      const need = ["dx", "dgamma", "dbeta", "dresidual"] as const
      const gradients = alone.backward(dyOwn, xOwn, expected.saved, { residual: residualOwn, need })
      const out = { dx, dresidual }
      const { dgamma, dbeta } = await inBackground(() => backward(dy, x, saved, { residual, need, out }))
      expect([dx.data, dgamma, dbeta, dresidual.data]).toEqual([
        gradients.dx.data,
        gradients.dgamma,
        gradients.dbeta,
        gradients.dresidual.data,
      ])
      const plain = alone.forward(xOwn, { ...given(residualOwn), residual: undefined })
      const direct = alone.backward(dyOwn, xOwn, plain.saved)
      const own = await inBackground(() => forward(x, { ...given(residual), residual: undefined, out: { y } }))
      const vectors = await inBackground(() => backward(dy, x, own.saved, { out: { dx } }))
      expect([dx.data, vectors.dgamma, vectors.dbeta]).toEqual([direct.dx.data, direct.dgamma, direct.dbeta])
      for (const each of [x, dy, residual, y, inferred, dx, dresidual]) {
        if ("dispose" in each) (each as unknown as Disposable)[Symbol.dispose]()
      }
    })
  })

  test("moments, with weights too, statistics that have gradients, and tf.nn's formula have the same bits", async () => {
    const x = { data: wave([20_000, 16], 3), shape: [20_000, 16] }
    const weights = Float32Array.from({ length: 20_000 }, (_, index) => index % 3)
    const weighted = { weights: { data: weights, shape: [20_000, 1] } }
    expect(await inBackground(() => moments(x, [0], weighted))).toEqual(alone.moments(x, [0], weighted))
    const { mean, variance } = await inBackground(() => moments(x, [0]))
    expect({ mean, variance }).toEqual(alone.moments(x, [0]))
    const frozen = { mean: mean.data, variance: variance.data }
    const { saved } = await inBackground(() => forward(x, frozen))
    const need = ["dmean", "dvariance"] as const
    expect(await inBackground(() => backward(x, x, saved, { need }))).toEqual(alone.backward(x, x, saved, { need }))
    expect(await inBackground(() => batchNormalization(x, 0.1, variance, 0.2, 3))).toEqual(
      alone.batchNormalization(x, 0.1, variance, 0.2, 3),
    )
  })

  test("a layer's running statistics follow, and its backward goes back", async () => {
    const x = { data: wave([20_000, 16], 3), shape: [20_000, 16] }
    const [one, other] = [new BatchNorm(16), new alone.BatchNorm(16)]
    const y = await inBackground(() => one.forward(x))
    expect(y.data).toEqual(other.forward(x).data)
    expect(one.toJSON()).toEqual(other.toJSON())
    const { dx } = await inBackground(() => one.backward(x))
    expect(dx.data).toEqual(other.backward(x).dx.data)
    expect(one.dgamma).toEqual(other.dgamma)
    expect((await inBackground(() => one.infer(x))).data).toEqual(other.infer(x).data)
  })

  test("this thread has its turns in the meantime", async () => {
    const x = allocate([200, 56, 56, 32])
    x.data.fill(1)
    const out = { y: allocate(x.shape) }
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    await inBackground(() => forward(x, { out }))
    clearInterval(timer)
    expect(turns).toBeGreaterThan(1)
    x.dispose()
    out.y.dispose()
  })

  test("such calls take turns, in their order", async () => {
    const x = { data: wave([30_000, 16], 1), shape: [30_000, 16] }
    const order: number[] = []
    const calls = [0, 1, 2].map((index) =>
      inBackground(() => {
        order.push(index)
        return moments(x, [0])
      }),
    )
    const results = await Promise.all(calls)
    expect(order).toEqual([0, 1, 2])
    for (const result of results) expect(result).toEqual(alone.moments(x, [0]))
  })
})

describe("what cannot be is an error that says why, after which all goes on", () => {
  const x = { data: wave([30_000, 16], 1), shape: [30_000, 16] }
  const weights = { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] }
  const busy = { code: "state", message: expect.stringMatching(/^a call is under way in the background/) }
  const needsSums = { code: "state", message: expect.stringMatching(/^this call cannot be computed in the background/) }
  beforeEach(() => init({ threads: 2, maximumMemory: 2 ** 28 }))

  test("another call while one is under way", async () => {
    let begun = () => {}
    const isBegun = new Promise<void>((resolve) => {
      begun = resolve
    })
    const first = inBackground(() => {
      const result = forward(x)
      begun()
      return result
    })
    await isBegun
    expect(() => forward(x)).toThrow(expect.objectContaining(busy))
    const array = allocate([4])
    array.dispose()
    expect((await first).y.data).toEqual(alone.forward(x).y.data)
    expect(forward(x).y.data).toEqual(alone.forward(x).y.data)
  })

  test("no call at all", async () => {
    const nothing = inBackground(() => 7)
    expect(moments(x, [0])).toEqual(alone.moments(x, [0]))
    expect(await nothing).toBe(7)
    expect(moments(x, [0])).toEqual(alone.moments(x, [0]))
  })

  test("a call that slips in behind one that computed nothing", async () => {
    const results: unknown[] = []
    // In each of the microtasks in which that comes to its end.
    const slip = async (times: number) => {
      for (let count = 0; count < times; count++) {
        await null
        try {
          results.push(moments(x, [0]))
        } catch (error) {
          results.push(error)
        }
      }
    }
    await inBackground(() => {
      void slip(12)
    })
    await slip(12)
    const due = alone.moments(x, [0])
    expect(results.length).toBe(24)
    for (const result of results) expect(result).toEqual(result instanceof Error ? expect.objectContaining(busy) : due)
    expect(results.at(-1)).toEqual(due)
  })

  test("γ that is transferred meanwhile", async () => {
    const gamma = new Float64Array(200).fill(2)
    const wide = allocate([4, 200, 64, 64])
    const call = inBackground(() => {
      const result = forward(wide, { axis: 1, gamma, out: { y: wide } })
      structuredClone(gamma, { transfer: [gamma.buffer] })
      return result
    })
    await expect(call).rejects.toMatchObject({ code: "state" })
    wide.dispose()
    expect(moments(x, [0])).toEqual(alone.moments(x, [0]))
  })

  test("two calls in one", async () => {
    await expect(inBackground(() => [forward(x), forward(x)])).rejects.toMatchObject(busy)
    expect(moments(x, [0])).toEqual(alone.moments(x, [0]))
  })

  test.each<[string, () => unknown]>([
    ["Moments", () => new Moments(16).push(x)],
    ["a standardizer", () => new Standardizer().adapt([x])],
    ["a layer that judges its sums", () => new BatchNorm(16, { nonFinite: "throw" }).forward(x)],
  ])("%s", async (_, call) => {
    await expect(inBackground(call)).rejects.toMatchObject(needsSums)
    expect(moments(x, [0])).toEqual(alone.moments(x, [0]))
  })

  test.each<[string, () => unknown, object]>([
    [
      "folding, which is two calls",
      () => foldIntoDense(weights, null, { mean: [0, 0], variance: [1, 1] }, { out: { weights } }),
      needsSums,
    ],
    ["no function", 7 as unknown as () => unknown, { code: "argument", argument: "call" }],
    ["a function that returns a promise", async () => forward(x), { code: "argument", argument: "call" }],
    [
      "one that waits for what waits for it",
      () => inBackground(() => threads.dispose()),
      { code: "argument", argument: "call" },
    ],
  ])("%s", async (_, call, error) => {
    await expect(inBackground(call)).rejects.toMatchObject(error)
    expect(weights.data).toEqual(Float32Array.of(1, 2, 3, 4))
    expect(moments(x, [0])).toEqual(alone.moments(x, [0]))
  })

  test("an array that is transferred meanwhile", async () => {
    const lost = { data: wave([30_000, 16], 1), shape: [30_000, 4, 4] }
    const call = inBackground(() => moments(lost, [0, 2]))
    setTimeout(() => structuredClone(lost.data, { transfer: [lost.data.buffer] }))
    const late = inBackground(() => moments(lost, [0, 2]))
    const [first, second] = await Promise.allSettled([call, late])
    // Whether the first was through by then is chance.
    if (first.status === "fulfilled") expect(first.value).toEqual(alone.moments({ ...x, shape: lost.shape }, [0, 2]))
    else expect(first.reason).toMatchObject({ code: "state" })
    if (second.status === "rejected")
      expect(second.reason).toMatchObject({ code: expect.stringMatching(/state|shape/) })
  })

  test("after a layer's call that throws late, its passes count", async () => {
    const [one, other] = [new BatchNorm(16), new alone.BatchNorm(16)]
    const call = inBackground(() => {
      one.forward(x)
      throw new Error("late")
    })
    await expect(call).rejects.toThrow("late")
    other.forward(x)
    expect(one.toJSON()).toEqual(other.toJSON())
    expect(one.backward(x).dx.data).toEqual(other.backward(x).dx.data)
  })

  test("what the call throws by itself", async () => {
    await expect(inBackground(() => forward({ data: x.data, shape: [3] }))).rejects.toMatchObject({ code: "shape" })
    expect(moments(x, [0])).toEqual(alone.moments(x, [0]))
  })
})

test("memory that is given back meanwhile is not given to others before the call is through", () => {
  expect(
    runFresh(`
      const { init, allocate, forward, inBackground } = await import("batchnorm/threads")
      await init({ threads: 2, maximumMemory: 2 ** 26 })
      const [big, y] = [allocate([150_000, 40]), allocate([150_000, 40])]
      big.data.fill(1)
      let begun
      const isBegun = new Promise((resolve) => (begun = resolve))
      const call = inBackground(() => { const result = forward(big, { out: { y } }); begun(); return result })
      await isBegun
      y.dispose()
      const before = thrown(() => allocate([150_000, 40])).code
      await call
      print([before, allocate([150_000, 40]).data.every((value) => value === 0)])
    `),
  ).toEqual(["out-of-memory", true])
})

/** Threads that end with their first unit in hand: whether they get one is chance, as this thread takes those that it is late for. */
const losing = `
  const threadsOfNode = process.getBuiltinModule("node:worker_threads")
  const lost = \`const units = Atomics.load(words, 0)
    if ((units & 0xffff) > units >>> 16 && Atomics.compareExchange(words, 0, units, units - 1) === units) process.exit()
    exports.bn_share(0)\`
  threadsOfNode.Worker = class extends threadsOfNode.Worker {
    constructor(source, options) {
      super(source.replace("exports.bn_share(0)", lost), options)
    }
  }
  const { init, threads, allocate, moments, BatchNorm, inBackground } = await import("batchnorm/threads")
`

test("a thread that dies is an error within a second, or a finished result, and its process ends", () => {
  expect(
    runFresh(`
      ${losing}
      await init({ threads: 2 })
      const big = allocate([40_000, 16])
      let code
      let isLate = false
      for (let call = 0; call < 1000 && !code; call++) {
        const start = performance.now()
        code = (await rejected(inBackground(() => moments(big, [0])))).code
        isLate ||= performance.now() - start > 1200
      }
      await threads.dispose()
      print([code, isLate, moments(big, [0]).mean.data[0], (await inBackground(() => moments(big, [0]))).mean.data[0]])
    `),
  ).toEqual(["thread", false, 0, 0])
})

/** Calls whose pieces are many and whose last one is small, among which threads come and go. */
const mixed = `
  const { init, threads, allocate, forward, moments, infer, inBackground } = await import("batchnorm/threads")
  const alone = await import("batchnorm")
  const shape = [16 * 65_536 + 2_000, 16]
  const wave = Float32Array.from({ length: shape[0] * 16 }, (_, index) => Math.sin(index))
  const statistics = { mean: new Float64Array(16).fill(0.5), variance: new Float64Array(16).fill(2) }
  const due = alone.infer({ data: wave, shape }, statistics).data
  const start = () => {
    const [big, out] = [allocate(shape), allocate(shape)]
    big.data.set(wave)
    return [big, out]
  }
  const isRight = async (big, out) => {
    out.data.fill(-1)
    await inBackground(() => infer(big, { ...statistics, out }))
    return out.data.every((value, index) => value === due[index])
  }
`

test("threads that start by themselves are waited for, and take part from one call on", () => {
  expect(
    runFresh(`
      ${mixed}
      const [big, out] = start()
      moments(big, [0])
      print([await isRight(big, out), threads.count > 1, await isRight(big, out)])
    `),
  ).toEqual([true, (navigator.hardwareConcurrency ?? 2) > 1, true])
})

test("init and dispose have their turns among such calls", () => {
  expect(
    runFresh(`
      ${mixed}
      await init({ threads: 0 })
      const [big, out] = start()
      const order = []
      const noted = (name, promise) => promise.then((value) => (order.push(name), value))
      const results = await Promise.all([
        noted("a", isRight(big, out)),
        noted("init", init({ threads: 3 })),
        noted("b", isRight(big, out)),
        noted("dispose", threads.dispose()),
        noted("c", isRight(big, out)),
      ])
      print([order, [0, 2, 4].map((index) => results[index]), threads.count])
    `),
  ).toEqual([["a", "init", "b", "dispose", "c"], [true, true, true], 1])
})

test("a layer that lost a thread has nothing to go back from, and a backward that did can be repeated", () => {
  expect(
    runFresh(`
      ${losing}
      const [big, y] = [allocate([40_000, 16]), allocate([40_000, 16])]
      big.data.fill(1)
      const layer = new BatchNorm(16)
      const failed = async (call) => {
        let code
        for (let round = 0; round < 100 && !code; round++) {
          await init({ threads: 0 })
          layer.forward(big, { out: y })
          await init({ threads: 2 })
          code = (await rejected(inBackground(call))).code
          await threads.dispose()
        }
        return code
      }
      const back = await failed(() => layer.backward(y, { out: { dx: y } }))
      const repeated = thrown(() => layer.backward(y))
      const forth = await failed(() => layer.forward(big, { out: y }))
      print([back, repeated, forth, thrown(() => layer.backward(y)).code])
    `),
  ).toEqual(["thread", "accepted", "thread", "state"])
})

test("a thread that was lost while it waited leaves its share to this one", () => {
  expect(
    runFresh(`
      const threadsOfNode = process.getBuiltinModule("node:worker_threads")
      const workers = []
      threadsOfNode.Worker = class extends threadsOfNode.Worker {
        constructor(source, options) {
          super(source, options)
          workers.push(this)
        }
      }
      const { init, allocate, forward, moments, inBackground } = await import("batchnorm/threads")
      await init({ threads: 2 })
      const big = allocate([40_000, 16])
      big.data.fill(2)
      await workers[0].terminate()
      // A job for each of its 96 tiles.
      const tiles = allocate([16, 96, 150, 150])
      const start = performance.now()
      const { saved } = await inBackground(() => forward(tiles, { axis: 1, out: { y: tiles } }))
      const late = performance.now() - start > 2000
      print([(await inBackground(() => moments(big, [0]))).mean.data[15], saved.mean[95], late])
    `),
  ).toEqual([2, 0, false])
})

test("an engine that does not say when a word has changed is asked again and again", () => {
  expect(
    runFresh(`
      delete Atomics.waitAsync
      const { init, allocate, moments, inBackground } = await import("batchnorm/threads")
      await init({ threads: 2 })
      const big = allocate([40_000, 16])
      big.data.fill(2)
      print((await inBackground(() => moments(big, [0]))).mean.data[15])
    `),
  ).toBe(2)
})

test("nothing but such a call keeps the process alive, until it is through", () => {
  expect(
    runFresh(`
      const { init, allocate, moments, inBackground } = await import("batchnorm/threads")
      await init({ threads: 2 })
      const big = allocate([200_000, 64])
      big.data.fill(3)
      void inBackground(() => moments(big, [0])).then(({ mean }) => print(mean.data[63]))
    `),
  ).toBe(3)
})
