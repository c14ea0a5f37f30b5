// What holds of weights and residuals, whatever the shape, the axes and the numbers.
import { backward, forward, infer, moments } from "batchnorm"
import fc from "fast-check"
import { expect, test } from "vitest"
import { placesOf } from "../reference.ts"
import { firstDifference } from "../support/numerics-arrays.ts"
import {
  arrayOf,
  dtype,
  family,
  others,
  runs,
  seed,
  shapeAndAxes,
  timeout,
  vectorOf,
  weighting,
  weightsOf,
} from "./arbitraries.ts"

const activation = fc.constantFrom("relu" as const, null)

const normals = (length: number, seed: number) => vectorOf(length, seed, (random) => random.normal())

test(
  "forward with weights, then infer by what it saved, gives the same bits",
  () => {
    const property = fc.property(
      fc.record({ view: shapeAndAxes, dtype, family, seed, weighting, activation, residual: fc.boolean() }),
      ({ view: { shape, axes }, dtype, family, seed, weighting, activation, residual: has }) => {
        const channels = others(shape, others(shape, axes))
        const x = arrayOf(family, shape, dtype, seed)
        const { weights } = weightsOf(shape, channels, weighting, seed)
        const residual = has ? arrayOf("normal", shape, dtype, seed + 1) : null
        const count = placesOf(shape, channels).length
        const options = {
          axis: axes,
          activation,
          gamma: normals(count, seed),
          beta: normals(count, seed + 1),
          residual,
        }
        const { y, saved } = forward(x, { ...options, weights })
        expect(firstDifference(infer(x, { ...saved, residual }).data, y.data)).toBe(-1)
        expect(firstDifference(infer(x, { ...structuredClone(saved), residual }).data, y.data)).toBe(-1)
        const given = forward(x, { ...options, weights, mean: saved.mean, variance: saved.variance })
        expect(firstDifference(given.y.data, y.data)).toBe(-1)
        // Σw is a plain sum where no moments are taken.
        const error = given.saved.count.map((total, channel) => Math.abs(total / saved.count[channel]! - 1))
        expect(Math.max(0, ...error)).toBeLessThan(1e-12)
        expect({ ...given.saved, count: saved.count }).toEqual({ ...saved, frozen: true })
      },
    )
    fc.assert(property, runs(200))
  },
  timeout,
)

test(
  "moments with weights are what forward saves, and Σw its count",
  () => {
    const property = fc.property(
      fc.record({ view: shapeAndAxes, dtype, family, seed, weighting }),
      ({ view: { shape, axes }, dtype, family, seed, weighting }) => {
        const channels = others(shape, others(shape, axes))
        const x = arrayOf(family, shape, dtype, seed)
        const { weights, each } = weightsOf(shape, channels, weighting, seed)
        const { mean, variance } = moments(x, others(shape, axes), { weights })
        const { saved } = forward(x, { axis: axes, weights })
        expect([saved.mean, saved.variance]).toEqual([mean.data, variance.data])
        for (const [channel, places] of placesOf(shape, channels).entries()) {
          const total = places.reduce((sum, place) => sum + each[place]!, 0)
          expect(Math.abs(saved.count[channel]! / total - 1)).toBeLessThan(1e-12)
        }
      },
    )
    fc.assert(property, runs(150))
  },
  timeout,
)

test(
  "adding a number to x changes y by nothing beyond rounding in f64",
  () => {
    const property = fc.property(
      fc.record({
        view: shapeAndAxes,
        seed,
        weighting: fc.option(weighting),
        activation,
        offset: fc.integer({ min: -(2 ** 20), max: 2 ** 20 }),
      }),
      ({ view: { shape, axes }, seed, weighting, activation, offset }) => {
        const channels = others(shape, others(shape, axes))
        const places = placesOf(shape, channels)
        const whole = arrayOf(
          (random, length) => Array.from({ length }, () => random.below(2001) - 1000),
          shape,
          "float64",
          seed,
        )
        const moved = { ...whole, data: whole.data.map((value) => value + offset) }
        const residual = arrayOf("normal", shape, "float64", seed + 1)
        const weights = weighting && weightsOf(shape, channels, weighting, seed).weights
        const parameters = { gamma: normals(places.length, seed), beta: normals(places.length, seed + 1) }
        const options = { axis: axes, epsilon: 1, activation, residual, weights, ...parameters }
        const [before, after] = [forward(whole, options), forward(moved, options)]
        const far: string[] = []
        // ε = 1, so that r is at most 1.
        const lost = 2 ** -49 * (Math.abs(offset) + 1000)
        for (const [channel, all] of places.entries()) {
          const [gamma, beta] = [Math.abs(parameters.gamma[channel]!), Math.abs(parameters.beta[channel]!)]
          for (const place of all) {
            const distance = Math.abs(whole.data[place]! - before.saved.mean[channel]!)
            const scale = gamma * Math.max(1, distance) + beta + Math.abs(residual.data[place]!)
            const error = Math.abs(before.y.data[place]! - after.y.data[place]!)
            const isNear = error <= 2 ** -47 * scale + 2 * lost * gamma
            if (!isNear) far.push(`y[${place}] is ${after.y.data[place]} for ${before.y.data[place]}`)
          }
        }
        expect(far).toEqual([])
      },
    )
    fc.assert(property, runs(200))
  },
  timeout,
)

test(
  "Σdx of a channel is 0, and Σdx·x̂ what ε leaves of γ·r·dγ, with weights and without",
  () => {
    const property = fc.property(
      fc.record({
        view: shapeAndAxes,
        seed,
        weighting: fc.option(weighting),
        activation,
        residual: fc.boolean(),
        epsilon: fc.constantFrom(0, 1e-12, 1e-3, 1),
      }),
      ({ view: { shape, axes }, seed, weighting, activation, residual: has, epsilon }) => {
        const channels = others(shape, others(shape, axes))
        const places = placesOf(shape, channels)
        const x = arrayOf("normal", shape, "float64", seed)
        const dy = arrayOf("normal", shape, "float64", seed + 1)
        const residual = has ? arrayOf("normal", shape, "float64", seed + 2) : null
        const { weights, each } = weighting
          ? weightsOf(shape, channels, weighting, seed)
          : { weights: null, each: x.data.map(() => 1) }
        const gamma = normals(places.length, seed)
        const { saved } = forward(x, { axis: axes, epsilon, activation, gamma, weights, residual })
        const { dx, dgamma } = backward(dy, x, saved, { weights, residual })
        for (const [channel, all] of places.entries()) {
          const variance = saved.variance[channel]! + epsilon
          const r = variance > 0 ? 1 / Math.sqrt(variance) : 0
          const slope = gamma[channel]! * r
          let [sum, product, size, productSize] = [0, 0, 0, 0]
          for (const place of all) {
            const x̂ = (x.data[place]! - saved.mean[channel]!) * r
            const share = each[place]! / saved.count[channel]!
            const terms = Math.abs(slope) * (Math.abs(dy.data[place]!) + share * (1 + Math.abs(x̂)) * dy.data.length)
            // Of what does not count, x̂ may be anything.
            if (each[place] === 0) continue
            sum += dx.data[place]!
            product += dx.data[place]! * x̂
            size += terms
            productSize += terms * Math.abs(x̂)
          }
          const left = slope * dgamma[channel]! * epsilon * r * r
          expect(Math.abs(sum), `Σdx of channel ${channel}`).toBeLessThanOrEqual(1e-13 * size)
          expect(Math.abs(product - left), `Σdx·x̂ of channel ${channel}`).toBeLessThanOrEqual(1e-13 * productSize)
        }
      },
    )
    fc.assert(property, runs(200))
  },
  timeout,
)

test(
  "weights times a power of two change no bit but the count's, which is that many times as large",
  () => {
    const property = fc.property(
      fc.record({ view: shapeAndAxes, dtype, family, seed, weighting, exponent: fc.integer({ min: -500, max: 500 }) }),
      ({ view: { shape, axes }, dtype, family, seed, weighting, exponent }) => {
        const channels = others(shape, others(shape, axes))
        const [x, dy] = [arrayOf(family, shape, dtype, seed), arrayOf("normal", shape, dtype, seed + 1)]
        const { weights } = weightsOf(shape, channels, weighting, seed)
        const run = (factor: number) => {
          const scaled = { ...weights, data: weights.data.map((weight) => Number(weight) * factor) }
          const { y, saved } = forward(x, { axis: axes, weights: scaled })
          const { dx, dgamma, dbeta } = backward(dy, x, saved, { weights: scaled })
          const { count, mean, variance } = saved
          return { count: count.map((total) => total / factor), mean, variance, y: y.data, dx: dx.data, dgamma, dbeta }
        }
        const [due, got] = [run(1), run(2 ** exponent)]
        for (const name of Object.keys(due) as (keyof typeof due)[]) {
          expect(firstDifference(got[name], due[name]), name).toBe(-1)
        }
      },
    )
    fc.assert(property, runs(100))
  },
  timeout,
)

test("the arrays of these properties have weights that leave elements out", () => {
  const sample = fc.sample(weighting, { numRuns: 200, seed: 1 })
  const zeros = sample.map((each) => weightsOf([4, 6], [1], each, 7).each.filter((weight) => weight === 0).length)
  expect(zeros.filter((count) => count > 0).length).toBeGreaterThan(60)
})
