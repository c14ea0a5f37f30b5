import { expect, test } from "vitest"
import {
  allocate,
  BatchNorm,
  backward,
  batchNormalization,
  foldIntoConv,
  forward,
  infer,
  Moments,
  moments,
  normalizeMoments,
  Standardizer,
  sufficientStatistics,
} from "../../ts/entry/index.ts"

const memoryBytes = () => {
  const probe = allocate([0])
  const { byteLength } = probe.data.buffer
  probe.dispose()
  return byteLength
}
const address = () => {
  const probe = allocate([0])
  const { byteOffset } = probe.data
  probe.dispose()
  return byteOffset
}

test("a million calls leave the memory as it was", { timeout: 60_000 }, () => {
  const x = { data: Float32Array.of(1, 2, 3, 4, 5, 7), shape: [3, 2] }
  const y = allocate([3, 2])
  const out = { y: { data: new Float32Array(6), shape: [3, 2] } }
  const gamma = [1, 2]
  const { saved } = forward(x, { gamma })
  const layer = new BatchNorm(2)
  const kernel = { data: Float32Array.of(1, 2, 3, 4), shape: [2, 1, 2] }
  const options = { mean: [1, 2], variance: [3, 4], out: y }
  const calls: (() => unknown)[] = [
    () => moments(x, 0),
    () => forward(x, { gamma, out }),
    () => infer(x, options),
    () => backward(x, x, saved),
    () => batchNormalization(x, 1, 2),
    () => layer.forward(x),
    () => layer.backward(x),
    () => foldIntoConv(kernel, null, layer, { layout: "hwoi", groups: 2 }),
    () => allocate([5]).dispose(),
    () => allocate([3, 5], "float64").dispose(),
    () => {
      try {
        moments({ data: x.data, shape: [7] })
      } catch {
        // a mistake leaks nothing either
      }
    },
  ]
  for (const call of calls) call()
  const before = [memoryBytes(), address()]
  for (let i = 0; i < 1_000_000 / calls.length; i++) for (const call of calls) call()
  expect([memoryBytes(), address()]).toEqual(before)
  y.dispose()
})

test("calls with weights, residuals and all gradients leave it so too", { timeout: 60_000 }, () => {
  const x = { data: Float32Array.of(1, 2, 3, 4, 5, 7), shape: [3, 2] }
  const residual = { data: Float32Array.of(-3, 2, 1, -2, 0, 1), shape: [3, 2] }
  const y = allocate([3, 2])
  const weights = { data: [1, 0, 2], shape: [3, 1] }
  const need = ["dx", "dgamma", "dbeta", "dmean", "dvariance", "dresidual"] as const
  const given = { mean: [1, 2], variance: [3, 4] }
  const { saved } = forward(x, { activation: "relu", weights, residual })
  const frozen = forward(x, { ...given, residual }).saved
  const layer = new BatchNorm(2)
  const calls: (() => unknown)[] = [
    () => moments(x, 0, { weights: [1, 3] }),
    () => forward(x, { weights, residual, out: { y } }),
    () => infer(x, { ...given, residual, out: y }),
    () => backward(x, x, saved, { weights, residual, need: ["dx", "dresidual"] }),
    () => backward(x, x, frozen, { need }),
    () => layer.forward(x, { weights, residual: y }),
    () => layer.backward(x, { need: ["dresidual"] }),
    () => {
      try {
        forward(x, { weights: [1, 0] })
      } catch {
        // a channel without weight leaks nothing either
      }
    },
  ]
  for (const call of calls) call()
  const before = [memoryBytes(), address()]
  for (let i = 0; i < 100_000 / calls.length; i++) for (const call of calls) call()
  expect([memoryBytes(), address()]).toEqual(before)
  y.dispose()
})

test("calls that take statistics in parts leave it so too", { timeout: 60_000 }, () => {
  const x = { data: Float32Array.of(1, 2, 3, 4, 5, 7), shape: [3, 2] }
  const y = allocate([3, 2])
  const weights = [true, 2]
  const sums = new Moments(2).push(x)
  const standardizer = new Standardizer()
  const layer = new BatchNorm(2)
  let refused = 0
  const mistakes: (() => unknown)[] = [
    () => sums.push(x, { weights: [0, Number.NaN] }),
    () => standardizer.adapt([x, y, null as never]),
    () => layer.recalibrate([x, y, { data: x.data, shape: [2, 3] }]),
  ]
  const calls: (() => unknown)[] = [
    () => layer.recalibrate([y, x]),
    () => sufficientStatistics(y, 0, { shift: [1, 2] }),
    () => normalizeMoments(3, [1, 2], [5, 6]),
    () => Moments.fromBytes(new Moments(2).push(y, { weights }).merge(sums).toBytes()),
    () => standardizer.adapt([x, y]).invert(standardizer.transform(y, { out: y })),
    ...mistakes.map((call) => () => {
      try {
        call()
      } catch {
        refused++
      }
    }),
  ]
  for (const call of calls) call()
  expect(refused).toBe(mistakes.length)
  const before = [memoryBytes(), address()]
  for (let i = 0; i < 40_000 / calls.length; i++) for (const call of calls) call()
  expect([memoryBytes(), address()]).toEqual(before)
  y.dispose()
})

test("what is disposed is used again", () => {
  const sizes = [1, 1000, 100_000, 7, 65_536, 3]
  const round = () => {
    const arrays = sizes.map((size) => allocate([size]))
    for (const array of arrays) array.data.fill(1)
    // Last, first, and the rest.
    for (const index of [5, 0, 2, 4, 1, 3]) arrays[index]!.dispose()
  }
  round()
  const before = memoryBytes()
  for (let i = 0; i < 300; i++) round()
  expect(memoryBytes()).toBe(before)
})

test("memory that is used again is zeros again", () => {
  const first = allocate([1000])
  const { byteOffset } = first.data
  first.data.fill(7)
  first.dispose()
  const second = allocate([1000])
  expect(second.data.byteOffset).toBe(byteOffset)
  expect(second.data.every((value) => value === 0)).toBe(true)
  second.dispose()
})

test("allocations do not overlap, and each starts at a cache line", () => {
  const make = [(length: number) => allocate([length]), (length: number) => allocate([length], "float64")]
  const arrays = Array.from({ length: 200 }, (_, i) => make[i % 2]!((i * 37) % 101))
  for (const [i, { data }] of arrays.entries()) data.fill(i)
  for (const [i, { data }] of arrays.entries()) {
    expect(data.byteOffset % 64).toBe(0)
    expect(data.every((value) => value === i)).toBe(true)
  }
  for (const array of arrays) array.dispose()
})

test("an array disposed twice frees nothing of another's", () => {
  const first = allocate([100])
  first.dispose()
  const second = allocate([100])
  second.data.fill(3)
  first.dispose()
  const third = allocate([100])
  third.data.fill(4)
  expect(second.data.every((value) => value === 3)).toBe(true)
  second.dispose()
  third.dispose()
})
