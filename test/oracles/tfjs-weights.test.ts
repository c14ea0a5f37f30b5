import { backward, forward, moments } from "batchnorm"
import { describe, expect, test } from "vitest"
import { Random } from "../support/numerics-random.ts"
import { batch, product, vector } from "./support/arrays.ts"
import { differentiate, parametersOf, scalesBehindRelu } from "./support/gradients.ts"
import { scalesOf } from "./support/scales.ts"
import { tensorOf, tf } from "./support/tfjs.ts"
import { expectWithin } from "./support/within.ts"

const epsilon = 1e-3

/** Weights of 0 to 2, a quarter of them 0. */
const weightsOf = (seed: number, shape: readonly number[]) => ({
  data: vector(seed, product(shape), (random: Random) => (random.below(4) === 0 ? 0 : 2 * random.uniform())),
  shape,
})

const cases: readonly { shape: number[]; axes: number[]; weights: number[]; seed: number }[] = [
  { shape: [41, 7], axes: [1], weights: [41, 1], seed: 940 },
  { shape: [41, 7], axes: [1], weights: [41, 7], seed: 941 },
  { shape: [41, 7], axes: [0], weights: [7], seed: 942 },
  { shape: [41, 7], axes: [], weights: [41, 1], seed: 943 },
  { shape: [6, 11, 5], axes: [2], weights: [6, 11, 1], seed: 944 },
  { shape: [6, 11, 5], axes: [2], weights: [11, 1], seed: 945 },
  { shape: [6, 5, 11], axes: [1], weights: [6, 1, 11], seed: 946 },
  { shape: [6, 5, 11], axes: [1], weights: [1, 11], seed: 947 },
  { shape: [4, 5, 6, 3], axes: [3], weights: [4, 5, 6, 1], seed: 948 },
  { shape: [4, 3, 5, 6], axes: [1], weights: [4, 1, 5, 6], seed: 949 },
  { shape: [4, 3, 5, 6], axes: [1], weights: [4, 1, 1, 1], seed: 950 },
  { shape: [4, 3, 5, 6], axes: [0, 1], weights: [1, 1, 5, 6], seed: 951 },
  { shape: [4, 5, 6, 3], axes: [0, 3], weights: [4, 5, 6, 3], seed: 952 },
]

/** Σwx/Σw and Σw(x-μ)²/Σw, which broadcast to x; and the weights, broadcast. */
function weightedMoments(x: tf.Tensor, weights: tf.Tensor, axes: readonly number[]) {
  const reduced = [...x.shape.keys()].filter((axis) => !axes.includes(axis))
  const w = tf.mul(weights, tf.onesLike(x))
  const total = tf.sum(w, reduced, true)
  const mean = tf.div(tf.sum(tf.mul(w, x), reduced, true), total)
  const variance = tf.div(tf.sum(tf.mul(w, tf.square(tf.sub(x, mean))), reduced, true), total)
  return { mean, variance, weights: w }
}

// tf.js has a term of Σwx after one rounding, one of Σw(x-μ)² after four; each of the two sums and the quotient are one more.
// With means of up to two deviations y is off by 20, a term of dγ by 19, one of dx by 44. To this comes what
// docs/numerics.md allows the package.
const roundings = { mean: 4 + 4, variance: 7 + 16, y: 20 + 16, dx: 44 + 24, dgamma: 19 + 16, dbeta: 1 + 8 }

test.each(cases)(
  "moments with weights of [$weights] beside [$shape], channels along $axes, are Σwx/Σw and Σw(x-μ)²/Σw (seed $seed)",
  (each) => {
    const { shape, axes, seed } = each
    const x = batch(seed, shape, axes)
    const weights = weightsOf(seed + 1, each.weights)
    const due = weightedMoments(tensorOf(x), tensorOf(weights), axes)
    const reduced = [...shape.keys()].filter((axis) => !axes.includes(axis))
    const got = moments(x, reduced, { weights, keepDims: true })
    const nothing = { gamma: [], beta: [], epsilon }
    const scales = scalesOf({ x, axes, ...nothing, weights: due.weights.dataSync() })
    expect(got.mean.shape).toEqual(due.mean.shape)
    expectWithin("mean", got.mean.data, due.mean.dataSync(), scales.mean, roundings.mean)
    expectWithin("variance", got.variance.data, due.variance.dataSync(), scales.variance, roundings.variance)
  },
)

describe("forward and backward with weights are the gradients of what tf.js normalizes by weighted moments", () => {
  test.each(cases.flatMap((each) => (["relu", null] as const).map((activation) => ({ ...each, activation }))))(
    "[$weights] beside [$shape], channels along $axes, activation $activation (seed $seed)",
    ({ shape, axes, weights: shapeOfWeights, activation, seed }) => {
      const x = batch(seed, shape, axes)
      const weights = weightsOf(seed + 1, shapeOfWeights)
      const { dy, beta, gamma } = parametersOf(x, axes, seed)
      const spread = weightedMoments(tensorOf(x), tensorOf(weights), axes).weights.dataSync()
      // What has no weight counts for nothing, here; in tf.js its y would.
      for (const [index, weight] of spread.entries()) if (weight === 0) dy.data[index] = 0

      const kept = shape.map((size, axis) => (axes.includes(axis) ? size : 1))
      const preactivation = (x: tf.Tensor, beta: tf.Tensor, gamma: tf.Tensor) => {
        const { mean, variance } = weightedMoments(x, tensorOf(weights), axes)
        const normalized = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, epsilon)))
        return tf.add(tf.mul(normalized, tf.reshape(gamma, kept)), tf.reshape(beta, kept))
      }
      const args = [tensorOf(x), tf.tensor1d(beta), tf.tensor1d(gamma)] as const
      const { value, gradients } = differentiate(
        (x, beta, gamma) => {
          const y = preactivation(x!, beta!, gamma!)
          return activation ? tf.relu(y) : y
        },
        args,
        tensorOf(dy),
      )
      const [dx, dbeta, dgamma] = gradients.map((each) => each.dataSync())
      const normalization = { x, axes, gamma, beta, epsilon, weights: spread }
      const scales = activation
        ? scalesBehindRelu(normalization, preactivation(...args).dataSync(), dy.data)
        : scalesOf({ ...normalization, dy: dy.data })

      const { y, saved } = forward(x, { axis: axes, gamma, beta, epsilon, activation, weights })
      const got = backward(dy, x, saved, { weights })
      expectWithin("y", y.data, value.dataSync(), scales.y, roundings.y)
      expectWithin("dx", got.dx.data, dx!, scales.dx, roundings.dx)
      expectWithin("dbeta", got.dbeta, dbeta!, scales.dbeta, roundings.dbeta)
      expectWithin("dgamma", got.dgamma, dgamma!, scales.dgamma, roundings.dgamma)
    },
  )
})

test("a mask leaves out what tf.js is given as 0 with weight 0, NaN or not (seed 960)", () => {
  const x = batch(960, [5, 12, 4], [2])
  const random = new Random(961)
  const mask = Array.from({ length: 60 }, () => random.below(3) > 0)
  const spread = x.data.map((_, index) => (mask[Math.floor(index / 4)] ? 1 : 0))
  const holes = { data: x.data.map((value, index) => (spread[index] ? value : Number.NaN)), shape: x.shape }
  const filled = { data: x.data.map((value, index) => (spread[index] ? value : 0)), shape: x.shape }
  const weights = { data: mask, shape: [5, 12, 1] }
  const due = weightedMoments(tensorOf(filled), tensorOf({ data: spread, shape: x.shape }), [2])
  const got = moments(holes, [0, 1], { weights })
  const scales = scalesOf({ x: filled, axes: [2], gamma: [], beta: [], epsilon, weights: spread })
  expectWithin("mean", got.mean.data, due.mean.dataSync(), scales.mean, roundings.mean)
  expectWithin("variance", got.variance.data, due.variance.dataSync(), scales.variance, roundings.variance)
})
