// Channels whose statistics are dyadic: mean a multiple of 1/8 and variance 1/4, 1 or 4, over a power of two of
// elements. With ε = 0 every result, and every number on the way to it, is then exact in f32, so tests compare by
// equality.
import { groups } from "./naive.ts"

export interface Layout {
  readonly name: string
  readonly shape: readonly number[]
  /** The channel axes. */
  readonly axis: readonly number[]
}

/** One of each pattern that the kernels tell apart. */
export const layouts: readonly Layout[] = [
  { name: "rows of channels", shape: [8, 3], axis: [1] },
  { name: "channels-last images", shape: [2, 2, 4, 5], axis: [3] },
  { name: "channels-last, many channels", shape: [16, 70], axis: [1] },
  { name: "channels-first images", shape: [4, 3, 2, 4], axis: [1] },
  { name: "channels-first, one sample", shape: [3, 64], axis: [0] },
  { name: "one channel", shape: [4, 8], axis: [] },
  { name: "channels of each sample", shape: [2, 8, 3], axis: [0, 2] },
  { name: "channels of each sample, in both patterns", shape: [2, 4, 3, 4], axis: [0, 2] },
  { name: "axes that alternate, channels last", shape: [2, 2, 3, 4, 5], axis: [0, 2, 4] },
  { name: "axes that alternate, channels first", shape: [2, 3, 2, 5, 4], axis: [1, 3] },
  { name: "axes of size 1", shape: [1, 8, 1, 3, 1], axis: [3] },
]

export interface Design {
  /** For each channel, the places of its elements. */
  readonly places: readonly (readonly number[])[]
  readonly x: Float64Array
  readonly dy: Float64Array
  readonly mean: readonly number[]
  readonly variance: readonly number[]
  readonly gamma: readonly number[]
  readonly beta: readonly number[]
}

const parity = (index: number): number => index.toString(2).replaceAll("0", "").length % 2

export function design({ shape, axis }: Layout): Design {
  const reduced = [...shape.keys()].filter((each) => !axis.includes(each))
  const places = groups(shape, reduced)
  const length = shape.reduce((size, each) => size * each, 1)
  const x = new Float64Array(length)
  const dy = Float64Array.from({ length }, (_, index) => ((index * 31) % 17) / 4 - 2)
  const mean = places.map((_, channel) => ((channel * 37) % 41) / 8 - 2)
  const spread = places.map((_, channel) => [0.5, 1, 2][channel % 3]!)
  for (const [channel, each] of places.entries()) {
    for (const [index, place] of each.entries()) {
      const sign = 1 - 2 * parity((index * 5 + channel) % each.length)
      x[place] = mean[channel]! + sign * spread[channel]!
    }
  }
  return {
    places,
    x,
    dy,
    mean,
    variance: spread.map((each) => each ** 2),
    gamma: places.map((_, channel) => ((channel * 7) % 11) / 4 - 1.25),
    beta: places.map((_, channel) => ((channel * 5) % 13) / 4 - 1.5),
  }
}

/** y = (x-μ)·r·γ + β, then the activation. */
export function expectedY({ places, x, mean, variance, gamma, beta }: Design, relu = false): number[] {
  const y = Array.from(x)
  for (const [channel, each] of places.entries()) {
    const scale = gamma[channel]! / Math.sqrt(variance[channel]!)
    for (const place of each) y[place] = (x[place]! - mean[channel]!) * scale + beta[channel]!
  }
  return relu ? y.map((value) => Math.max(0, value)) : y
}

/** dγ, dβ and dx, by the formulas of the design; `slope` is dy as the activation lets it through. */
export function expectedGradients(
  { places, x, mean, variance, gamma }: Design,
  slope: ArrayLike<number>,
  frozen = false,
): { dx: number[]; dgamma: number[]; dbeta: number[] } {
  const dx = Array.from(x)
  const dgamma: number[] = []
  const dbeta: number[] = []
  for (const [channel, each] of places.entries()) {
    const r = 1 / Math.sqrt(variance[channel]!)
    const normalized = (place: number) => (x[place]! - mean[channel]!) * r
    const sum = (term: (place: number) => number) => each.reduce((total, place) => total + term(place), 0)
    const beta = sum((place) => slope[place]!)
    const gammaSum = sum((place) => slope[place]! * normalized(place))
    dbeta.push(beta)
    dgamma.push(gammaSum)
    for (const place of each) {
      const share = frozen ? 0 : (beta + normalized(place) * gammaSum) / each.length
      dx[place] = gamma[channel]! * r * (slope[place]! - share)
    }
  }
  return { dx, dgamma, dbeta }
}

/** Numbers without the sign of their zeros. */
export const plain = (values: ArrayLike<number>): number[] => Array.from(values, (value) => value + 0)
