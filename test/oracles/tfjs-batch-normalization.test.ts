import { batchNormalization, infer } from "batchnorm"
import { describe, expect, test } from "vitest"
import { batch, gammas, normals, product, variances } from "./support/arrays.ts"
import { scalesOf } from "./support/scales.ts"
import { batchNorm, tensorOf, tf } from "./support/tfjs.ts"
import { expectWithin } from "./support/within.ts"

type Shape = readonly number[]

/**
 * Parameters as tf.js takes them: all of one rank, in the shape of x or of its last axes. Sizes of 1 may stand before
 * them, and for the whole of a parameter.
 */
const cases: readonly { shape: Shape; mean: Shape; variance: Shape; offset: Shape; scale: Shape; seed: number }[] = [
  ...alike([9], [[], [1], [9]], 100),
  ...alike([11, 5], [[], [1], [1, 1], [5], [1, 5], [11, 5]], 110),
  ...alike([4, 6, 5], [[], [5], [1, 1, 5], [6, 5], [1, 6, 5], [4, 6, 5]], 120),
  ...alike([3, 4, 6, 5], [[], [5], [1, 1, 1, 5], [6, 5], [4, 6, 5], [1, 4, 6, 5], [3, 4, 6, 5]], 130),
  ...alike([2, 3, 4, 6, 5], [[], [5], [1, 1, 1, 1, 5], [3, 4, 6, 5], [2, 3, 4, 6, 5]], 140),
  { shape: [3, 4, 6, 5], mean: [1], variance: [5], offset: [5], scale: [1], seed: 150 },
  { shape: [3, 4, 6, 5], mean: [1, 5], variance: [6, 5], offset: [1, 1], scale: [6, 5], seed: 151 },
  { shape: [4, 6, 5], mean: [4, 6, 5], variance: [1, 1, 5], offset: [1, 6, 5], scale: [1, 1, 1], seed: 152 },
]

function alike(shape: Shape, parameters: readonly Shape[], seed: number): typeof cases {
  return parameters.map((each, index) => {
    return { shape, mean: each, variance: each, offset: each, scale: each, seed: seed + index }
  })
}

// tf.js computes an element in f64 and rounds it once; the package may round 8 times.
const roundings = 9

describe.each(cases)("[$mean] [$variance] [$offset] [$scale] beside [$shape] (seed $seed)", (each) => {
  const { shape, seed } = each
  const x = batch(seed, shape, [shape.length - 1])
  const parameter = (data: Float32Array<ArrayBuffer>, of: Shape) => ({ data, shape: of })
  const mean = parameter(normals(seed + 1, product(each.mean)), each.mean)
  const variance = parameter(variances(seed + 2, product(each.variance)), each.variance)
  const offset = parameter(normals(seed + 3, product(each.offset)), each.offset)
  const scale = parameter(gammas(seed + 4, product(each.scale)), each.scale)

  test.each([
    { given: "offset and scale", ...{ offset, scale } },
    { given: "offset alone", ...{ offset, scale: undefined } },
    { given: "scale alone", ...{ offset: undefined, scale } },
    { given: "neither offset nor scale", ...{ offset: undefined, scale: undefined } },
  ])("batchNormalization with $given is tf.batchNorm", ({ offset, scale }) => {
    // Each element is a channel of its own here, whose parameters are those that lie there.
    const spread = (values: ArrayLike<number>) => x.data.map((_, index) => values[index % values.length]!)
    for (const epsilon of [undefined, 0, 1e-5, 0.5]) {
      const { y } = scalesOf({
        x,
        axes: [...shape.keys()],
        gamma: spread(scale?.data ?? [1]),
        beta: spread(offset?.data ?? [0]),
        epsilon: epsilon ?? 1e-3,
        statistics: { mean: spread(mean.data), variance: spread(variance.data) },
      })
      const [means, spreads] = [tensorOf(mean), tensorOf(variance)]
      const [shift, factor] = [offset, scale].map((each) => each && tensorOf(each))
      const due = batchNorm(tensorOf(x), means, spreads, shift, factor, epsilon)
      const got = batchNormalization(x, mean, variance, offset, scale, epsilon)
      expect(got.shape).toEqual(due.shape)
      expectWithin(`ε ${epsilon}`, got.data, due.dataSync(), y, roundings)
    }
  })
})

test.each([
  { rank: 2, shape: [31, 7], seed: 160 },
  { rank: 3, shape: [5, 8, 7], seed: 161 },
  { rank: 4, shape: [3, 5, 4, 7], seed: 162 },
])("batchNormalization and infer are tf.batchNorm$rank\\d (seed $seed)", ({ rank, shape, seed }) => {
  const x = batch(seed, shape, [rank - 1])
  const [mean, variance, offset, scale] = [
    normals(seed + 1, 7),
    variances(seed + 2, 7),
    normals(seed + 3, 7),
    gammas(seed + 4, 7),
  ]
  const parameters = [mean, variance, offset, scale].map((each) => tf.tensor1d(each)) as [tf.Tensor1D, tf.Tensor1D]
  const oracles = { 2: tf.batchNorm2d, 3: tf.batchNorm3d, 4: tf.batchNorm4d }
  const due = oracles[rank as 2](tensorOf(x) as tf.Tensor2D, ...parameters, 1e-4).dataSync()
  const axes = [rank - 1]
  const { y } = scalesOf({ x, axes, gamma: scale, beta: offset, epsilon: 1e-4, statistics: { mean, variance } })
  const got = batchNormalization(x, mean, variance, offset, scale, 1e-4)
  expectWithin("batchNormalization", got.data, due, y, roundings)
  const inferred = infer(x, { mean, variance, beta: offset, gamma: scale, epsilon: 1e-4 })
  expectWithin("infer", inferred.data, due, y, roundings)
})
