import { expect, test } from "vitest"
import { allocate, BatchNorm, Moments, moments, Standardizer, sufficientStatistics } from "../../ts/entry/index.ts"
import { traffic } from "../../ts/memory.ts"
import type { FloatArray, NdArray } from "../../ts/types.ts"
import { type Dtype, dtypes, firstDifference, product, zeros } from "../support/numerics-arrays.ts"
import { Random } from "../support/numerics-random.ts"

const memoryBytes = () => {
  const probe = allocate([0])
  const { byteLength } = probe.data.buffer
  probe.dispose()
  return byteLength
}

/** Larger than a staging buffer, in either pattern, and packed. */
const views = [
  { shape: [5000, 64], axis: [1] },
  { shape: [150, 5000], axis: [1] },
  { shape: [70, 3, 5000], axis: [1] },
  { shape: [2, 3000, 64], axis: [0, 2] },
  { shape: [40, 5, 60, 30], axis: [1, 3] },
  { shape: [500, 601], axis: [] },
]

function fill(shape: readonly number[], dtype: Dtype): NdArray<FloatArray> {
  const random = new Random(3)
  const array = zeros(shape, dtype)
  for (let at = 0; at < array.data.length; at++) array.data[at] = 3 + random.next() / 2 ** 32
  return array
}

/** How many times an array was copied in and out. */
function copied({ data }: NdArray, run: () => unknown): { in: number; out: number } {
  const before = { ...traffic }
  run()
  return { in: (traffic.in - before.in) / data.byteLength, out: (traffic.out - before.out) / data.byteLength }
}

test.each(dtypes.flatMap((dtype) => views.map((view) => ({ dtype, ...view }))))(
  "$dtype of shape $shape, columns along $axis, are read once for their statistics, which are those of moments",
  ({ dtype, shape, axis }) => {
    const x = fill(shape, dtype)
    const columns = product(axis.map((each) => shape[each]!))
    const reduced = [...shape.keys()].filter((each) => !axis.includes(each))
    const before = memoryBytes()
    const sums = new Moments(columns, { axis })
    const standardizer = new Standardizer({ axis })
    const layer = new BatchNorm(columns, { axis })
    const once = { in: 1, out: 0 }
    expect(copied(x, () => sums.push(x))).toEqual(once)
    expect(copied(x, () => standardizer.adapt([x]))).toEqual(once)
    expect(copied(x, () => layer.recalibrate([x]))).toEqual(once)
    expect(copied(x, () => sufficientStatistics(x, reduced))).toEqual(once)
    expect(copied(x, () => standardizer.transform(x))).toEqual({ in: 1, out: 1 })
    expect(copied(x, () => standardizer.invert(x, { out: x as never }))).toEqual({ in: 1, out: 1 })
    expect(memoryBytes()).toBe(before)

    const array = fill(shape, dtype)
    const { mean } = moments(array, reduced)
    for (const own of [sums.mean, standardizer.mean, layer.runningMean])
      expect(firstDifference(own, mean.data)).toBe(-1)
    const resident = dtype === "float32" ? allocate(shape) : allocate(shape, "float64")
    resident.data.set(array.data)
    const again = new Moments(columns, { axis })
    // A packed view is moved first, wherever it lies.
    const none = { in: shape.length === 4 ? 1 : 0, out: 0 }
    expect(copied(resident, () => again.push(resident))).toEqual(none)
    expect(again.toBytes()).toEqual(sums.toBytes())
    resident.dispose()
  },
)

test("100 MB of batches go through memory that stays as small as it was", () => {
  const shape = [2000, 64]
  const batch = fill(shape, "float32")
  const before = memoryBytes()
  const batches = function* () {
    for (let index = 0; index < 200; index++) yield batch
  }
  const standardizer = new Standardizer().adapt(batches())
  const layer = new BatchNorm(64)
  layer.recalibrate(batches())
  const sums = new Moments(64)
  for (const each of batches()) sums.push(each)
  expect(memoryBytes()).toBe(before)
  expect([...sums.count]).toEqual(Array(64).fill(400_000))
  expect(firstDifference(standardizer.mean, sums.mean)).toBe(-1)
  expect(firstDifference(layer.runningMean, sums.mean)).toBe(-1)
  // 200 times the same is as once.
  const { mean, variance } = moments(batch, 0)
  for (const column of [0, 31, 63]) {
    expect(Math.abs(sums.mean[column]! - mean.data[column]!)).toBeLessThan(2 ** -50)
    expect(Math.abs(sums.variance[column]! / variance.data[column]! - 1)).toBeLessThan(2 ** -44)
  }
})
