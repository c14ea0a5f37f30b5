import type { NdArray } from "batchnorm"
import { placesOf } from "../../reference.ts"
import { Random } from "../../support/numerics-random.ts"

export const product = (shape: readonly number[]): number => shape.reduce((size, axis) => size * axis, 1)

/** Numbers that float32 holds, so that both sides are given the same. */
export function vector(seed: number, length: number, value: (random: Random) => number): Float32Array<ArrayBuffer> {
  const random = new Random(seed)
  return Float32Array.from({ length }, () => value(random))
}

export const normals = (seed: number, length: number) => vector(seed, length, (random) => random.normal())

/** Variances of 0.25 to 2.25. */
export const variances = (seed: number, length: number) => vector(seed, length, (random) => 0.25 + 2 * random.uniform())

/** γ of 0.5 to 1.5, of either sign. */
export const gammas = (seed: number, length: number) =>
  vector(seed, length, (random) => (0.5 + random.uniform()) * random.pick([-1, 1]))

/** An array of rank 1. */
export const vectorOf = (data: Float32Array<ArrayBuffer>) => ({ data, shape: [data.length] })

export function normalArray(seed: number, shape: readonly number[]): NdArray<Float32Array<ArrayBuffer>> {
  return { data: normals(seed, product(shape)), shape }
}

/**
 * A batch whose channels have deviations of 0.5 to 2 and means up to two deviations from 0: float32 arithmetic that
 * rounds the mean, as the oracles' does, loses next to nothing there.
 */
export function batch(
  seed: number,
  shape: readonly number[],
  axes: readonly number[],
): NdArray<Float32Array<ArrayBuffer>> {
  const random = new Random(seed)
  const data = new Float32Array(product(shape))
  for (const places of placesOf(shape, axes)) {
    const deviation = 0.5 + 1.5 * random.uniform()
    const mean = deviation * (4 * random.uniform() - 2)
    for (const place of places) data[place] = mean + deviation * random.normal()
  }
  return { data, shape }
}
