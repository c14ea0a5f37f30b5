// Calls that are computed while the calling thread goes on.
import * as alone from "batchnorm"
import {
  allocate,
  BatchNorm,
  backward,
  batchNormalization,
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

const shapes = [
  { shape: [40_000, 16], axis: -1 },
  { shape: [8, 64, 30, 30], axis: 1 },
  { shape: [3, 1500, 7, 7], axis: 1 },
  { shape: [1_500_001], axis: [] },
  { shape: [6, 5], axis: -1 },
] as const

type Array = { data: Float32Array; shape: readonly number[] }

function wave(shape: readonly number[], from: number): Float32Array<ArrayBuffer> {
  const length = shape.reduce((product, size) => product * size, 1)
  return Float32Array.from({ length }, (_, index) => (((index + from) * 2654435761) % 1000) / 500 - 0.7)
}

afterAll(() => threads.dispose())

describe.each([0, 3])("with %i threads", (count) => {
  beforeEach(() => init({ threads: count, maximumMemory: 2 ** 28 }))

  describe.each(["resident", "ordinary"])("%s arrays", (residency) => {
    const array = (shape: readonly number[], from: number): Array => {
      const data = wave(shape, from)
      if (residency === "ordinary") return { data, shape }
      const resident = allocate(shape)
      resident.data.set(data)
      return resident
    }

    test.each(shapes)("of shape $shape, axis $axis, have the same bits", async ({ shape, axis }) => {
      const [x, dy, residual] = [array(shape, 0), array(shape, 7), array(shape, 11)]
      const ownOf = ({ data }: Array) => ({ data: Float32Array.from(data), shape })
      const [xOwn, dyOwn, residualOwn] = [ownOf(x), ownOf(dy), ownOf(residual)]
      const options = { axis, activation: "relu", residual } as const
      const expected = alone.forward(xOwn, { ...options, residual: residualOwn })
      const need = ["dx", "dgamma", "dbeta", "dresidual"] as const
      const gradients = alone.backward(dyOwn, xOwn, expected.saved, { residual: residualOwn, need })

      const { y, saved } = await inBackground(() => forward(x, options))
      expect([y.data, saved.mean, saved.variance]).toEqual([
        expected.y.data,
        expected.saved.mean,
        expected.saved.variance,
      ])
      const { dx, dgamma, dbeta, dresidual } = await inBackground(() => backward(dy, x, saved, { residual, need }))
      expect([dx.data, dgamma, dbeta, dresidual.data]).toEqual([
        gradients.dx.data,
        gradients.dgamma,
        gradients.dbeta,
        gradients.dresidual.data,
      ])
      const inferred = await inBackground(() => infer(x, { ...saved, residual }))
      expect(inferred.data).toEqual(alone.infer(xOwn, { ...expected.saved, residual: residualOwn }).data)
      for (const each of [x, dy, residual]) if ("dispose" in each) (each as unknown as Disposable)[Symbol.dispose]()
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
  const busy = { code: "state", message: expect.stringMatching(/^a call is under way in the background/) }
  const needsSums = { code: "state", message: expect.stringMatching(/^this call needs its sums before it returns/) }
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

test("a thread that dies is an error within a second, or a finished result, and its process ends", () => {
  expect(
    runFresh(`
      const threadsOfNode = process.getBuiltinModule("node:worker_threads")
      const lost = \`const units = Atomics.load(words, 0)
        if ((units & 0xffff) > units >>> 16 && Atomics.compareExchange(words, 0, units, units - 1) === units) process.exit()
        exports.bn_share(0)\`
      threadsOfNode.Worker = class extends threadsOfNode.Worker {
        constructor(source, options) {
          super(source.replace("exports.bn_share(0)", lost), options)
        }
      }
      const { init, threads, allocate, moments, inBackground } = await import("batchnorm/threads")
      await init({ threads: 2 })
      const big = allocate([40_000, 16])
      const start = performance.now()
      const { code } = await rejected(inBackground(() => moments(big, [0])))
      const isLate = performance.now() - start > 1200
      await threads.dispose()
      print([code, isLate, moments(big, [0]).mean.data[0], (await inBackground(() => moments(big, [0]))).mean.data[0]])
    `),
  ).toEqual(["thread", false, 0, 0])
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
      const { init, threads, allocate, moments, inBackground } = await import("batchnorm/threads")
      await init({ threads: 2 })
      const big = allocate([40_000, 16])
      big.data.fill(2)
      await workers[0].terminate()
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
