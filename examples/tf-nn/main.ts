// The functions of tf.nn, by their names and with their arguments in their order, on the handwritten digits: 1,797 rows
// (images) of 64 columns (pixels). Each line stands under its TensorFlow equivalent.

import { batchNormalization, moments } from "batchnorm"
import { readDigits } from "../digits/data.ts"
import { pixels } from "../digits/images.ts"
import { printAll, printByColumn } from "./print.ts"

const data = readDigits().x

// Each column by itself.
{
  // mean, variance = tf.nn.moments(data, [0])
  const { mean, variance } = moments(data, [0])

  // offset = tf.zeros([64])
  const offset = new Float32Array(pixels)

  // scale = tf.ones([64])
  const scale = new Float32Array(pixels).fill(1)

  // normalized = tf.nn.batch_normalization(data, mean, variance, offset, scale, 1e-3)
  const normalized = batchNormalization(data, mean, variance, offset, scale, 1e-3)

  printByColumn(data, { mean, variance }, normalized, moments(normalized, [0]))
}

// All the data together.
{
  // mean, variance = tf.nn.moments(data, [0, 1])
  const { mean, variance } = moments(data, [0, 1])

  // offset = tf.zeros([])
  const offset = 0

  // scale = tf.ones([])
  const scale = 1

  // normalized = tf.nn.batch_normalization(data, mean, variance, offset, scale, 1e-3)
  const normalized = batchNormalization(data, mean, variance, offset, scale, 1e-3)

  printAll({ mean, variance }, moments(normalized, [0, 1]))
}
