import { BatchNorm, batchNormalization, forward, infer } from "batchnorm"
import { describe, expect, test } from "vitest"
import { batch, gammas, normals, variances, vectorOf } from "./support/arrays.ts"
import { run } from "./support/onnx.ts"
import { scalesOf } from "./support/scales.ts"
import { expectWithin } from "./support/within.ts"

/** γ, β, μ and σ² of each channel. */
function parametersOf(channels: number, seed: number) {
  const gamma = gammas(seed + 1, channels)
  const beta = normals(seed + 2, channels)
  const mean = normals(seed + 3, channels)
  const variance = variances(seed + 4, channels)
  return { gamma, beta, mean, variance }
}

// ONNX Runtime computes x·(γ·r) + (β - μ·(γ·r)) in float32: r is right to 3 roundings, its product with γ to 4, the two terms
// to 5 and 6, the sum to 7. The package may take 8 more.
const inference = 7 + 8

describe.each([
  { shape: [33, 5], seed: 600 },
  { shape: [7, 5, 9], seed: 610 },
  { shape: [4, 5, 7, 6], seed: 620 },
  { shape: [2, 5, 4, 3, 6], seed: 630 },
  { shape: [1, 1, 8, 8], seed: 640 },
])("BatchNormalization of $shape (seed $seed)", ({ shape, seed }) => {
  const x = batch(seed, shape, [1])
  const channels = shape[1]!
  const { gamma, beta, mean, variance } = parametersOf(channels, seed)
  const statistics = { mean, variance }

  test.each([
    { opset: 9, epsilon: undefined },
    { opset: 14, epsilon: 1e-3 },
    { opset: 15, epsilon: undefined },
    { opset: 15, epsilon: 0.1 },
  ])("of opset $opset, ε $epsilon, is infer, batchNormalization and the layer's infer", async ({ opset, epsilon }) => {
    const node = {
      operator: "BatchNormalization",
      inputs: ["x", "scale", "b", "mean", "var"],
      outputs: ["y"],
      attributes: epsilon === undefined ? {} : { epsilon },
    }
    const { y } = await run(
      { opset, nodes: [node], outputs: ["y"] },
      { x, scale: vectorOf(gamma), b: vectorOf(beta), mean: vectorOf(mean), var: vectorOf(variance) },
    )
    const given = { gamma, beta, epsilon: epsilon ?? 1e-5 }
    const { expanded } = scalesOf({ x, axes: [1], ...given, statistics })
    expect(y!.shape).toEqual(shape)
    const inferred = infer(x, { axis: 1, ...given, ...statistics })
    expectWithin("infer", inferred.data, y!.data, expanded, inference)

    const along = [channels, ...shape.slice(2).map(() => 1)]
    const [m, v, b, g] = [mean, variance, beta, gamma].map((data) => ({ data, shape: along }))
    const normalized = batchNormalization(x, m!, v!, b, g, given.epsilon)
    expectWithin("batchNormalization", normalized.data, y!.data, expanded, inference)

    const options = { convention: "onnx", gamma, beta, runningMean: mean, runningVariance: variance } as const
    const layer = new BatchNorm(channels, { ...options, epsilon })
    expectWithin("the layer", layer.infer(x).data, y!.data, expanded, inference)
  })
})

test.each([
  { trainingMode: 0, seed: 650 },
  { trainingMode: 1, seed: 651 },
])("BatchNormalization of rank 1, training_mode $trainingMode, has one channel (seed $seed)", async (each) => {
  const { trainingMode, seed } = each
  const x = batch(seed, [40], [])
  const { gamma, beta, mean, variance } = parametersOf(1, seed)
  const outputs = trainingMode ? ["y", "running_mean", "running_var"] : ["y"]
  const node = {
    operator: "BatchNormalization",
    inputs: ["x", "scale", "b", "mean", "var"],
    outputs,
    attributes: { training_mode: { int: trainingMode } },
  }
  const { y: due } = await run(
    { opset: 15, nodes: [node], outputs },
    { x, scale: vectorOf(gamma), b: vectorOf(beta), mean: vectorOf(mean), var: vectorOf(variance) },
  )
  const given = { gamma, beta, epsilon: 1e-5 }
  const statistics = trainingMode ? undefined : { mean, variance }
  const { y } = forward(x, { axis: [], ...given, ...statistics })
  const { expanded } = scalesOf({ x, axes: [], ...given, ...(statistics && { statistics }) })
  expectWithin("y", y.data, due!.data, expanded, trainingMode ? 3 * 40 + 32 : inference)
})

describe("BatchNormalization with training_mode is the layer of convention onnx over several steps", () => {
  test.each([
    { opset: 15, shape: [32, 5], epsilon: undefined, momentum: undefined, seed: 700 },
    { opset: 14, shape: [6, 5, 11], epsilon: 1e-3, momentum: 0.5, seed: 710 },
    { opset: 15, shape: [4, 5, 7, 6], epsilon: undefined, momentum: undefined, seed: 720 },
    { opset: 15, shape: [4, 3, 8, 8], epsilon: 1e-2, momentum: 0.99, seed: 730 },
    { opset: 15, shape: [2, 4, 3, 5, 4], epsilon: 1e-4, momentum: 0.25, seed: 740 },
  ])("opset $opset, $shape, ε $epsilon, momentum $momentum (seed $seed)", async (each) => {
    const { opset, shape, epsilon, momentum, seed } = each
    const steps = 5
    const channels = shape[1]!
    const { gamma, beta, mean, variance } = parametersOf(channels, seed)
    const running = { mean: vectorOf(mean), variance: vectorOf(variance) }
    const layer = new BatchNorm(channels, {
      convention: "onnx",
      epsilon,
      momentum,
      gamma,
      beta,
      runningMean: mean,
      runningVariance: variance,
    })
    const node = {
      operator: "BatchNormalization",
      inputs: ["x", "scale", "b", "mean", "var"],
      outputs: ["y", "running_mean", "running_var"],
      attributes: {
        training_mode: { int: 1 },
        ...(epsilon !== undefined && { epsilon }),
        ...(momentum !== undefined && { momentum }),
      },
    }
    // It adds up a plane's elements and then the planes in float32, one after the other at worst, which the mean, the
    // variance and all that follows are off by. A step of the running statistics adds seven roundings: 1 - momentum is one
    // of float32 (0.9 to half a unit of 1, hence 0.1 to 4), then come two products and a sum.
    const sums = shape.slice(2).reduce((size, axis) => size * axis, 1) + shape[0]!
    const roundings = { y: 3 * sums + 32, mean: sums + 4 + 7 * steps, variance: 2 * sums + 24 + 7 * steps }

    let [meanScale, varianceScale] = [mean.map(Math.abs), variance]
    for (let step = 0; step < steps; step++) {
      const x = batch(seed + 10 * step, shape, [1])
      const due = await run(
        { opset, nodes: [node], outputs: node.outputs },
        { x, scale: vectorOf(gamma), b: vectorOf(beta), mean: running.mean, var: running.variance },
      )
      running.mean = vectorOf(Float32Array.from(due.running_mean!.data))
      running.variance = vectorOf(Float32Array.from(due.running_var!.data))

      const scales = scalesOf({ x, axes: [1], gamma, beta, epsilon: epsilon ?? 1e-5 })
      meanScale = meanScale.map((scale, index) => Math.max(scale, scales.mean[index]!))
      varianceScale = varianceScale.map((scale, index) => Math.max(scale, scales.variance[index]!))
      const y = layer.forward(x)
      expect(y.shape).toEqual(due.y!.shape)
      expectWithin(`y of step ${step}`, y.data, due.y!.data, scales.expanded, roundings.y)
      expectWithin(`running mean after step ${step}`, layer.runningMean, running.mean.data, meanScale, roundings.mean)
      const variances = running.variance.data
      expectWithin(
        `running var after step ${step}`,
        layer.runningVariance,
        variances,
        varianceScale,
        roundings.variance,
      )
    }
  })
})
