import { BatchNorm } from "batchnorm"
import { describe, expect, test } from "vitest"
import { batch } from "./support/arrays.ts"
import { differentiate, parametersOf } from "./support/gradients.ts"
import { scalesOf } from "./support/scales.ts"
import { batchNorm, tensorOf, tf } from "./support/tfjs.ts"
import { expectWithin } from "./support/within.ts"

const epsilon = 1e-3
const steps = 6

// As in tfjs-gradients.test.ts. A step of the running statistics adds three roundings to what the batch's are off.
const roundings = { y: 25, dx: 60, dgamma: 30, dbeta: 9, running: 22 + 3 * steps }

describe.each([
  { shape: [32, 7], momentum: undefined, seed: 500 },
  { shape: [4, 5, 6, 3], momentum: 0.9, seed: 510 },
  { shape: [8, 9, 5], momentum: 0.5, seed: 520 },
])("the layer of convention keras over $shape, momentum $momentum (seed $seed)", ({ shape, momentum, seed }) => {
  const axes = [shape.length - 1]
  const channels = shape.at(-1)!
  const first = batch(seed, shape, axes)
  const { beta, gamma } = parametersOf(first, axes, seed)
  const fresh = () => new BatchNorm(channels, { convention: "keras", momentum, beta, gamma })

  test("trains as tf.batchNorm of tf.moments does, and keeps tf.movingAverage's of them", () => {
    const layer = fresh()
    const running = { mean: tf.zeros([channels]), variance: tf.ones([channels]) }
    let [meanScale, varianceScale] = [Array(channels).fill(0), Array(channels).fill(1)]
    for (let step = 0; step < steps; step++) {
      const x = batch(seed + step, shape, axes)
      const { dy } = parametersOf(x, axes, seed + step)
      const batchMoments = (x: tf.Tensor) => tf.moments(x, [...shape.keys()].slice(0, -1))
      const { value, gradients } = differentiate(
        (x, beta, gamma) => {
          const { mean, variance } = batchMoments(x!)
          return batchNorm(x!, mean, variance, beta, gamma, epsilon)
        },
        [tensorOf(x), tf.tensor1d(beta), tf.tensor1d(gamma)],
        tensorOf(dy),
      )
      const { mean, variance } = batchMoments(tensorOf(x))
      running.mean = tf.movingAverage(running.mean, mean, momentum ?? 0.99, undefined, false)
      running.variance = tf.movingAverage(running.variance, variance, momentum ?? 0.99, undefined, false)

      const scales = scalesOf({ x, axes, gamma, beta, epsilon, dy: dy.data })
      const larger = (scale: number, index: number) => Math.max(scale, meanScale[index]!)
      meanScale = scales.mean.map(larger)
      varianceScale = scales.variance.map((scale, index) => Math.max(scale, varianceScale[index]!))
      expectWithin(`y of step ${step}`, layer.forward(x).data, value.dataSync(), scales.y, roundings.y)
      const { dx } = layer.backward(dy)
      const [dxDue, dbeta, dgamma] = gradients.map((each) => each.dataSync())
      expectWithin(`dx of step ${step}`, dx.data, dxDue!, scales.dx, roundings.dx)
      expectWithin(`dbeta of step ${step}`, layer.dbeta, dbeta!, scales.dbeta, roundings.dbeta)
      expectWithin(`dgamma of step ${step}`, layer.dgamma, dgamma!, scales.dgamma, roundings.dgamma)
      expectWithin("running mean", layer.runningMean, running.mean.dataSync(), meanScale, roundings.running)
      const variances = running.variance.dataSync()
      expectWithin("running variance", layer.runningVariance, variances, varianceScale, roundings.running)
    }
    expect(layer.batches).toBe(steps)
  })

  test("infers as tf.batchNorm of its running statistics does", () => {
    const layer = fresh()
    for (let step = 0; step < steps; step++) layer.forward(batch(seed + step, shape, axes))
    const statistics = {
      mean: Float32Array.from(layer.runningMean),
      variance: Float32Array.from(layer.runningVariance),
    }
    layer.runningMean.set(statistics.mean)
    layer.runningVariance.set(statistics.variance)
    const [mean, variance, offset, scale] = [statistics.mean, statistics.variance, beta, gamma].map((each) =>
      tf.tensor1d(each),
    ) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
    const due = batchNorm(tensorOf(first), mean, variance, offset, scale, epsilon).dataSync()
    const { y } = scalesOf({ x: first, axes, gamma, beta, epsilon, statistics })
    expectWithin("infer", layer.infer(first).data, due, y, 9)
    expectWithin("forward", layer.forward(first, { training: false }).data, due, y, 9)
  })
})
