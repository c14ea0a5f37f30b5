import { BatchNorm, type FloatArray, foldIntoConv, foldIntoDense, infer, type NdArray } from "batchnorm"
import fc from "fast-check"
import { expect, test } from "vitest"
import { absolute, Channel, exact, ratio, toNumber } from "../reference.ts"
import { type Convolution, convLayouts, convolve, normalize, outputsOf, weightShape } from "../support/convolutions.ts"
import { Arrays, type Dtype, firstDifference, product, residencies } from "../support/numerics-arrays.ts"
import { unit } from "../support/numerics-contract.ts"
import type { Random } from "../support/numerics-random.ts"
import { arrayOf, dtype, runs, seed, timeout, vectorOf } from "./arbitraries.ts"

const small = fc.integer({ min: 1, max: 3 })

/** A convolution of each layout, of one to three axes of space and a few groups. */
const convolution: fc.Arbitrary<Convolution> = fc
  .record({
    layout: fc.constantFrom(...convLayouts),
    groups: fc.integer({ min: 1, max: 4 }),
    space: fc.array(small, { minLength: 1, maxLength: 3 }),
    perInput: small,
    perOutput: fc.integer({ min: 1, max: 5 }),
  })
  .map(({ layout, groups, space, perInput, perOutput }) => {
    const inputs = layout === "hwim" ? groups : groups * perInput
    return { layout, groups, space, inputs, outputs: groups * perOutput }
  })
  .filter((convolution) => product(weightShape(convolution)) <= 300)

/** Numbers as layers have them, or from all over the range of the type. */
const spread = fc.constantFrom("usual" as const, "extreme" as const)
type Spread = "usual" | "extreme"

const reach = (dtype: Dtype) => (dtype === "float32" ? 30 : 240)
const anywhere = (random: Random, decades: number) =>
  random.pick([1, -1]) * 10 ** (decades * (2 * random.uniform() - 1))

function numbersOf(channels: number, seed: number, spread: Spread, dtype: Dtype) {
  const value = (random: Random) => (spread === "usual" ? random.normal() : anywhere(random, reach(dtype)))
  const vector = (offset: number) => vectorOf(channels, seed + offset, value)
  return {
    bias: vector(1),
    mean: vector(2),
    variance: vector(3).map(Math.abs),
    gamma: vector(4),
    beta: vector(5),
  }
}

const weightsOf = (shape: readonly number[], dtype: Dtype, seed: number, spread: Spread) =>
  arrayOf(
    (random, length) =>
      Array.from({ length }, () => (spread === "usual" ? random.normal() : anywhere(random, reach(dtype)))),
    shape,
    dtype,
    seed,
  )

/** What rounding alone costs a result that is subnormal; the f64 map goes by way of quarters. */
const grain = { float32: 2 ** -150, float64: 2 ** -1073 } as const
const largest = { float32: (2 - 2 ** -23) * 2 ** 127, float64: Number.MAX_VALUE } as const

/** The errors of results as multiples of their bounds, those beyond them. */
function judge(
  dtype: Dtype,
  channelOf: readonly number[],
  before: { weights: FloatArray; bias: readonly number[] },
  after: { weights: FloatArray; bias: FloatArray },
  { mean, variance, gamma, beta }: ReturnType<typeof numbersOf>,
  epsilon: number,
): string[] {
  const broken: string[] = []
  const note = (what: string, error: number) => {
    if (!(error <= 1)) broken.push(`${what}: error / bound ${error}`)
  }
  const scales = mean.map((_, c) => new Channel(exact(0), exact(variance[c]!), gamma[c]!, 0, epsilon))
  for (const [place, weight] of after.weights.entries()) {
    const due = scales[channelOf[place]!]!.forward(before.weights[place]!)
    const bound = 6 * unit[dtype] * toNumber(absolute(due)) + grain[dtype]
    const isHeld = toNumber(absolute(due)) + bound <= largest[dtype]
    if (isHeld) note(`weight ${place}`, ratio(weight, due, bound))
  }
  for (const [c, value] of after.bias.entries()) {
    const channel = new Channel(exact(mean[c]!), exact(variance[c]!), gamma[c]!, beta[c]!, epsilon)
    const due = channel.forward(before.bias[c]!)
    const normalized = toNumber(absolute(channel.normalized(before.bias[c]!)))
    const scale = Math.max(Math.abs(gamma[c]!) * Math.max(1, normalized), Math.abs(beta[c]!))
    const bound = 8 * unit.float64 * scale + grain.float64
    if (toNumber(absolute(due)) + bound <= largest.float64) note(`bias ${c}`, ratio(value, due, bound))
  }
  return broken
}

const epsilon = fc.constantFrom(0, 1e-5, 1e-3)

test(
  "folded weights and biases are within rounding of the exact products",
  () => {
    const property = fc.property(
      convolution,
      dtype,
      spread,
      seed,
      epsilon,
      (convolution, dtype, spread, seed, epsilon) => {
        const { layout, groups, outputs } = convolution
        const weights = weightsOf(weightShape(convolution), dtype, seed, spread)
        const numbers = numbersOf(outputs, seed, spread, dtype)
        const result = foldIntoConv(weights, numbers.bias, { ...numbersOnly(numbers), epsilon }, { layout, groups })
        const before = { weights: weights.data, bias: numbers.bias }
        const after = { weights: result.weights.data, bias: result.bias }
        expect(judge(dtype, outputsOf(convolution), before, after, numbers, epsilon)).toEqual([])
      },
    )
    fc.assert(property, runs(200))
  },
  timeout,
)

const numbersOnly = ({ mean, variance, gamma, beta }: ReturnType<typeof numbersOf>) => ({ mean, variance, gamma, beta })

test(
  "folded weights and biases of a dense layer are too",
  () => {
    const size = fc.integer({ min: 1, max: 20 })
    const layout = fc.constantFrom("io" as const, "oi" as const)
    const property = fc.property(size, size, layout, dtype, spread, seed, epsilon, (...row) => {
      const [inputs, outputs, layout, dtype, spread, seed, epsilon] = row
      const shape = layout === "io" ? [inputs, outputs] : [outputs, inputs]
      const weights = weightsOf(shape, dtype, seed, spread)
      const numbers = numbersOf(outputs, seed, spread, dtype)
      const result = foldIntoDense(weights, numbers.bias, { ...numbersOnly(numbers), epsilon }, { layout })
      const channels = Array.from(weights.data, (_, at) => (layout === "io" ? at % outputs : Math.floor(at / inputs)))
      const before = { weights: weights.data, bias: numbers.bias }
      const after = { weights: result.weights.data, bias: result.bias }
      expect(judge(dtype, channels, before, after, numbers, epsilon)).toEqual([])
    })
    fc.assert(property, runs(100))
  },
  timeout,
)

/** A bias, γ or β may be absent. */
const presence = fc.record({ bias: fc.boolean(), gamma: fc.boolean(), beta: fc.boolean() })

test(
  "a convolution, then the normalization, is the folded convolution",
  () => {
    const property = fc.property(
      convolution,
      dtype,
      seed,
      presence,
      fc.boolean(),
      (convolution, dtype, seed, has, asLayer) => {
        const { layout, groups, space, inputs, outputs } = convolution
        const weights = weightsOf(weightShape(convolution), dtype, seed, "usual")
        const shape = [inputs, ...space.map((each, axis) => each + axis + 1)]
        const image = {
          shape,
          data: Float64Array.from(vectorOf(product(shape), seed + 9, (random) => random.normal())),
        }
        const { bias, mean, variance, gamma, beta } = numbersOf(outputs, seed, "usual", dtype)
        const some = { gamma: has.gamma ? gamma : null, beta: has.beta ? beta : null, epsilon: 1e-3 }
        const given = { ...some, mean, variance }
        const layer = new BatchNorm(outputs, {
          ...{ gamma, beta, scale: has.gamma, center: has.beta, epsilon: 1e-3 },
          ...{ runningMean: mean, runningVariance: variance },
        })
        const own = has.bias ? bias : null

        const y = convolve(convolution, image, weights.data, own)
        const dues = [normalize(y, given), infer(y, { ...given, axis: 0 }).data]
        const result = foldIntoConv(weights, own, asLayer ? layer : given, { layout, groups })
        const got = convolve(convolution, image, result.weights.data, result.bias)

        // Each of the terms may be off by as much as its factors, and by the order of additions.
        const magnitudes = convolve(
          convolution,
          { shape, data: image.data.map(Math.abs) },
          result.weights.data.map(Math.abs),
          result.bias.map(Math.abs),
        )
        const length = product(got.shape.slice(1))
        const broken: string[] = []
        for (const due of dues) {
          for (const [place, value] of got.data.entries()) {
            const c = Math.floor(place / length)
            const scale = Math.abs(some.gamma?.[c] ?? 1) / Math.sqrt(variance[c]! + 1e-3)
            const shift = Math.abs(some.beta?.[c] ?? 0) + (Math.abs(mean[c]!) + Math.abs(own?.[c] ?? 0)) * scale
            const bound = 6 * unit[dtype] * magnitudes.data[place]! + 2 ** -46 * (magnitudes.data[place]! + shift)
            const isWithin = Math.abs(value - due[place]!) <= bound
            if (!isWithin) broken.push(`element ${place}: ${value} for ${due[place]}`)
          }
        }
        expect(broken).toEqual([])
      },
    )
    fc.assert(property, runs(150))
  },
  timeout,
)

test(
  "folding has the same bits wherever the weights lie, in place or not",
  () => {
    const place = fc.constantFrom(...residencies)
    const property = fc.property(convolution, dtype, spread, seed, place, place, (...row) => {
      const [convolution, dtype, spread, seed, from, to] = row
      const { layout, groups, outputs } = convolution
      const weights = weightsOf(weightShape(convolution), dtype, seed, spread)
      const numbers = numbersOf(outputs, seed, spread, dtype)
      const given = numbersOnly(numbers)
      const due = foldIntoConv(weights, numbers.bias, given, { layout, groups })
      const arrays = [new Arrays(from), new Arrays(to)] as const
      try {
        const source: NdArray<FloatArray> = arrays[0].copy(weights)
        const target: NdArray<FloatArray> = arrays[1].empty(weights.shape, dtype)
        const bias = Float64Array.from(numbers.bias)
        for (const out of [
          { weights: target, bias: new Float64Array(outputs) },
          { weights: source, bias },
        ]) {
          const got = foldIntoConv<FloatArray, NdArray>(source, bias, given, { layout, groups, out })
          expect(got).toBe(out)
          expect(firstDifference(got.weights.data, due.weights.data)).toBe(-1)
          expect(firstDifference(got.bias, due.bias)).toBe(-1)
        }
      } finally {
        for (const each of arrays) each.free()
      }
    })
    fc.assert(property, runs(150))
  },
  timeout,
)
