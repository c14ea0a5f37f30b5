import "@tensorflow/tfjs-backend-cpu"
import "@tensorflow/tfjs-core/dist/register_all_gradients.js"
import * as tf from "@tensorflow/tfjs-core"
import type { NdArray } from "batchnorm"

// Else it tells how to become faster.
tf.enableProdMode()
await tf.setBackend("cpu")

export { tf }

/** tf.batchNorm, whose types know vectors and tensors of x's rank only. */
export const batchNorm = tf.batchNorm as (
  x: tf.Tensor,
  mean: tf.Tensor,
  variance: tf.Tensor,
  offset?: tf.Tensor,
  scale?: tf.Tensor,
  epsilon?: number,
) => tf.Tensor

/** The tensor of an array. */
export function tensorOf({ data, shape }: NdArray<Float32Array>): tf.Tensor {
  return tf.tensor(data, [...shape])
}

/** The array of a float32 tensor. */
export function arrayOf(tensor: tf.Tensor): NdArray<Float32Array> {
  return { data: tensor.dataSync<"float32">(), shape: tensor.shape }
}

/** The numbers of tensors, in f64 arithmetic's type. */
export function numbersOf(tensors: readonly tf.Tensor[]): number[][] {
  return tensors.map((tensor) => [...tensor.dataSync()])
}

/** A tensor of channels-first data with the channels last. */
export function channelsLast(x: tf.Tensor): tf.Tensor {
  const [batch, , ...inner] = [...x.shape.keys()]
  return tf.transpose(x, [batch!, ...inner, 1])
}

/** And back. */
export function channelsFirst(x: tf.Tensor): tf.Tensor {
  const [batch, ...inner] = [...x.shape.keys()].slice(0, -1)
  return tf.transpose(x, [batch!, x.rank - 1, ...inner])
}
