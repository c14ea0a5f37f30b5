import { moments } from "batchnorm"
import { type Matrix, zeros } from "./matrix.ts"
import { mulberry32, permutation } from "./random.ts"

/** Images and what they show. */
export interface Images {
  /** One image of 8×8 pixels per row, each 0 … 16. */
  readonly x: Matrix
  /** The digit that each shows. */
  readonly labels: Uint8Array
}

export const pixels = 64
export const classes = 10
const testImages = 360

// Apart from the seed of a run, so that every run is judged by the same images.
const splitSeed = 0

/** The images of the file, in its order. A line is the 64 pixels and the digit, separated by commas. */
export function parseDigits(text: string): Images {
  const lines = text.trimEnd().split("\n")
  const x = zeros(lines.length, pixels)
  const labels = new Uint8Array(lines.length)
  for (const [i, line] of lines.entries()) {
    const numbers = line.split(",").map(Number)
    x.data.set(numbers.slice(0, pixels), i * pixels)
    labels[i] = numbers[pixels]!
  }
  return { x, labels }
}

/** Shuffled: 360 images to test with, the other 1,437 to train with. */
export function split(images: Images): { train: Images; test: Images } {
  const order = permutation(images.labels.length, mulberry32(splitSeed))
  return { test: select(images, order.subarray(0, testImages)), train: select(images, order.subarray(testImages)) }
}

/** The images named by `indices`, copied. */
export function select({ x, labels }: Images, indices: Uint32Array): Images {
  const columns = x.shape[1]
  const selected = zeros(indices.length, columns)
  for (const [row, i] of indices.entries()) {
    selected.data.set(x.data.subarray(i * columns, (i + 1) * columns), row * columns)
  }
  return { x: selected, labels: Uint8Array.from(indices, (i) => labels[i]!) }
}

/**
 * Standardizes each pixel: minus its mean, over its standard deviation. Both are those of `training` alone, for
 * the test images too: nothing may be known of them beforehand. A pixel that never changes there becomes 0.
 */
export function standardizer(training: Matrix): (x: Matrix) => Matrix {
  const { mean, variance } = moments(training, [0])
  const deviation = variance.data.map(Math.sqrt)
  return ({ data, shape }) => ({
    data: data.map((value, i) => {
      const pixel = i % pixels
      return deviation[pixel] === 0 ? 0 : (value - mean.data[pixel]!) / deviation[pixel]!
    }),
    shape,
  })
}
