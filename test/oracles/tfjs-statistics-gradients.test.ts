import { backward, forward } from "batchnorm"
import { expect, test } from "vitest"
import { batch, normals, product, variances } from "./support/arrays.ts"
import { differentiate, parametersOf, scalesBehindRelu } from "./support/gradients.ts"
import { scalesOf } from "./support/scales.ts"
import { batchNorm, tensorOf, tf } from "./support/tfjs.ts"
import { expectWithin } from "./support/within.ts"

const epsilon = 1e-3

const cases = [
  { shape: [37, 9], axes: [1], own: false, seed: 900 },
  { shape: [5, 8, 9], axes: [2], own: false, seed: 901 },
  { shape: [3, 5, 4, 9], axes: [3], own: false, seed: 902 },
  { shape: [11, 13], axes: [], own: false, seed: 903 },
  { shape: [2, 3, 4, 5], axes: [0, 1, 2, 3], own: true, seed: 904 },
].flatMap((each) => (["relu", null] as const).map((activation) => ({ ...each, activation })))

// A term of tf.js's dmean is right to 4 roundings, one of its dvariance to 12, each sum is rounded once; the package's are
// dβ and dγ times numbers per channel.
const roundings = { dmean: 5 + 8, dvariance: 13 + 16 }

test.each(cases)(
  "dmean and dvariance are tf.batchNorm's gradients, channels along $axes of $shape, activation $activation (seed $seed)",
  (each) => {
    const { shape, axes, own, activation, seed } = each
    const x = batch(seed, shape, axes.length === 1 ? axes : [])
    const { dy, beta, gamma } = parametersOf(x, axes, seed)
    const channels = product(axes.map((axis) => shape[axis]!))
    const statistics = { mean: normals(seed + 1, channels), variance: variances(seed + 2, channels) }
    const normalization = { x, axes, gamma, beta, epsilon, statistics }

    const parameter = (data: Float32Array<ArrayBuffer>) => tensorOf({ data, shape: own ? shape : [channels] })
    const [mean, variance, offset, scale] = [statistics.mean, statistics.variance, beta, gamma].map(parameter)
    const preactivation = (mean: tf.Tensor, variance: tf.Tensor) =>
      batchNorm(tensorOf(x), mean, variance, offset, scale, epsilon)
    const { gradients } = differentiate(
      (mean, variance) => (activation ? tf.relu(preactivation(mean!, variance!)) : preactivation(mean!, variance!)),
      [mean!, variance!],
      tensorOf(dy),
    )
    const [dmean, dvariance] = gradients.map((each) => each.dataSync())
    const scales = activation
      ? scalesBehindRelu(normalization, preactivation(mean!, variance!).dataSync(), dy.data)
      : scalesOf({ ...normalization, dy: dy.data })

    const { saved } = forward(x, { axis: axes, gamma, beta, epsilon, activation, ...statistics })
    const got = backward(dy, x, saved, { need: ["dmean", "dvariance"] })
    expect(Object.keys(got).sort()).toEqual(["dmean", "dvariance"])
    const inverse = Array.from(statistics.variance, (value) => 1 / Math.sqrt(value + epsilon))
    const scaleOfMean = inverse.map((r, channel) => Math.abs(gamma[channel]!) * r * scales.dbeta[channel]!)
    const scaleOfVariance = inverse.map(
      (r, channel) => (Math.abs(gamma[channel]!) * r ** 2 * scales.dgamma[channel]!) / 2,
    )
    expectWithin("dmean", got.dmean, dmean!, scaleOfMean, roundings.dmean)
    expectWithin("dvariance", got.dvariance, dvariance!, scaleOfVariance, roundings.dvariance)
  },
)
