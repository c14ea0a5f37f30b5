import type { NdArray } from "batchnorm"
import { expect } from "vitest"
import { gammas, normalArray, normals } from "./arrays.ts"
import { type Normalization, type Scales, scalesOf } from "./scales.ts"
import { tf } from "./tfjs.ts"

/** dy, β and γ that go with x. */
export function parametersOf(x: NdArray<Float32Array>, axes: readonly number[], seed: number) {
  const channels = axes.reduce((size, axis) => size * x.shape[axis]!, 1)
  return {
    dy: normalArray(seed + 100, x.shape),
    beta: normals(seed + 200, channels),
    gamma: gammas(seed + 300, channels),
  }
}

/** A function's value and its gradients with respect to each argument, in their order. */
export function differentiate(
  f: (...args: tf.Tensor[]) => tf.Tensor,
  args: readonly tf.Tensor[],
  dy: tf.Tensor,
): { value: tf.Tensor; gradients: tf.Tensor[] } {
  return { value: f(...args), gradients: tf.grads(f)([...args], dy) }
}

/**
 * The scales behind a ReLU, of the dy that it lets through. Where y before it is so near to 0 that rounding decides its
 * sign, nothing can be compared: that is an error of the test's inputs.
 */
export function scalesBehindRelu(
  normalization: Normalization,
  before: ArrayLike<number>,
  dy: ArrayLike<number>,
): Scales {
  const scales = scalesOf({ ...normalization, dy: Array.from(dy, (slope, index) => (before[index]! > 0 ? slope : 0)) })
  const nearest = Math.min(...scales.y.map((scale, index) => Math.abs(before[index]!) / scale))
  expect(nearest, "the y before the ReLU that is nearest to 0: take another seed").toBeGreaterThan(2 ** -17)
  return scales
}
