import { foldIntoConv, foldIntoDense } from "batchnorm"
import { expect, test } from "vitest"
import { convolution, ofMagnitudes, roundingsOfFolding, scalesOfFolding } from "./support/folding.ts"
import { arrayOf, batchNorm, tensorOf, tf } from "./support/tfjs.ts"
import { expectWithin } from "./support/within.ts"

const epsilon = 1e-3

type Apply = (x: tf.Tensor, weights: tf.Tensor) => tf.Tensor

const conv1d: Apply = (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 1, "same")
const conv2d: Apply = (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, [2, 1], "same")
/** tf.conv2d has no groups: inputs and outputs are split, outputs joined. */
const groupedConv2d: Apply = (x, w) => {
  const [inputs, kernels] = [tf.split(x, 2, 3), tf.split(w, 2, 3)]
  return tf.concat(
    inputs.map((each, group) => conv2d(each, kernels[group]!)),
    3,
  )
}
const conv3d: Apply = (x, w) => tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, 1, "valid")
const depthwise: Apply = (x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "same")
const transposed: Apply = (x, w) =>
  tf.conv2dTranspose(x as tf.Tensor4D, w as tf.Tensor4D, [x.shape[0]!, 9, 11, w.shape[2]!], 2, "valid")
const dense: Apply = (x, w) => tf.matMul(x, w)
const denseTransposed: Apply = (x, w) => tf.matMul(x, w, false, true)

/** What tf.js makes of weights, and with them of folded ones. */
const cases = [
  {
    op: "tf.conv1d",
    apply: conv1d,
    layout: "hwio",
    groups: 1,
    shape: [3, 11, 4],
    kernel: [3, 4, 5],
    outputs: 5,
    seed: 1100,
  },
  {
    op: "tf.conv2d",
    apply: conv2d,
    layout: "hwio",
    groups: 1,
    shape: [2, 7, 6, 4],
    kernel: [3, 3, 4, 5],
    outputs: 5,
    seed: 1110,
  },
  {
    op: "tf.conv2d",
    apply: groupedConv2d,
    layout: "hwio",
    groups: 2,
    shape: [2, 7, 6, 4],
    kernel: [3, 3, 2, 6],
    outputs: 6,
    seed: 1120,
  },
  {
    op: "tf.conv3d",
    apply: conv3d,
    layout: "hwio",
    groups: 1,
    shape: [2, 4, 5, 6, 3],
    kernel: [2, 3, 2, 3, 4],
    outputs: 4,
    seed: 1130,
  },
  {
    op: "tf.depthwiseConv2d",
    apply: depthwise,
    layout: "hwim",
    groups: undefined,
    shape: [2, 7, 6, 4],
    kernel: [3, 3, 4, 2],
    outputs: 8,
    seed: 1140,
  },
  {
    op: "tf.conv2dTranspose",
    apply: transposed,
    layout: "hwoi",
    groups: 1,
    shape: [2, 4, 5, 4],
    kernel: [3, 3, 3, 4],
    outputs: 3,
    seed: 1150,
  },
  {
    op: "tf.matMul",
    apply: dense,
    layout: "io",
    groups: undefined,
    shape: [7, 12],
    kernel: [12, 5],
    outputs: 5,
    seed: 1160,
  },
  {
    op: "tf.matMul, transposed",
    apply: denseTransposed,
    layout: "oi",
    groups: undefined,
    shape: [7, 12],
    kernel: [5, 12],
    outputs: 5,
    seed: 1170,
  },
] as const

test.each(cases.flatMap((each) => [true, false].map((biased) => ({ ...each, biased }))))(
  "$op, $layout, with weights of $kernel, groups $groups, bias $biased, then tf.batchNorm, is it with folded weights (seed $seed)",
  ({ apply, layout, groups, shape, kernel, outputs, biased, seed }) => {
    const { x, weights, bias, ...normalization } = convolution(seed, shape, kernel, outputs)
    const { gamma, beta, mean, variance } = normalization
    if (!biased) bias.fill(0)
    const [b, m, v, offset, scale] = [bias, mean, variance, beta, gamma].map((each) => tf.tensor1d(each)) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ]
    const due = batchNorm(tf.add(apply(tensorOf(x), tensorOf(weights)), b), m, v, offset, scale, epsilon)
    const given = { ...normalization, epsilon }
    const folded =
      layout === "io" || layout === "oi"
        ? foldIntoDense(weights, biased ? bias : null, given, { layout })
        : foldIntoConv(weights, biased ? bias : null, given, { layout, groups })
    expect(folded.weights.shape).toEqual(kernel)
    const got = tf.add(apply(tensorOf(x), tensorOf(folded.weights)), tf.tensor1d(Float32Array.from(folded.bias)))
    const sums = arrayOf(apply(tensorOf(ofMagnitudes(x)), tensorOf(ofMagnitudes(weights))))
    const scales = scalesOfFolding(sums, sums.shape.length - 1, { ...normalization, bias }, epsilon)
    const terms = weights.data.length / outputs
    expectWithin("y", got.dataSync(), due.dataSync(), scales, roundingsOfFolding(terms))
  },
)
