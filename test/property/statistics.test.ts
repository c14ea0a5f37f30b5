import {
  BatchNorm,
  type FloatArray,
  Moments,
  moments,
  type NdArray,
  normalizeMoments,
  Standardizer,
  sufficientStatistics,
} from "batchnorm"
import fc from "fast-check"
import { expect, test } from "vitest"
import { placesOf, moments as textbook, toNumber } from "../reference.ts"
import { firstDifference, product } from "../support/numerics-arrays.ts"
import { unit } from "../support/numerics-contract.ts"
import { Random } from "../support/numerics-random.ts"
import { arrayOf, dtype, family, others, runs, seed, shapeAndAxes, timeout } from "./arbitraries.ts"

const flag = fc.boolean()

/** Elements that differ from others by no more than this are the same, to rounding in f64. */
const rounded = 2 ** -50

test(
  "the moments of sufficient statistics are those of x, whatever the shift and its form",
  () => {
    const property = fc.property(
      shapeAndAxes,
      dtype,
      family,
      seed,
      flag,
      fc.constantFrom("none", "a number", "one for each", "the mean", "some axes"),
      fc.constantFrom(0, 1, 1e3, -1e6),
      ({ shape, axes }, dtype, family, seed, keepDims, form, far) => {
        const x = arrayOf(family, shape, dtype, seed)
        const due = moments(x, axes, { keepDims })
        const reduced = others(shape, others(shape, axes))
        const kept = shape.map((size, axis) => (reduced.includes(axis) ? 1 : size))
        const random = new Random(seed)
        const numbersOf = (sizes: readonly number[]) =>
          Float64Array.from({ length: product(sizes) }, () => far + random.normal())
        // Leading axes of size 1 may be left out.
        const some = kept.map((size) => (random.below(2) === 0 ? 1 : size)).slice(random.below(kept.length + 1))
        const shift = {
          none: null,
          "a number": far + random.normal(),
          "one for each": { data: numbersOf(kept), shape: kept },
          "the mean": { data: due.mean.data, shape: kept },
          "some axes": { data: numbersOf(some), shape: some },
        }[form]
        const { count, meanSs, varianceSs, shift: own } = sufficientStatistics(x, axes, { shift, keepDims })
        expect(count.data[0]).toBe(product(shape) / product(kept))
        const { mean, variance } = normalizeMoments(count, meanSs, varianceSs, own)
        expect([mean.shape, variance.shape]).toEqual([due.mean.shape, due.variance.shape])
        for (const [at, value] of due.mean.data.entries()) {
          // What was subtracted is at most this far away.
          const distance = Math.abs(meanSs.data[at]! / count.data[0]!)
          const spread = due.variance.data[at]!
          expect(Math.abs(mean.data[at]! - value)).toBeLessThanOrEqual(rounded * (distance + Math.abs(value)))
          expect(Math.abs(variance.data[at]! - spread)).toBeLessThanOrEqual(4 * rounded * (distance ** 2 + spread))
          expect(variance.data[at]).toBeGreaterThanOrEqual(0)
        }
      },
    )
    fc.assert(property, runs(300))
  },
  timeout,
)

const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 6 })

/** Parts of the rows of [rows, columns], of which some may have none. */
function partsOf({ data, shape }: NdArray, shares: readonly number[]): NdArray<FloatArray>[] {
  const [rows, columns] = shape as [number, number]
  const ends = [...shares.map((share) => Math.floor(share * (rows + 1))).sort((a, b) => a - b), rows]
  return ends.map((end, index) => {
    const start = ends[index - 1] ?? 0
    return { data: data.slice(start * columns, end * columns), shape: [end - start, columns] }
  })
}

const matrix = fc.record({
  rows: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(63, 64, 65, 300)),
  columns: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(16, 17, 65)),
  dtype,
  family,
  seed,
})

/** That statistics are near the exact ones of the columns of x: of data of this size, merged in any order. */
function expectExact(x: NdArray, mean: ArrayLike<number>, variance: ArrayLike<number>, u: number): void {
  const places = placesOf(x.shape, [1])
  for (const [column, each] of places.entries()) {
    const values = each.map((place) => x.data[place]!)
    const exact = textbook(values)
    const [dueMean, dueVariance] = [exact.mean, exact.variance].map(toNumber) as [number, number]
    const deviation = Math.sqrt(dueVariance)
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    // Each part is within its bounds, and the means of parts may be larger than that of all.
    const lost = rounded * largest
    expect(Math.abs(mean[column]! - dueMean)).toBeLessThanOrEqual(4 * u * deviation + 2 * lost)
    const slack = 4 * lost * deviation + 4 * lost ** 2
    expect(Math.abs(variance[column]! - dueVariance)).toBeLessThanOrEqual(32 * u * dueVariance + slack)
  }
}

test(
  "Moments of parts, pushed or merged in any order, are those of the whole",
  () => {
    const property = fc.property(matrix, cuts, seed, ({ rows, columns, dtype, family, seed }, shares, order) => {
      const x = arrayOf(family, [rows, columns], dtype, seed)
      const parts = partsOf(x, shares)
      const pushed = parts.reduce((sum, part) => sum.push(part), new Moments(columns))
      expect([...pushed.count]).toEqual(Array(columns).fill(rows))
      expectExact(x, pushed.mean, pushed.variance, unit[dtype])

      // As a tree that grows at random, with bytes or JSON on the way.
      const random = new Random(order)
      const trees = parts.map((part) => new Moments(columns).push(part))
      while (trees.length > 1) {
        const [one, other] = [0, 1].map(() => trees.splice(random.below(trees.length), 1)[0]!) as [Moments, Moments]
        const way = random.below(3)
        const copy =
          way === 0
            ? one
            : way === 1
              ? Moments.fromBytes(one.toBytes())
              : Moments.fromJSON(JSON.parse(JSON.stringify(one)))
        const bytes = copy.toBytes()
        expect(bytes).toEqual(one.toBytes())
        trees.push(copy.merge(other))
      }
      const [merged] = trees as [Moments]
      expect(merged.count).toEqual(pushed.count)
      expectExact(x, merged.mean, merged.variance, unit[dtype])
    })
    fc.assert(property, runs(150))
  },
  timeout,
)

test(
  "Moments by weights of parts are the weighted moments of the whole",
  () => {
    const property = fc.property(matrix, cuts, flag, ({ rows, columns, dtype, family, seed }, shares, mask) => {
      const x = arrayOf(family, [rows, columns], dtype, seed)
      const random = new Random(seed + 1)
      const weight = () => (random.below(3) === 0 ? 0 : mask ? 1 : 10 ** (2 * random.uniform() - 1))
      // At least one element of each column counts.
      const data = Float64Array.from({ length: rows * columns }, (_, at) => (at < columns ? 1 : weight()))
      const weights = { data, shape: [rows, columns] }
      const due = moments(x, 0, { weights })
      const own = new Moments(columns)
      const [parts, weightsOfParts] = [partsOf(x, shares), partsOf(weights, shares)]
      for (const [index, part] of parts.entries()) own.push(part, { weights: weightsOfParts[index]! })
      for (const [column, places] of placesOf(x.shape, [1]).entries()) {
        const sum = places.reduce((total, place) => total + data[place]!, 0)
        expect(Math.abs(own.count[column]! - sum)).toBeLessThanOrEqual(2 ** -44 * sum)
        const deviation = Math.sqrt(due.variance.data[column]!)
        const lost = rounded * places.reduce((most, place) => Math.max(most, Math.abs(x.data[place]!)), 0)
        // Two results, each within its bounds of the exact one.
        const u = unit[dtype]
        expect(Math.abs(own.mean[column]! - due.mean.data[column]!)).toBeLessThanOrEqual(8 * u * deviation + 4 * lost)
        const apart = Math.abs(own.variance[column]! - due.variance.data[column]!)
        expect(apart).toBeLessThanOrEqual(64 * u * deviation ** 2 + 8 * lost * deviation + 8 * lost ** 2)
      }
    })
    fc.assert(property, runs(150))
  },
  timeout,
)

test(
  "a standardizer and a recalibrated layer have the statistics of the whole, however it is cut",
  () => {
    const property = fc.property(matrix, cuts, flag, ({ rows, columns, dtype, family, seed }, shares, unbiased) => {
      const x = arrayOf(family, [rows, columns], dtype, seed)
      const parts = partsOf(x, shares)
      const { mean, standardDeviation } = new Standardizer().adapt(parts)
      const variance = standardDeviation.map((deviation) => deviation ** 2)
      expectExact(x, mean, variance, unit[dtype])

      const layer = new BatchNorm(columns, { unbiased })
      layer.recalibrate(parts)
      const own = new Moments(columns)
      for (const part of parts) own.push(part)
      expect(firstDifference(layer.runningMean, own.mean)).toBe(-1)
      const due = unbiased ? (rows > 1 ? own.unbiasedVariance : own.variance.fill(1)) : own.variance
      expect(firstDifference(layer.runningVariance, due)).toBe(-1)
      expect(layer.batches).toBe(parts.filter(({ shape }) => shape[0]! > 0).length)
    })
    fc.assert(property, runs(150))
  },
  timeout,
)

test(
  "a standardizer's transform gives mean 0 and deviation 1, and invert leads back, within rounding",
  () => {
    const property = fc.property(
      shapeAndAxes,
      dtype,
      family,
      seed,
      flag,
      ({ shape, axes }, dtype, family, seed, through) => {
        const x = arrayOf(family, shape, dtype, seed)
        const adapted = new Standardizer({ axis: axes }).adapt([x])
        const standardizer = through ? Standardizer.fromJSON(JSON.parse(JSON.stringify(adapted))) : adapted
        const { mean, standardDeviation } = standardizer
        const z = standardizer.transform(x)
        const back = standardizer.invert(z)
        const u = unit[dtype]
        const kept = others(shape, others(shape, axes))
        for (const [column, places] of placesOf(shape, kept).entries()) {
          const [center, deviation] = [mean[column]!, standardDeviation[column]!]
          for (const place of places) {
            const [value, scaled] = [x.data[place]!, z.data[place]!]
            if (deviation === 0) {
              expect([scaled, back.data[place]]).toEqual([0, value])
              continue
            }
            // The contract of y, by given statistics, there and back.
            const reach = Math.max(1, Math.abs(scaled))
            const exact = (value - center) / deviation
            expect(Math.abs(scaled - exact)).toBeLessThanOrEqual(9 * u * reach + rounded * Math.abs(center / deviation))
            const tolerance = 17 * u * Math.max(deviation * reach, Math.abs(center)) + rounded * Math.abs(center)
            expect(Math.abs(back.data[place]! - value)).toBeLessThanOrEqual(tolerance)
          }
        }
      },
    )
    fc.assert(property, runs(200))
  },
  timeout,
)
