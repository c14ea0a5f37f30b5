import { moments } from "batchnorm"
import { expect, test } from "vitest"
import { batch } from "./support/arrays.ts"
import { scalesOf } from "./support/scales.ts"
import { tensorOf, tf } from "./support/tfjs.ts"
import { expectWithin } from "./support/within.ts"

/** The axes that are reduced; undefined: all. */
const cases: readonly { shape: number[]; axes: number | number[] | undefined; seed: number }[] = [
  { shape: [257], axes: [0], seed: 1 },
  { shape: [257], axes: undefined, seed: 2 },
  { shape: [64, 17], axes: [0], seed: 3 },
  { shape: [64, 17], axes: 0, seed: 4 },
  { shape: [17, 64], axes: 1, seed: 5 },
  { shape: [17, 64], axes: -1, seed: 6 },
  { shape: [17, 64], axes: undefined, seed: 7 },
  { shape: [9, 7, 33], axes: [0, 1], seed: 8 },
  { shape: [9, 7, 33], axes: [1], seed: 9 },
  { shape: [9, 33, 7], axes: [0, -1], seed: 10 },
  { shape: [4, 9, 11, 5], axes: [0, 1, 2], seed: 11 },
  { shape: [4, 5, 9, 11], axes: [0, 2, 3], seed: 12 },
  { shape: [4, 9, 11, 5], axes: [1, 2], seed: 13 },
  { shape: [4, 9, 11, 5], axes: [3], seed: 14 },
  { shape: [4, 9, 11, 5], axes: undefined, seed: 15 },
  { shape: [3, 4, 5, 6, 7], axes: [0, 2, 4], seed: 16 },
  { shape: [3, 4, 5, 6, 7], axes: [1, 3], seed: 17 },
  { shape: [2, 3, 4, 3, 4, 5], axes: [0, 1, 3], seed: 18 },
  { shape: [1, 12], axes: [0], seed: 19 },
  { shape: [1], axes: undefined, seed: 20 },
]

// tf.js rounds a mean twice (x/m, the sum) and a variance six times (x-μ counts double, its square, the quotient, the
// sum, and the mean it subtracts), the package may 4 and 16 times.
const roundings = { mean: 6, variance: 22 }

test.each(cases)("moments over axes $axes of $shape are tf.moments' (seed $seed)", ({ shape, axes, seed }) => {
  const reduced = axes === undefined ? shape.map((_, axis) => axis) : [axes].flat()
  const kept = [...shape.keys()].filter((axis) => !reduced.includes(axis) && !reduced.includes(axis - shape.length))
  const x = batch(seed, shape, kept)
  const none = { gamma: [], beta: [], epsilon: 0 }
  const scales = scalesOf({ x, axes: kept, ...none })
  for (const keepDims of [false, true]) {
    const due = tf.moments(tensorOf(x), axes, keepDims)
    const got = moments(x, axes, { keepDims })
    expect(got.mean.shape).toEqual(due.mean.shape)
    expect(got.variance.shape).toEqual(due.variance.shape)
    expectWithin("mean", got.mean.data, due.mean.dataSync(), scales.mean, roundings.mean)
    expectWithin("variance", got.variance.data, due.variance.dataSync(), scales.variance, roundings.variance)
  }
})
