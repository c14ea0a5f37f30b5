import type { NdArray } from "batchnorm"
import { placesOf } from "../../reference.ts"

/** What a batch is normalized with. */
export interface Normalization {
  readonly x: NdArray
  /** The channel axes. */
  readonly axes: readonly number[]
  readonly gamma: ArrayLike<number>
  readonly beta: ArrayLike<number>
  readonly epsilon: number
  /** What reaches y in the backward pass, behind the activation. */
  readonly dy?: ArrayLike<number>
  /** One per element of x; 1 unless given. */
  readonly weights?: ArrayLike<number>
  /** Those of the batch unless given. */
  readonly statistics?: { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> }
}

/** The magnitudes that errors are measured by: sums of magnitudes of terms, which no cancellation makes small. */
export interface Scales {
  /** √(Σwx²/Σw), which is no less than |μ|, σ and Σw|x|/Σw. */
  readonly mean: number[]
  /** σ². */
  readonly variance: number[]
  /** |γ|·max(1, |x̂|) + |β|. */
  readonly y: number[]
  /** |γ|·r·(|x| + |μ|) + y's: of x·(γ·r) + (β - μ·γ·r). */
  readonly expanded: number[]
  /** |γ|·r·(|dy| + (1 + |x̂|)·w·Σ(|dy|·(1 + |x̂|))/Σw): of batch statistics, and more than that of given ones. */
  readonly dx: number[]
  /** Σ|dy|·(1 + |x̂|). */
  readonly dgamma: number[]
  /** Σ|dy|. */
  readonly dbeta: number[]
}

export function scalesOf({ x, axes, gamma, beta, epsilon, dy, weights, statistics }: Normalization): Scales {
  const scales: Scales = {
    mean: [],
    variance: [],
    y: [],
    expanded: [],
    dx: [],
    dgamma: [],
    dbeta: [],
  }
  for (const [channel, places] of placesOf(x.shape, axes).entries()) {
    const sum = (value: (place: number) => number) => places.reduce((sum, place) => sum + value(place), 0)
    const weight = (place: number) => weights?.[place] ?? 1
    const total = sum(weight)
    const average = (value: (place: number) => number) => sum((place) => weight(place) * value(place)) / total
    const at = (place: number) => x.data[place]!
    const slope = (place: number) => Math.abs(dy?.[place] ?? 0)
    const mean = statistics?.mean[channel] ?? average(at)
    const variance = statistics?.variance[channel] ?? average((place) => (at(place) - mean) ** 2)
    const r = 1 / Math.sqrt(variance + epsilon)
    const distance = (place: number) => Math.abs(at(place) - mean) * r
    const [g, b] = [Math.abs(gamma[channel]!), Math.abs(beta[channel]!)]
    const slopes = sum((place) => slope(place) * (1 + distance(place)))

    scales.mean.push(Math.sqrt(average((place) => at(place) ** 2)))
    scales.variance.push(variance)
    scales.dgamma.push(slopes)
    scales.dbeta.push(sum(slope))
    for (const place of places) {
      const y = g * Math.max(1, distance(place)) + b
      scales.y[place] = y
      scales.expanded[place] = g * r * (Math.abs(at(place)) + Math.abs(mean)) + y
      scales.dx[place] = g * r * (slope(place) + ((1 + distance(place)) * slopes * weight(place)) / total)
    }
  }
  return scales
}
