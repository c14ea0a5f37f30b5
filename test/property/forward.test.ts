import { backward, batchNormalization, forward, infer, type NdArray } from "batchnorm"
import fc from "fast-check"
import { expect, test } from "vitest"
import { placesOf } from "../reference.ts"
import { firstDifference, ordinary } from "../support/numerics-arrays.ts"
import { unit } from "../support/numerics-contract.ts"
import { arrayOf, dtype, family, others, runs, seed, shapeAndAxes, timeout, vectorOf } from "./arbitraries.ts"

const activation = fc.constantFrom("relu" as const, null)
const maybe = fc.boolean()

/** Per channel of an array: γ and β, each maybe absent. */
function parametersOf(length: number, seed: number, hasGamma: boolean, hasBeta: boolean) {
  return {
    gamma: hasGamma ? vectorOf(length, seed, (random) => random.normal()) : null,
    beta: hasBeta ? vectorOf(length, seed + 1, (random) => random.normal()) : null,
  }
}

const channelsOf = (shape: readonly number[], axes: readonly number[]) =>
  axes.reduce((count, axis) => count * shape.at(axis)!, 1)

test(
  "what forward saved gives forward's bits again as options of infer, and of a frozen forward",
  () => {
    const property = fc.property(
      shapeAndAxes,
      dtype,
      family,
      seed,
      activation,
      maybe,
      maybe,
      ({ shape, axes }, dtype, family, seed, activation, hasGamma, hasBeta) => {
        const x = arrayOf(family, shape, dtype, seed)
        const parameters = parametersOf(channelsOf(shape, axes), seed, hasGamma, hasBeta)
        const { y, saved } = forward(x, { ...parameters, axis: axes, activation })
        expect(firstDifference(infer(x, saved).data, y.data)).toBe(-1)
        expect(firstDifference(infer(x, structuredClone(saved)).data, y.data)).toBe(-1)
        const again = forward(x, saved)
        expect(firstDifference(again.y.data, y.data)).toBe(-1)
        expect(again.saved).toEqual({ ...saved, frozen: true })
      },
    )
    fc.assert(property, runs(200))
  },
  timeout,
)

test(
  "batchNormalization with forward's statistics gives infer's bits, however the parameters broadcast",
  () => {
    const form = fc.constantFrom("kept dims", "no leading ones", "bare where that is the last axis")
    const property = fc.property(
      shapeAndAxes,
      dtype,
      family,
      seed,
      form,
      maybe,
      maybe,
      ({ shape, axes }, dtype, family, seed, form, hasGamma, hasBeta) => {
        const x = arrayOf(family, shape, dtype, seed)
        const { gamma, beta } = parametersOf(channelsOf(shape, axes), seed, hasGamma, hasBeta)
        const { saved } = forward(x, { gamma, beta, axis: axes })
        const kept = others(shape, others(shape, axes))
        const whole = shape.map((size, axis) => (kept.includes(axis) ? size : 1))
        const ones = whole.findIndex((size) => size > 1)
        const short = ones === -1 ? [] : whole.slice(ones)
        const wrap = (values: ArrayLike<number>) => {
          if (form === "kept dims") return { data: Float64Array.from(values), shape: whole }
          if (form === "bare where that is the last axis" && short.length < 2 && shape.length > 0)
            return Array.from(values)
          return { data: Float64Array.from(values), shape: short }
        }
        const y = batchNormalization(
          x,
          wrap(saved.mean),
          wrap(saved.variance),
          beta && wrap(beta),
          gamma && wrap(gamma),
          saved.epsilon,
        )
        expect(firstDifference(y.data, infer(x, saved).data)).toBe(-1)
      },
    )
    fc.assert(property, runs(300))
  },
  timeout,
)

test(
  "parameters that broadcast each in their own way give the bits of parameters written out in full",
  () => {
    const subset = fc.array(fc.boolean(), { minLength: 7, maxLength: 7 })
    const property = fc.property(
      shapeAndAxes,
      dtype,
      seed,
      fc.tuple(subset, subset, subset, subset),
      ({ shape }, dtype, seed, subsets) => {
        const x = arrayOf("normal", shape, dtype, seed)
        const parameters = subsets.map((varies, index) => {
          const sizes = shape.map((size, axis) => (varies[axis] ? size : 1))
          const values = vectorOf(
            channelsOf(sizes, [...sizes.keys()]),
            seed + index,
            (random) => 0.1 + random.uniform(),
          )
          return { data: Float64Array.from(values), shape: sizes }
        })
        const full = parameters.map(({ data, shape: sizes }) => {
          const result = new Float64Array(x.data.length)
          const kept = sizes.flatMap((size, axis) => (size > 1 ? [axis] : []))
          for (const [index, places] of placesOf(shape, kept).entries()) {
            for (const place of places) result[place] = data[index]!
          }
          return { data: result, shape }
        })
        const run = ([mean, variance, offset, scale]: NdArray[]) =>
          batchNormalization(x, mean!, variance!, offset, scale, 1e-5)
        expect(firstDifference(run(parameters).data, run(full).data)).toBe(-1)
      },
    )
    fc.assert(property, runs(200))
  },
  timeout,
)

test(
  "multiplying x by a power of two leaves y's bits where epsilon is 0",
  () => {
    const property = fc.property(
      shapeAndAxes,
      dtype,
      family,
      seed,
      fc.integer({ min: -10, max: 10 }),
      ({ shape, axes }, dtype, family, seed, exponent) => {
        const x = arrayOf(family, shape, dtype, seed)
        const scaled = { ...x, data: x.data.map((value) => value * 2 ** exponent) }
        const options = { axis: axes, epsilon: 0 }
        expect(firstDifference(forward(scaled, options).y.data, forward(x, options).y.data)).toBe(-1)
      },
    )
    fc.assert(property, runs(200))
  },
  timeout,
)

test(
  "adding a number to x leaves y, dx, dgamma and dbeta within the contract",
  () => {
    const property = fc.property(
      shapeAndAxes,
      dtype,
      seed,
      fc.integer({ min: -(2 ** 20), max: 2 ** 20 }),
      ({ shape, axes }, dtype, seed, offset) => {
        const whole = arrayOf(
          (random, length) => Array.from({ length }, () => random.below(2001) - 1000),
          shape,
          dtype,
          seed,
        )
        const moved = { ...whole, data: whole.data.map((value) => value + offset) }
        const dy = arrayOf("normal", shape, dtype, seed + 1)
        const run = (x: NdArray) => {
          const { y, saved } = forward(x, { axis: axes, epsilon: 1 })
          return { y: y.data, saved, ...backward(dy, x, saved) }
        }
        const [before, after] = [run(whole), run(moved)]
        const u = unit[dtype]
        // ε = 1, so that 2⁻⁵⁰·|μ|·r is at most 2⁻³⁰.
        const lost = 2 ** -50 * (Math.abs(offset) + 1000)
        for (const [index, places] of placesOf(shape, others(shape, others(shape, axes))).entries()) {
          const r = 1 / Math.sqrt(before.saved.variance[index]! + 1)
          const sizeOf = (place: number) => Math.max(1, Math.abs(before.y[place]!))
          const [terms, products] = places.reduce(
            ([sum, product], place) => [
              sum + Math.abs(dy.data[place]!),
              product + Math.abs(dy.data[place]!) * Math.abs(before.y[place]!),
            ],
            [0, 0] as [number, number],
          )
          expect(Math.abs(before.dbeta[index]! - after.dbeta[index]!)).toBeLessThanOrEqual(16 * u * terms)
          // The gradients are those of the means that each run found, which are not the same number.
          const apart = 2 * (4 * u + lost)
          expect(Math.abs(before.dgamma[index]! - after.dgamma[index]!)).toBeLessThanOrEqual(
            33 * u * products + 16 * u * products + apart * terms,
          )
          for (const place of places) {
            const error = Math.abs(before.y[place]! - after.y[place]!)
            expect(error).toBeLessThanOrEqual(2 * (16 * u * sizeOf(place) * 1.001 + lost))
            const size = Math.abs(dy.data[place]!) + (terms + sizeOf(place) * (products + terms)) / places.length
            const errorOfDx = Math.abs(before.dx.data[place]! - after.dx.data[place]!)
            expect(errorOfDx).toBeLessThanOrEqual(r * size * (2 * 24 * u * 1.001 + 32 * u + 4 * apart))
          }
        }
      },
    )
    fc.assert(property, runs(150))
  },
  timeout,
)

test(
  "the layouts agree in y and in the gradients after a transpose",
  () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 130 }),
      fc.integer({ min: 1, max: 40 }),
      dtype,
      seed,
      activation,
      (rows, channels, dtype, seed, activation) => {
        const x = arrayOf("normal", [rows, channels], dtype, seed)
        const dy = arrayOf("normal", [rows, channels], dtype, seed + 1)
        const transposed = ({ data }: NdArray) =>
          ordinary(
            Array.from(data, (_, i) => data[(i % rows) * channels + Math.floor(i / rows)]!),
            [channels, rows],
            dtype,
          )
        const parameters = parametersOf(channels, seed, true, true)
        const run = (x: NdArray, dy: NdArray, axis: number) => {
          const { y, saved } = forward(x, { ...parameters, axis, activation })
          return { y, saved, ...backward(dy, x, saved) }
        }
        const last = run(x, dy, 1)
        const first = run(transposed(x), transposed(dy), 0)
        const u = unit[dtype]
        for (let channel = 0; channel < channels; channel++) {
          const [gamma, beta] = [Math.abs(parameters.gamma![channel]!), Math.abs(parameters.beta![channel]!)]
          // One side of a ReLU in one layout may be the other side in the other.
          const pairs = Array.from(
            { length: rows },
            (_, row) => [row * channels + channel, channel * rows + row] as const,
          )
          for (const [a, b] of pairs) {
            const x̂ = Math.abs(x.data[a]! - last.saved.mean[channel]!) / Math.sqrt(last.saved.variance[channel]! + 1e-3)
            const bound = 2.01 * (16 * u * Math.max(gamma * Math.max(1, x̂), beta) + 2 ** -49 * gamma * 40)
            expect(Math.abs(last.y.data[a]! - first.y.data[b]!)).toBeLessThanOrEqual(bound)
          }
          if (pairs.some(([a, b]) => last.y.data[a]! > 0 !== first.y.data[b]! > 0)) continue
          const through = pairs.map(([a]) => (activation && !(last.y.data[a]! > 0) ? 0 : Math.abs(dy.data[a]!)))
          const terms = through.reduce((sum, value) => sum + value, 0)
          expect(Math.abs(last.dbeta[channel]! - first.dbeta[channel]!)).toBeLessThanOrEqual(16 * u * terms)
        }
      },
    )
    fc.assert(property, runs(150))
  },
  timeout,
)
