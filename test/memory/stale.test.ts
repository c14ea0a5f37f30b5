import { describe, expect, test } from "vitest"
import {
  allocate,
  BatchNorm,
  backward,
  batchNormalization,
  foldIntoDense,
  forward,
  infer,
  Moments,
  moments,
  type NdArray,
  type Saved,
  Standardizer,
  sufficientStatistics,
} from "../../ts/entry/index.ts"
import { firstDifference } from "../support/numerics-arrays.ts"

/** Grows the memory, so that all views of it taken before are detached. */
function grow(): void {
  const probe = allocate([0])
  const { data } = probe
  const { byteLength } = data.buffer
  // Each stays, so that the next has to have memory of its own.
  while (data.buffer.byteLength === byteLength) allocate([2 ** 16])
  expect(data.buffer.byteLength).toBe(0)
  expect(probe.data.buffer.byteLength).toBeGreaterThan(byteLength)
  probe.dispose()
}

const shape = [50, 6]
const values = Float32Array.from({ length: 300 }, (_, i) => ((i * 7919) % 1009) / 100)
const slopes = Float32Array.from({ length: 300 }, (_, i) => ((i * 104_729) % 1013) / 300 - 1)
const resident = (data: Float32Array) => {
  const array = allocate(shape)
  array.data.set(data)
  return array
}

describe("an allocation between two calls, which grows the memory and detaches its views,", () => {
  const x = { data: values, shape }
  const dy = { data: slopes, shape }
  const expected = forward(x)
  const gradients = backward(dy, x, expected.saved)

  test("leaves resident arrays as they were, and results right", () => {
    const [input, slope, y, dx] = [resident(values), resident(slopes), allocate(shape), allocate(shape)]
    grow()
    const { saved } = forward(input, { out: { y } })
    expect(firstDifference(y.data, expected.y.data)).toBe(-1)
    grow()
    backward(slope, input, saved, { out: { dx } })
    expect(firstDifference(dx.data, gradients.dx.data)).toBe(-1)
    grow()
    expect(firstDifference(dx.data, gradients.dx.data)).toBe(-1)
    expect(firstDifference(input.data, values)).toBe(-1)
    for (const array of [input, slope, y, dx]) array.dispose()
  })

  test("leaves staged calls right", () => {
    for (let i = 0; i < 3; i++) {
      grow()
      expect(firstDifference(forward(x).y.data, expected.y.data)).toBe(-1)
      grow()
      expect(moments(x, 0).mean.data).toEqual(expected.saved.mean)
      grow()
      expect(firstDifference(backward(dy, x, expected.saved).dx.data, gradients.dx.data)).toBe(-1)
      grow()
      const { mean, variance } = expected.saved
      expect(firstDifference(batchNormalization(x, mean, variance).data, expected.y.data)).toBe(-1)
      expect(firstDifference(infer(x, expected.saved).data, expected.y.data)).toBe(-1)
    }
  })

  test("leaves statistics that are taken in parts right", () => {
    const input = resident(values)
    const sums = new Moments(6).push(x)
    const layer = new BatchNorm(6)
    const batches = function* () {
      for (let index = 0; index < 3; index++) {
        grow()
        yield index === 1 ? x : input
      }
    }
    grow()
    for (const batch of batches()) sums.push(batch)
    expect(firstDifference(sums.mean, expected.saved.mean)).toBe(-1)
    const standardizer = new Standardizer().adapt(batches())
    layer.recalibrate(batches())
    expect(firstDifference(standardizer.mean, sums.mean)).toBe(-1)
    expect(firstDifference(layer.runningMean, sums.mean)).toBe(-1)
    input.dispose()
  })

  test("leaves a layer that keeps a resident x right", () => {
    const layer = new BatchNorm(6)
    const input = resident(values)
    const y = layer.forward(input)
    grow()
    const { dx } = layer.backward(dy)
    expect(firstDifference(y.data, expected.y.data)).toBe(-1)
    expect(firstDifference(dx.data, gradients.dx.data)).toBe(-1)
    input.dispose()
  })

  test("leaves resident weights and a resident residual right, with a layer too", () => {
    const weights = { data: Float32Array.from({ length: 50 }, (_, row) => row % 3), shape: [50, 1] }
    const operands = { residual: dy, weights }
    const layer = new BatchNorm(6, { activation: "relu" })
    const need = ["dx", "dresidual"] as const
    const due = { y: layer.forward(x, operands), ...layer.backward(dy, { need }) }
    const [added, counts] = [resident(slopes), allocate([50, 1])]
    counts.data.set(weights.data)
    grow()
    const y = layer.forward(x, { residual: added, weights: counts })
    grow()
    const { dx, dresidual } = layer.backward(dy, { need })
    for (const [got, expected] of [
      [y, due.y],
      [dx, due.dx],
      [dresidual, due.dresidual],
    ] as const) {
      expect(firstDifference(got.data, expected.data)).toBe(-1)
    }
    expect(firstDifference(added.data, slopes)).toBe(-1)
    for (const array of [added, counts]) array.dispose()
  })

  test("makes what a layer kept of views that were taken before an error in backward", () => {
    const layer = new BatchNorm(6, { activation: "relu" })
    for (const name of ["residual", "weights"] as const) {
      const added = resident(slopes.map(Math.abs))
      layer.forward(x, { [name]: { data: added.data, shape } })
      grow()
      expect(() => layer.backward(dy)).toThrow(expect.objectContaining({ code: "state", argument: `${name}.data` }))
      added.dispose()
    }
  })

  test("makes an array of views that were taken before an error that says so, not a wrong result", () => {
    const input = resident(values)
    const stale = { data: input.data, shape }
    const bare = input.data.subarray(0, 6)
    expect(firstDifference(forward(stale).y.data, expected.y.data)).toBe(-1)
    const added = forward(x, { residual: dy, activation: "relu" })
    const weighted = forward(x, { weights: [1, 2, 3, 4, 5, 6] })
    grow()
    for (const call of [
      () => moments(stale),
      () => forward(stale),
      () => infer(stale, expected.saved),
      () => backward(stale, x, expected.saved),
      () => backward(dy, stale, expected.saved),
      () => forward(x, { out: { y: stale } }),
      () => batchNormalization(x, 0, 1, 0, 1, 0, { out: stale }),
      () => forward(x, { residual: stale }),
      () => infer(x, { ...expected.saved, residual: stale }),
      () => moments(x, 0, { weights: stale }),
      () => forward(x, { weights: stale.data }),
      () => sufficientStatistics(stale, 0),
      () => new Moments(6).push(stale),
      () => new Standardizer().adapt([x, stale]),
      () => new Standardizer().adapt([x]).transform(stale),
      () => new BatchNorm(6).recalibrate([x, stale]),
      () => moments(x, 0, { weights: bare }),
      () => forward(x, { weights: stale }),
      () => forward(x, { weights: { data: bare, shape: [6] } }),
      () => backward(dy, x, added.saved, { residual: stale }),
      () => backward(dy, x, added.saved, { residual: dy, need: ["dresidual"], out: { dresidual: stale } }),
      () => backward(dy, x, weighted.saved, { weights: stale }),
      () => backward(dy, x, weighted.saved, { weights: bare }),
      () => new BatchNorm(6).forward(x, { residual: stale }),
      () => new BatchNorm(6).forward(x, { weights: stale }),
      () => new BatchNorm(6).infer(x, { residual: stale }),
      () => foldIntoDense(stale, null, expected.saved),
      () => foldIntoDense(x, null, expected.saved, { out: { weights: stale } }),
    ]) {
      expect(call).toThrow(expect.objectContaining({ code: "state", message: expect.stringMatching(/fetch .*again/) }))
    }
    input.dispose()
  })

  test("is seen even where it happens while the arguments are read", () => {
    const input = resident(values)
    const target = new Float32Array(300)
    const lazy = {
      shape,
      get data() {
        grow()
        return target
      },
    }
    const stale = { shape, data: input.data }
    expect(() => forward(stale, { out: { y: lazy } })).toThrow(expect.objectContaining({ code: "state" }))
    forward(x, { out: { y: lazy } })
    expect(firstDifference(target, expected.y.data)).toBe(-1)
    const weights = allocate([6], "float64")
    weights.data.fill(1)
    const lazyWeights = {
      shape: [6],
      get data() {
        grow()
        return new Float64Array(6).fill(1)
      },
    }
    const saved = structuredClone(expected.saved)
    const sums = new Moments(6)
    const calls = [
      () => forward(stale, { out: { y: lazy, saved } }),
      () => forward(x, { weights: weights.data, out: { y: lazy, saved } }),
      () => forward(x, { ...saved, weights: weights.data, out: { y: lazy, saved } }),
      () => forward(x, { residual: { shape, data: input.data }, out: { y: lazy, saved } }),
      () => new BatchNorm(6).forward(x, { weights: weights.data, out: lazy }),
      () => infer(x, { ...saved, residual: { shape, data: input.data }, out: lazy }),
      () => moments({ shape, data: input.data }, 0, { weights: lazyWeights }),
      () => sums.push({ shape, data: input.data }, { weights: lazyWeights }),
    ]
    for (const call of calls) {
      stale.data = input.data
      target.fill(9)
      expect(call).toThrow(expect.objectContaining({ code: "state", message: expect.stringMatching(/fetch .*again/) }))
      expect(target.every((value) => value === 9)).toBe(true)
      expect(saved).toEqual(expected.saved)
      expect(sums.toJSON()).toEqual(new Moments(6).toJSON())
    }
    weights.dispose()
    const bias = new Float64Array(6).fill(9)
    const fold = () =>
      foldIntoDense({ shape, data: input.data }, null, expected.saved, { out: { weights: lazy, bias } })
    expect(fold).toThrow(expect.objectContaining({ code: "state" }))
    expect(bias.every((value) => value === 9)).toBe(true)
    input.dispose()
  })
})

describe("what runs code of its own when it is read", () => {
  const x = { data: values, shape }
  const { y, saved } = forward(x)
  // Reading any of it calls the package and grows its memory.
  const busy = <N extends number | boolean>(numbers: ArrayLike<N>): ArrayLike<N> => {
    const list = { length: numbers.length }
    for (let i = 0; i < numbers.length; i++) {
      const get = () => {
        grow()
        forward({ data: slopes, shape }, { out: { y: { data: new Float32Array(300), shape } } })
        return numbers[i] as N
      }
      Object.defineProperty(list, i, { get })
    }
    return list as ArrayLike<N>
  }
  const same = (got: NdArray, expected: NdArray) => expect(firstDifference(got.data, expected.data)).toBe(-1)

  test("may be numbers per channel, and weights", () => {
    const [gamma, beta] = [Float64Array.of(1, 2, 3, 4, 5, 6), Float64Array.of(6, 5, 4, 3, 2, 1)]
    const mask = Array.from({ length: 50 }, (_, row) => row % 3 > 0)
    const weights = { data: mask, shape: [50, 1] }
    const lazy = { gamma: busy(gamma), beta: busy(beta), weights: { data: busy(mask), shape: [50, 1] } }
    const expected = forward(x, { gamma, beta, weights })
    const got = forward(x, lazy)
    same(got.y, expected.y)
    expect(got.saved).toEqual(expected.saved)
    const { mean, variance, count } = saved
    same(infer(x, { mean: busy(mean), variance: busy(variance), gamma: busy(gamma) }), infer(x, { ...saved, gamma }))
    same(batchNormalization(x, busy(mean), busy(variance)), y)
    const dy = { data: slopes, shape }
    const { dx } = backward(dy, x, {
      ...saved,
      mean: busy(mean),
      variance: busy(variance),
      count: busy(count),
    } as Saved)
    same(dx, backward(dy, x, saved).dx)
  })

  test("may be what forward saves in", () => {
    const lazy = { ...structuredClone(saved) }
    for (const name of Object.keys(saved) as (keyof Saved)[]) {
      let value: unknown = lazy[name]
      const enter = () => {
        grow()
        forward({ data: slopes, shape })
      }
      const get = () => {
        enter()
        return value
      }
      const set = (next: unknown) => {
        enter()
        value = next
      }
      Object.defineProperty(lazy, name, { get, set, enumerable: true })
    }
    const other = { data: slopes, shape }
    same(forward(other, { out: { saved: lazy } }).y, forward(other).y)
    expect({ ...lazy }).toEqual(forward(other).saved)
  })

  test("and detaches an array that was judged before it, is a StateError, and nothing is written", () => {
    const gamma = new Float64Array(6).fill(1)
    const lazy = {
      shape,
      get data() {
        structuredClone(gamma, { transfer: [gamma.buffer] })
        return target
      },
    }
    const target = new Float32Array(300).fill(9)
    const call = () => infer(x, { ...saved, gamma, out: lazy })
    expect(call).toThrow(expect.objectContaining({ code: "state", argument: "gamma" }))
    expect(target.every((value) => value === 9)).toBe(true)
  })
})
