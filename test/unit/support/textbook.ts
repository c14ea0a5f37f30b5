// Batch normalization with weights and a residual by its formulas, element by element in doubles: only for numbers
// that are far from any trouble.
import { groups } from "./naive.ts"

/** What is normalized, how, and what counts. */
export interface Problem {
  readonly shape: readonly number[]
  /** The channel axes. */
  readonly axis: readonly number[]
  readonly x: ArrayLike<number>
  readonly epsilon: number
  readonly gamma?: ArrayLike<number>
  readonly beta?: ArrayLike<number>
  /** One for each element; absent: 1. */
  readonly weights?: ArrayLike<number> | undefined
  readonly residual?: ArrayLike<number> | undefined
  readonly relu?: boolean
  /** Statistics to normalize by, in place of the batch's. */
  readonly given?: { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> } | undefined
}

/** Per channel, and y of every element. */
export interface Solution {
  /** For each channel, the places of its elements. */
  readonly places: readonly (readonly number[])[]
  readonly mean: number[]
  readonly variance: number[]
  /** Σw. */
  readonly count: number[]
  readonly y: number[]
}

/** The gradients that there are. */
export interface Slopes {
  readonly dx: number[]
  readonly dgamma: number[]
  readonly dbeta: number[]
  readonly dmean: number[]
  readonly dvariance: number[]
  readonly dresidual: number[]
}

const sum = (terms: readonly number[]): number => terms.reduce((total, term) => total + term, 0)

const placesOf = ({ shape, axis }: Problem): number[][] => {
  const counted = axis.map((each) => (each < 0 ? each + shape.length : each))
  return groups(
    shape,
    [...shape.keys()].filter((each) => !counted.includes(each)),
  )
}

/** μ = Σwx/W, σ² = Σw(x-μ)²/W, y = act((x-μ)/√(σ²+ε)·γ + β + residual). */
export function solve(problem: Problem): Solution {
  const { x, epsilon, gamma, beta, weights, residual, relu, given } = problem
  const places = placesOf(problem)
  const weight = (place: number) => weights?.[place] ?? 1
  const [mean, variance, count] = [[] as number[], [] as number[], [] as number[]]
  const y = Array.from(x)
  for (const [channel, all] of places.entries()) {
    const counting = all.filter((place) => weight(place) > 0)
    const total = sum(counting.map(weight))
    const μ = given?.mean[channel] ?? sum(counting.map((place) => weight(place) * x[place]!)) / total
    const m2 = sum(counting.map((place) => weight(place) * (x[place]! - μ) ** 2))
    const σ2 = given?.variance[channel] ?? m2 / total
    mean.push(μ)
    variance.push(σ2)
    count.push(total)
    const scale = (gamma?.[channel] ?? 1) * inverseDeviation(σ2, epsilon)
    for (const place of all) {
      const z = (x[place]! - μ) * scale + (beta?.[channel] ?? 0) + (residual?.[place] ?? 0)
      y[place] = relu && z <= 0 ? 0 : z
    }
  }
  return { places, mean, variance, count, y }
}

/**
 * With dy' = 0 where the weight is 0 or the ReLU was, else dy: dβ = Σdy', dγ = Σdy'·x̂,
 * dx = γ·r·(dy' - w·dβ/W - w·x̂·dγ/W), dresidual = dy'; with given statistics dx = γ·r·dy', dmean = -γ·r·dβ and
 * dvariance = -γ·r²·dγ/2.
 */
export function slopes(problem: Problem, dy: ArrayLike<number>): Slopes {
  const { x, epsilon, gamma, weights, relu, given } = problem
  const { places, mean, variance, count, y } = solve(problem)
  const weight = (place: number) => weights?.[place] ?? 1
  const dresidual = Array.from(dy, (slope, place) => (weight(place) === 0 || (relu && y[place] === 0) ? 0 : slope))
  const dx = dresidual.map(() => 0)
  const vectors = { dgamma: [] as number[], dbeta: [] as number[], dmean: [] as number[], dvariance: [] as number[] }
  for (const [channel, all] of places.entries()) {
    const r = inverseDeviation(variance[channel]!, epsilon)
    const slope = gamma?.[channel] ?? 1
    const counting = all.filter((place) => weight(place) > 0)
    const normalized = (place: number) => (x[place]! - mean[channel]!) * r
    const dbeta = sum(counting.map((place) => dresidual[place]!))
    const dgamma = sum(counting.map((place) => dresidual[place]! * normalized(place)))
    vectors.dbeta.push(dbeta)
    vectors.dgamma.push(dgamma)
    vectors.dmean.push(-slope * r * dbeta)
    vectors.dvariance.push((-slope * r * r * dgamma) / 2)
    for (const place of counting) {
      const share = given ? 0 : (weight(place) * (dbeta + normalized(place) * dgamma)) / count[channel]!
      dx[place] = slope * r * (dresidual[place]! - share)
    }
  }
  return { dx, dresidual, ...vectors }
}

/** 0 where there is nothing to divide by. */
const inverseDeviation = (variance: number, epsilon: number): number =>
  variance + epsilon === 0 ? 0 : 1 / Math.sqrt(variance + epsilon)
