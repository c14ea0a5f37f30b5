import { backward, forward, infer } from "batchnorm"
import { test } from "vitest"
import { batch, normalArray, normals, variances } from "./support/arrays.ts"
import { differentiate, parametersOf, scalesBehindRelu } from "./support/gradients.ts"
import { scalesOf } from "./support/scales.ts"
import { batchNorm, channelsFirst, channelsLast, tensorOf, tf } from "./support/tfjs.ts"
import { expectWithin } from "./support/within.ts"

const epsilon = 1e-3
const activations = ["relu", null] as const

// As in tfjs-gradients.test.ts, and the addition of the residual.
const roundings = { y: 9 + 16 + 1, dx: 60, dgamma: 30, dbeta: 9 }

test.each(
  [
    { shape: [37, 9], axes: [1], seed: 920 },
    { shape: [3, 5, 4, 9], axes: [3], seed: 921 },
    { shape: [5, 9, 8], axes: [1], seed: 922 },
    { shape: [2, 3, 16, 16], axes: [1], seed: 923 },
  ].flatMap((each) => activations.map((activation) => ({ ...each, activation }))),
)(
  "a residual is what tf.add adds before the activation, $activation, of $shape, channels along $axes (seed $seed)",
  (each) => {
    const { shape, axes, activation, seed } = each
    const x = batch(seed, shape, axes)
    const residual = normalArray(seed + 1, shape)
    const { dy, beta, gamma } = parametersOf(x, axes, seed)
    const normalized = (x: tf.Tensor, beta: tf.Tensor, gamma: tf.Tensor) => {
      const { mean, variance } = tf.moments(x, [...shape.keys()].slice(0, -1))
      return batchNorm(x, mean, variance, beta, gamma, epsilon)
    }
    const preactivation = (x: tf.Tensor, beta: tf.Tensor, gamma: tf.Tensor, residual: tf.Tensor) => {
      const last = axes[0] === shape.length - 1
      const y = last ? normalized(x, beta, gamma) : channelsFirst(normalized(channelsLast(x), beta, gamma))
      return tf.add(y, residual)
    }
    const args = [tensorOf(x), tf.tensor1d(beta), tf.tensor1d(gamma), tensorOf(residual)] as const
    const { value, gradients } = differentiate(
      (x, beta, gamma, residual) => {
        const sum = preactivation(x!, beta!, gamma!, residual!)
        return activation ? tf.relu(sum) : sum
      },
      args,
      tensorOf(dy),
    )
    const [dx, dbeta, dgamma, dresidual] = gradients.map((each) => each.dataSync())
    const normalization = { x, axes, gamma, beta, epsilon }
    const scales = activation
      ? scalesBehindRelu(normalization, preactivation(...args).dataSync(), dy.data)
      : scalesOf({ ...normalization, dy: dy.data })

    const { y, saved } = forward(x, { axis: axes, gamma, beta, epsilon, activation, residual })
    const need = ["dx", "dbeta", "dgamma", "dresidual"] as const
    const got = backward(dy, x, saved, { residual, need })
    const scaleOfY = scales.y.map((scale, index) => scale + Math.abs(residual.data[index]!))
    expectWithin("y", y.data, value.dataSync(), scaleOfY, roundings.y)
    expectWithin("dx", got.dx.data, dx!, scales.dx, roundings.dx)
    expectWithin("dbeta", got.dbeta, dbeta!, scales.dbeta, roundings.dbeta)
    expectWithin("dgamma", got.dgamma, dgamma!, scales.dgamma, roundings.dgamma)
    const nothing = new Float32Array(x.data.length)
    expectWithin("dresidual, to the bit", got.dresidual.data, dresidual!, nothing, 1)
  },
)

test.each(activations)("infer adds a residual as tf.add does, activation %s (seed 930)", (activation) => {
  const [x, residual] = [batch(930, [4, 5, 6], [2]), normalArray(931, [4, 5, 6])]
  const { beta, gamma } = parametersOf(x, [2], 930)
  const statistics = { mean: normals(932, 6), variance: variances(933, 6) }
  const [mean, variance, offset, scale] = [statistics.mean, statistics.variance, beta, gamma].map((each) =>
    tf.tensor1d(each),
  )
  const sum = tf.add(batchNorm(tensorOf(x), mean!, variance!, offset, scale, epsilon), tensorOf(residual))
  const due = (activation ? tf.relu(sum) : sum).dataSync()
  const { y } = scalesOf({ x, axes: [2], gamma, beta, epsilon, statistics })
  const scaleOfY = y.map((scale, index) => scale + Math.abs(residual.data[index]!))
  const got = infer(x, { gamma, beta, epsilon, activation, residual, ...statistics })
  expectWithin("y", got.data, due, scaleOfY, 2 + 8)
})
