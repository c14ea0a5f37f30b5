import { backward, forward } from "batchnorm"
import { describe, expect, test } from "vitest"
import { batch, normals, variances } from "./support/arrays.ts"
import { differentiate, parametersOf, scalesBehindRelu } from "./support/gradients.ts"
import { type Scales, scalesOf } from "./support/scales.ts"
import { arrayOf, batchNorm, channelsFirst, channelsLast, numbersOf, tensorOf, tf } from "./support/tfjs.ts"
import { expectWithin } from "./support/within.ts"

const epsilon = 1e-3

interface Case {
  readonly shape: readonly number[]
  /** The channel axes. */
  readonly axes: readonly number[]
  readonly activation: "relu" | null
  readonly seed: number
}

const activations = ["relu", null] as const
const each = (shapes: readonly Pick<Case, "shape" | "axes">[], seed: number): Case[] =>
  shapes.flatMap((shape, index) => activations.map((activation) => ({ ...shape, activation, seed: seed + index })))

const activate = (y: tf.Tensor, activation: Case["activation"]) => (activation ? tf.relu(y) : y)

// Roundings. With given statistics tf.js has 1/√(σ²+ε) after 2 of them, γ·r·dy after 4, a term of dγ after 5, and rounds
// each sum once. With those of the batch the mean of up to two deviations is 5u·σ off, which y, x̂ and dγ inherit, the
// variance 6u·σ², hence r 3u more, and dx is a sum of four terms that are up to 30u off. To this comes what docs/numerics.md
// allows the package.
const given = { y: 1 + 8, dx: 4 + 24, dgamma: 6 + 16, dbeta: 1 + 8 }
const ofBatch = { y: 9 + 16, dx: 36 + 24, dgamma: 14 + 16, dbeta: 1 + 8 }

/** y, dx, dβ and dγ of the package and of tf.js. */
function compare(
  { x, axes, gamma, beta, dy, activation }: ReturnType<typeof parametersOf> & Case & { x: ReturnType<typeof batch> },
  statistics: { mean: Float32Array<ArrayBuffer>; variance: Float32Array<ArrayBuffer> } | undefined,
  f: (x: tf.Tensor, beta: tf.Tensor, gamma: tf.Tensor) => tf.Tensor,
): void {
  const args = [tensorOf(x), tf.tensor1d(beta), tf.tensor1d(gamma)] as const
  const { value, gradients } = differentiate(
    (x, beta, gamma) => activate(f(x!, beta!, gamma!), activation),
    args,
    tensorOf(dy),
  )
  const [dx, dbeta, dgamma] = numbersOf(gradients) as [number[], number[], number[]]
  const normalization = { x, axes, gamma, beta, epsilon, ...(statistics && { statistics }) }
  const scales: Scales = activation
    ? scalesBehindRelu(normalization, f(...args).dataSync(), dy.data)
    : scalesOf({ ...normalization, dy: dy.data })
  const roundings = statistics ? given : ofBatch

  const { y, saved } = forward(x, { axis: axes, gamma, beta, epsilon, activation, ...statistics })
  const got = backward(dy, x, saved)
  expectWithin("y", y.data, value.dataSync(), scales.y, roundings.y)
  expectWithin("dx", got.dx.data, dx, scales.dx, roundings.dx)
  expectWithin("dbeta", got.dbeta, dbeta, scales.dbeta, roundings.dbeta)
  expectWithin("dgamma", got.dgamma, dgamma, scales.dgamma, roundings.dgamma)
}

describe("with given statistics, forward and backward are tf.batchNorm and its gradients", () => {
  test.each(
    each(
      [
        { shape: [37, 9], axes: [1] },
        { shape: [5, 8, 9], axes: [2] },
        { shape: [3, 5, 4, 9], axes: [3] },
        { shape: [13], axes: [0] },
      ],
      400,
    ),
  )("in the last axis of $shape, activation $activation (seed $seed)", (each) => {
    const x = batch(each.seed, each.shape, each.axes)
    const parameters = parametersOf(x, each.axes, each.seed)
    const channels = parameters.beta.length
    const statistics = { mean: normals(each.seed + 1, channels), variance: variances(each.seed + 2, channels) }
    const [mean, variance] = [tf.tensor1d(statistics.mean), tf.tensor1d(statistics.variance)]
    compare({ ...each, x, ...parameters }, statistics, (x, beta, gamma) =>
      batchNorm(x, mean, variance, beta, gamma, epsilon),
    )
  })

  test.each(
    each(
      [
        { shape: [7, 9], axes: [0, 1] },
        { shape: [2, 3, 4, 5], axes: [0, 1, 2, 3] },
      ],
      410,
    ),
  )("for each element of $shape its own, activation $activation (seed $seed)", (each) => {
    const x = batch(each.seed, each.shape, [each.shape.length - 1])
    const parameters = parametersOf(x, each.axes, each.seed)
    const channels = x.data.length
    const statistics = { mean: normals(each.seed + 1, channels), variance: variances(each.seed + 2, channels) }
    const [mean, variance] = [statistics.mean, statistics.variance].map((data) => tensorOf({ data, shape: x.shape }))
    compare({ ...each, x, ...parameters }, statistics, (x, beta, gamma) =>
      batchNorm(x, mean!, variance!, tf.reshape(beta, x.shape), tf.reshape(gamma, x.shape), epsilon),
    )
  })

  test.each(
    each(
      [
        { shape: [11, 13], axes: [] },
        { shape: [3, 4, 6, 5], axes: [] },
      ],
      414,
    ),
  )("for all of $shape at once, activation $activation (seed $seed)", (each) => {
    const x = batch(each.seed, each.shape, each.axes)
    const statistics = { mean: normals(each.seed + 1, 1), variance: variances(each.seed + 2, 1) }
    const [mean, variance] = [tf.tensor1d(statistics.mean), tf.tensor1d(statistics.variance)]
    compare({ ...each, x, ...parametersOf(x, each.axes, each.seed) }, statistics, (x, beta, gamma) =>
      batchNorm(x, mean, variance, beta, gamma, epsilon),
    )
  })
})

describe("with the statistics of the batch, forward and backward are tf.batchNorm of tf.moments and its gradients", () => {
  const ofMoments = (x: tf.Tensor, beta: tf.Tensor, gamma: tf.Tensor) => {
    const { mean, variance } = tf.moments(x, [...x.shape.keys()].slice(0, -1))
    return tf.batchNorm(x, mean, variance, beta, gamma, epsilon)
  }

  test.each(
    each(
      [
        { shape: [37, 9], axes: [1] },
        { shape: [5, 8, 9], axes: [2] },
        { shape: [3, 5, 4, 9], axes: [3] },
        { shape: [2, 16, 16, 3], axes: [3] },
      ],
      420,
    ),
  )("channels-last, $shape, activation $activation (seed $seed)", (each) => {
    const x = batch(each.seed, each.shape, each.axes)
    compare({ ...each, x, ...parametersOf(x, each.axes, each.seed) }, undefined, ofMoments)
  })

  test.each(
    each(
      [
        { shape: [5, 9, 8], axes: [1] },
        { shape: [3, 9, 5, 4], axes: [1] },
        { shape: [2, 3, 16, 16], axes: [1] },
      ],
      430,
    ),
  )("channels-first, $shape, which tf.js transposes, activation $activation (seed $seed)", (each) => {
    const x = batch(each.seed, each.shape, each.axes)
    compare({ ...each, x, ...parametersOf(x, each.axes, each.seed) }, undefined, (x, beta, gamma) =>
      channelsFirst(ofMoments(channelsLast(x), beta, gamma)),
    )
  })
})

describe("over any axes, forward and backward are what tf.js makes of the formula", () => {
  test.each(
    each(
      [
        { shape: [31], axes: [] },
        { shape: [11, 13], axes: [0] },
        { shape: [4, 5, 6, 7], axes: [0, 3] },
        { shape: [4, 5, 6, 7], axes: [1, 2] },
        { shape: [4, 5, 6, 7], axes: [0] },
        { shape: [4, 5, 6, 7], axes: [] },
        { shape: [2, 5, 3, 4, 6], axes: [1, 3] },
      ],
      440,
    ),
  )("channels along $axes of $shape, activation $activation (seed $seed)", (each) => {
    const { shape, axes } = each
    const x = batch(each.seed, shape, axes)
    const kept = shape.map((size, axis) => (axes.includes(axis) ? size : 1))
    const reduced = [...shape.keys()].filter((axis) => !axes.includes(axis))
    compare({ ...each, x, ...parametersOf(x, axes, each.seed) }, undefined, (x, beta, gamma) => {
      const { mean, variance } = tf.moments(x, reduced, true)
      const normalized = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, epsilon)))
      return tf.add(tf.mul(normalized, tf.reshape(gamma, kept)), tf.reshape(beta, kept))
    })
  })
})

test("dgamma and dbeta are tf.variableGrads' of a loss (seed 460)", () => {
  const x = batch(460, [29, 6], [1])
  const { dy, beta, gamma } = parametersOf(x, [1], 460)
  const [offset, scale] = [tf.variable(tf.tensor1d(beta)), tf.variable(tf.tensor1d(gamma))]
  const { mean, variance } = tf.moments(tensorOf(x), 0)
  const { grads } = tf.variableGrads(() => {
    const y = batchNorm(tensorOf(x), mean, variance, offset, scale, epsilon)
    return tf.sum(tf.mul(y, tensorOf(dy)))
  }, [offset as tf.Variable, scale as tf.Variable])
  const statistics = { mean: mean.dataSync<"float32">(), variance: variance.dataSync<"float32">() }
  const { saved } = forward(x, { beta, gamma, epsilon, ...statistics })
  const got = backward(dy, x, saved, { need: ["dgamma", "dbeta"] })
  const scales = scalesOf({ x, axes: [1], beta, gamma, epsilon, dy: dy.data, statistics })
  expectWithin("dbeta", got.dbeta, grads[offset.name]!.dataSync(), scales.dbeta, given.dbeta)
  expectWithin("dgamma", got.dgamma, grads[scale.name]!.dataSync(), scales.dgamma, given.dgamma)
})

test("backward does for the gradient of a tf.customGrad, inside another function (seed 470)", () => {
  const x = batch(470, [23, 5], [1])
  const { dy, beta, gamma } = parametersOf(x, [1], 470)
  const ours = tf.customGrad((input, save) => {
    const tensor = input as tf.Tensor
    const { y, saved } = forward(arrayOf(tensor), { beta, gamma, epsilon })
    ;(save as tf.GradSaveFunc)([tensor])
    return {
      value: tensorOf(y),
      gradFunc: (dy, kept) => tensorOf(backward(arrayOf(dy), arrayOf((kept as tf.Tensor[])[0]!), saved).dx),
    }
  })
  const theirs = (input: tf.Tensor) => {
    const { mean, variance } = tf.moments(input, 0)
    return tf.batchNorm(input, mean, variance, tf.tensor1d(beta), tf.tensor1d(gamma), epsilon)
  }
  // Halving and doubling are exact.
  const inside = (f: (x: tf.Tensor) => tf.Tensor) => (x: tf.Tensor) => tf.mul(f(tf.mul(x, 2)), 0.5)
  const [got, due] = [ours, theirs].map((f) => tf.grad(inside(f))(tensorOf(x), tensorOf(dy)).dataSync())
  const doubled = { data: x.data.map((value) => 2 * value), shape: x.shape }
  const { dx } = scalesOf({ x: doubled, axes: [1], beta, gamma, epsilon, dy: dy.data })
  expect(got).toHaveLength(x.data.length)
  expectWithin("dx", got!, due!, dx, ofBatch.dx)
})
