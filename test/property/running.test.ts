import { BatchNorm } from "batchnorm"
import fc from "fast-check"
import { expect, test } from "vitest"
import { ordinary } from "../support/numerics-arrays.ts"
import { momentsOf } from "../unit/support/naive.ts"
import { arrayOf, dtype, family, runs, seed, timeout } from "./arbitraries.ts"

const length = 5

const batch = fc.record({
  rows: fc.integer({ min: 1, max: 40 }),
  family,
  seed,
  /** What is in each channel, if anything, that has no statistics. */
  poison: fc.array(fc.constantFrom(null, null, null, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY), {
    minLength: length,
    maxLength: length,
  }),
})

/** A convention with its default momentum or another, and the weight of the old value that this means. */
const meaning = fc.oneof(
  fc.constantFrom(
    { convention: "keras", momentum: undefined, old: 0.99 },
    { convention: "torch", momentum: undefined, old: 0.9 },
    { convention: "onnx", momentum: undefined, old: 0.9 },
    { convention: "tf-fused", momentum: undefined, old: 0 },
    { convention: "torch", momentum: null, old: null },
  ),
  fc.double({ min: 0, max: 1, noNaN: true }).map((momentum) => ({ convention: "onnx", momentum, old: momentum })),
  fc.double({ min: 0, max: 1, noNaN: true }).map((momentum) => ({ convention: "torch", momentum, old: 1 - momentum })),
)

test(
  "running statistics follow, by the textbook, every channel of every batch but those with NaN or Infinity, which count",
  () => {
    const property = fc.property(
      meaning,
      fc.boolean(),
      dtype,
      fc.array(batch, { minLength: 1, maxLength: 6 }),
      ({ convention, momentum, old }, unbiased, dtype, batches) => {
        const layer = new BatchNorm(length, {
          convention: convention as "keras",
          momentum,
          unbiased,
          singleElement: "allow",
          axis: 1,
        })
        const due = Array.from({ length }, () => ({ mean: 0, variance: 1, followed: 0, largest: 1, spread: 1 }))
        let skipped = 0
        for (const { rows, family, seed, poison } of batches) {
          const x = arrayOf(family, [rows, length], dtype, seed)
          for (const [channel, value] of poison.entries()) {
            if (value !== null) x.data[(seed % rows) * length + channel] = value
          }
          layer.forward(ordinary(x.data, x.shape, dtype))
          for (const [channel, value] of poison.entries()) {
            if (value !== null) {
              skipped++
              continue
            }
            const own = due[channel]!
            const places = Array.from({ length: rows }, (_, row) => row * length + channel)
            const { mean, variance } = momentsOf(x.data, places)
            own.followed++
            const weight = old ?? 1 - 1 / own.followed
            own.mean = weight * own.mean + (1 - weight) * mean
            const fresh = unbiased ? (variance * rows) / (rows - 1) : variance
            if (rows > 1 || !unbiased) own.variance = weight * own.variance + (1 - weight) * fresh
            own.largest = Math.max(own.largest, Math.abs(mean))
            own.spread = Math.max(own.spread, variance)
          }
          expect(layer.skipped).toBe(skipped)
        }
        expect(layer.batches).toBe(batches.length)
        for (const [channel, { mean, variance, largest, spread }] of due.entries()) {
          const tolerance = 1e-6 * Math.sqrt(spread) + 1e-14 * largest
          expect(Math.abs(layer.runningMean[channel]! - mean)).toBeLessThanOrEqual(tolerance)
          expect(Math.abs(layer.runningVariance[channel]! - variance)).toBeLessThanOrEqual(3e-6 * spread)
        }
      },
    )
    fc.assert(property, runs(300))
  },
  timeout,
)
