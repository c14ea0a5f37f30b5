import { BatchNorm, foldIntoConv, type NdArray } from "batchnorm"
import { expect, test } from "vitest"
import { vectorOf } from "./support/arrays.ts"
import { convolution, ofMagnitudes, roundingsOfFolding, scalesOfFolding } from "./support/folding.ts"
import { run } from "./support/onnx.ts"
import { expectWithin } from "./support/within.ts"

const epsilon = 1e-3

const cases = [
  { operator: "Conv", groups: 1, shape: [2, 4, 7, 6], kernel: [6, 4, 3, 3], outputs: 6, seed: 1000 },
  { operator: "Conv", groups: 2, shape: [2, 4, 7, 6], kernel: [6, 2, 3, 2], outputs: 6, seed: 1010 },
  { operator: "Conv", groups: 4, shape: [2, 4, 7, 6], kernel: [8, 1, 3, 3], outputs: 8, seed: 1020 },
  { operator: "Conv", groups: 1, shape: [3, 4, 11], kernel: [5, 4, 3], outputs: 5, seed: 1030 },
  { operator: "Conv", groups: 2, shape: [1, 4, 5, 4, 6], kernel: [4, 2, 2, 3, 2], outputs: 4, seed: 1040 },
  { operator: "ConvTranspose", groups: 1, shape: [2, 4, 5, 6], kernel: [4, 3, 3, 3], outputs: 3, seed: 1050 },
  { operator: "ConvTranspose", groups: 2, shape: [2, 4, 5, 6], kernel: [4, 3, 3, 2], outputs: 6, seed: 1060 },
  { operator: "ConvTranspose", groups: 1, shape: [3, 4, 9], kernel: [4, 5, 3], outputs: 5, seed: 1070 },
] as const

test.each(cases.flatMap((each) => [true, false].map((biased) => ({ ...each, biased }))))(
  "$operator with weights of $kernel, groups $groups, bias $biased, then BatchNormalization, is it with folded weights (seed $seed)",
  async ({ operator, groups, shape, kernel, outputs, biased, seed }) => {
    const { x, weights, bias, ...normalization } = convolution(seed, shape, kernel, outputs)
    const { gamma, beta, mean, variance } = normalization
    if (!biased) bias.fill(0)
    const node = { operator, inputs: ["x", "w", "b"], outputs: ["sum"], attributes: { group: { int: groups } } }
    const normalize = {
      operator: "BatchNormalization",
      inputs: ["sum", "scale", "offset", "mean", "var"],
      outputs: ["y"],
      attributes: { epsilon },
    }
    const convolve = (x: NdArray<Float32Array>, w: NdArray<Float32Array>, b: Float32Array<ArrayBuffer>) =>
      run({ opset: 15, nodes: [node], outputs: ["sum"] }, { x, w, b: vectorOf(b) })
    const { y: due } = await run(
      { opset: 15, nodes: [node, normalize], outputs: ["y"] },
      {
        x,
        w: weights,
        b: vectorOf(bias),
        scale: vectorOf(gamma),
        offset: vectorOf(beta),
        mean: vectorOf(mean),
        var: vectorOf(variance),
      },
    )
    const { sum: sums } = await convolve(ofMagnitudes(x), ofMagnitudes(weights), new Float32Array(outputs))
    const scales = scalesOfFolding(sums!, 1, { ...normalization, bias }, epsilon)
    const terms = weights.data.length / outputs

    const layout = operator === "Conv" ? "oihw" : "iohw"
    const layer = new BatchNorm(outputs, {
      convention: "onnx",
      epsilon,
      gamma,
      beta,
      runningMean: mean,
      runningVariance: variance,
    })
    for (const given of [{ ...normalization, epsilon }, layer]) {
      const folded = foldIntoConv(weights, biased ? bias : null, given, { layout, groups })
      expect(folded.weights.shape).toEqual(kernel)
      const { sum: got } = await convolve(x, folded.weights, Float32Array.from(folded.bias))
      expect(got!.shape).toEqual(due!.shape)
      expectWithin("y", got!.data, due!.data, scales, roundingsOfFolding(terms))
    }
  },
)
