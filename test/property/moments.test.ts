import { type FloatArray, moments, type NdArray } from "batchnorm"
import fc from "fast-check"
import { expect, test } from "vitest"
import { type Dtype, layouts } from "../support/numerics-arrays.ts"
import { unit } from "../support/numerics-contract.ts"
import { Random } from "../support/numerics-random.ts"
import { arrayOf, dtype, family, runs, seed, timeout } from "./arbitraries.ts"

const layout = fc.constantFrom(...layouts)
const rows = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(63, 64, 65, 127, 129, 511, 513, 1024, 1025))
const channels = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(15, 16, 17, 63, 64, 65))

const matrix = fc.record({ layout, rows, channels, dtype, family, seed })

/** [rows, channels] or its transpose, and the axis that is reduced. */
function build({
  layout,
  rows,
  channels,
  dtype,
  family,
  seed,
}: typeof matrix extends fc.Arbitrary<infer M> ? M : never) {
  const axis = layout === "channels-last" ? 0 : 1
  return { axis, x: arrayOf(family, axis === 0 ? [rows, channels] : [channels, rows], dtype, seed) }
}

interface Statistics {
  readonly mean: number
  readonly variance: number
}

const statisticsOf = (x: NdArray, axis: number): Statistics[] => {
  const { mean, variance } = moments(x, axis)
  return Array.from(mean.data, (value, i) => ({ mean: value, variance: variance.data[i]! }))
}

/** That two results, found at data of about this size, can both be within their bounds of the same exact moments. */
function expectAgreement(dtype: Dtype, a: Statistics, b: Statistics, size = 0) {
  const deviation = Math.sqrt(Math.max(a.variance, b.variance) * (1 + 32 * unit[dtype]))
  const lost = 2 ** -50 * Math.max(size, Math.abs(a.mean), Math.abs(b.mean)) * (1 + 2 ** -40)
  expect(Math.abs(a.mean - b.mean)).toBeLessThanOrEqual(2 * (4 * unit[dtype] * deviation + lost))
  expect(Math.abs(a.variance - b.variance)).toBeLessThanOrEqual(32 * unit[dtype] * deviation ** 2)
}

/** Elements in another order: `from(row, channel)` is the place of each. */
function rearranged(
  { data, shape }: NdArray,
  from: (row: number, column: number) => number,
  to = shape,
): NdArray<FloatArray> {
  const columns = to[1]!
  return { data: data.map((_, i) => data[from(Math.floor(i / columns), i % columns)]!), shape: to }
}

test(
  "adding a number to all of x adds it to the mean and leaves the variance",
  () => {
    const offset = fc.integer({ min: -(2 ** 20), max: 2 ** 20 })
    const property = fc.property(matrix, offset, (matrix, offset) => {
      const { x, axis } = build(matrix)
      // Whole numbers, so that the sum is the same in either element type.
      const whole = { ...x, data: x.data.map((value) => Math.round(Math.max(-1e6, Math.min(1e6, value)))) }
      const moved = { ...x, data: whole.data.map((value) => value + offset) }
      const before = statisticsOf(whole, axis)
      for (const [channel, after] of statisticsOf(moved, axis).entries()) {
        const { mean, variance } = before[channel]!
        expectAgreement(matrix.dtype, { mean: mean + offset, variance }, after, Math.abs(mean))
      }
    })
    fc.assert(property, runs(300))
  },
  timeout,
)

test(
  "multiplying x by a power of two, or by -1, does so with the mean, and its square with the variance, to the bit",
  () => {
    const property = fc.property(
      matrix,
      fc.integer({ min: -12, max: 12 }),
      fc.boolean(),
      (matrix, exponent, negative) => {
        const { x, axis } = build(matrix)
        const factor = (negative ? -1 : 1) * 2 ** exponent
        const before = statisticsOf(x, axis)
        const scaled = { ...x, data: x.data.map((value) => value * factor) }
        const after = statisticsOf(scaled, axis)
        expect(after).toEqual(
          before.map(({ mean, variance }) => ({ mean: mean * factor + 0, variance: variance * factor ** 2 })),
        )
      },
    )
    fc.assert(property, runs(300))
  },
  timeout,
)

test(
  "the order of rows does not matter beyond the contract",
  () => {
    const property = fc.property(matrix, seed, (matrix, seed) => {
      const { x, axis } = build(matrix)
      const { rows, dtype } = matrix
      const random = new Random(seed)
      const order = Array.from({ length: rows }, (_, i) => i)
      for (let i = rows - 1; i > 0; i--) {
        const j = random.below(i + 1)
        ;[order[i], order[j]] = [order[j]!, order[i]!]
      }
      const columns = x.shape[1]!
      const shuffled = rearranged(x, (row, column) =>
        axis === 0 ? order[row]! * columns + column : row * columns + order[column]!,
      )
      const before = statisticsOf(x, axis)
      for (const [channel, after] of statisticsOf(shuffled, axis).entries())
        expectAgreement(dtype, before[channel]!, after)
    })
    fc.assert(property, runs(300))
  },
  timeout,
)

test(
  "the layouts agree after a transpose",
  () => {
    const property = fc.property(matrix, (matrix) => {
      const { x, axis } = build(matrix)
      const [first, second] = x.shape as [number, number]
      const transposed = rearranged(x, (row, column) => column * second + row, [second, first])
      const before = statisticsOf(x, axis)
      for (const [channel, after] of statisticsOf(transposed, 1 - axis).entries()) {
        expectAgreement(matrix.dtype, before[channel]!, after)
      }
    })
    fc.assert(property, runs(300))
  },
  timeout,
)

test(
  "the moments of parts merge to those of the whole",
  () => {
    const property = fc.property(matrix, fc.double({ min: 0, max: 1, noNaN: true }), (matrix, share) => {
      const { x, axis } = build(matrix)
      const { rows, dtype } = matrix
      fc.pre(rows > 1)
      const cut = 1 + Math.floor(share * (rows - 1.000001))
      const columns = x.shape[1]!
      const part = (from: number, to: number) => {
        const inside = (i: number) => {
          const row = axis === 0 ? Math.floor(i / columns) : i % columns
          return row >= from && row < to
        }
        const shape = axis === 0 ? [to - from, columns] : [x.shape[0]!, to - from]
        return statisticsOf({ data: x.data.filter((_, i) => inside(i)), shape }, axis)
      }
      const [left, right] = [part(0, cut), part(cut, rows)]
      for (const [channel, whole] of statisticsOf(x, axis).entries()) {
        const [a, b] = [left[channel]!, right[channel]!]
        const delta = b.mean - a.mean
        const [nA, nB] = [cut, rows - cut]
        const merged = {
          mean: a.mean + (delta * nB) / rows,
          variance: (a.variance * nA + b.variance * nB + (delta * delta * nA * nB) / rows) / rows,
        }
        // Chan's formula on numbers that were rounded: the means of the parts may be off by 2⁻⁵⁰ of their size.
        const largest = Math.max(Math.abs(a.mean), Math.abs(b.mean))
        const slack = 2 ** -49 * largest * (Math.abs(delta) + Math.sqrt(whole.variance) + 2 ** -49 * largest)
        const deviation = Math.sqrt(whole.variance)
        expect(Math.abs(merged.mean - whole.mean)).toBeLessThanOrEqual(
          2 * (4.1 * unit[dtype] * deviation + 2 ** -49 * largest),
        )
        expect(Math.abs(merged.variance - whole.variance)).toBeLessThanOrEqual(
          33 * unit[dtype] * whole.variance + 4 * slack,
        )
      }
    })
    fc.assert(property, runs(300))
  },
  timeout,
)
