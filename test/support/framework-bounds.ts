// How near a result has to come to what a framework computed: the table of docs/numerics.md, and what follows from it.
import { expect } from "vitest"
import { exact, ratio } from "../reference.ts"
import type { Dtype } from "./numerics-arrays.ts"
import { unit } from "./numerics-contract.ts"

/** The table's u, and the factors of |μ| in what is due to statistics of the batch, and to given ones. */
export interface Accuracy {
  readonly u: number
  readonly batchLoss: number
  readonly givenLoss: number
}

/**
 * The contract's, where what is due is known better than that. Where it was computed in float64 itself, by plain sums of up
 * to 2⁸ terms and without care for |μ|, 2⁻⁴⁵ stands for all three.
 */
export function accuracyOf(dtype: Dtype, isExact: boolean): Accuracy {
  if (dtype === "float64" && !isExact) return { u: 2 ** -45, batchLoss: 2 ** -45, givenLoss: 2 ** -45 }
  return { u: unit[dtype], batchLoss: 2 ** -50, givenLoss: 0 }
}

/** Collects what is out of bound. */
export class Verdict {
  readonly #broken: string[] = []

  /** Each number within its bound of what is due. */
  near(what: string, got: ArrayLike<number>, due: ArrayLike<number>, bound: (index: number) => number): void {
    expect(got.length, what).toBe(due.length)
    for (const [index, value] of Array.from(due).entries()) {
      const worst = ratio(got[index]!, exact(value), bound(index))
      if (!(worst <= 1)) this.#broken.push(`${what}[${index}]: ${got[index]} for ${value}, error / bound ${worst}`)
    }
  }

  close(): void {
    expect(this.#broken.length, this.#broken.slice(0, 8).join("\n")).toBe(0)
  }
}

/** The errors of a channel's statistics. */
export interface StatisticsErrors {
  readonly mean: number
  readonly variance: number
}

/** Of the statistics of a batch: mean 4u·σ + 2⁻⁵⁰·|μ|, variance 16u·σ². */
export function errorsOfBatch({ u, batchLoss }: Accuracy, mean: number, variance: number): StatisticsErrors {
  return { mean: 4 * u * Math.sqrt(variance) + batchLoss * Math.abs(mean), variance: 16 * u * variance }
}

/** What one channel's results are computed from. */
export interface ChannelNumbers {
  readonly mean: number
  readonly variance: number
  readonly gamma: number
  readonly beta: number
  readonly epsilon: number
}

/** A channel's statistics are of the batch, given, or a layer's running ones, which have errors of their own. */
export type Origin = "batch" | "given" | StatisticsErrors

/** The bounds of one channel's results. */
export class ChannelBounds {
  readonly #accuracy: Accuracy
  readonly #numbers: ChannelNumbers
  readonly #origin: Origin
  readonly #errors: StatisticsErrors
  readonly #r: number
  readonly #slope: number

  constructor(accuracy: Accuracy, numbers: ChannelNumbers, origin: Origin) {
    const { mean, variance, gamma, epsilon } = numbers
    const given = { mean: accuracy.givenLoss * Math.abs(mean), variance: 0 }
    this.#accuracy = accuracy
    this.#numbers = numbers
    this.#origin = origin
    this.#errors = origin === "batch" ? errorsOfBatch(accuracy, mean, variance) : origin === "given" ? given : origin
    this.#r = variance + epsilon > 0 ? 1 / Math.sqrt(variance + epsilon) : 0
    this.#slope = Math.abs(gamma) * this.#r
  }

  /** x̂. */
  #normalized(x: number): number {
    return Math.abs(x - this.#numbers.mean) * this.#r
  }

  /** Of x̂, by the errors of μ and of r = 1/√(σ²+ε). */
  #errorOfNormalized(x: number): number {
    return this.#errors.mean * this.#r + this.#normalized(x) * this.#errorOfSlope()
  }

  /** Of r, as a part of r. */
  #errorOfSlope(): number {
    return (this.#errors.variance * this.#r ** 2) / 2
  }

  /** Of y; a residual is one more term, rounded once more. */
  y(x: number, residual = 0): number {
    const { u, batchLoss } = this.#accuracy
    const { mean, gamma, beta } = this.#numbers
    const scale = Math.max(Math.abs(gamma) * Math.max(1, this.#normalized(x)), Math.abs(beta)) + Math.abs(residual)
    if (this.#origin === "batch") return 16 * u * scale + batchLoss * Math.abs(mean) * this.#slope
    return 8 * u * scale + Math.abs(gamma) * this.#errorOfNormalized(x)
  }

  /**
   * Of the gradients, for all elements of the channel: the table's, which are for the statistics that were used, and what
   * the errors of those add. `dy` is what a ReLU let through; each element has the share w/Σw in dx, 1/m without weights.
   */
  gradients(x: readonly number[], dy: readonly number[], weights: readonly number[] = x.map(() => 1)) {
    const { u } = this.#accuracy
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const sum = (term: (index: number) => number) =>
      dy.reduce((all, each, index) => all + Math.abs(each) * term(index), 0)
    const slopes = sum(() => 1)
    const products = sum((index) => this.#normalized(x[index]!))
    const drift = sum((index) => this.#errorOfNormalized(x[index]!))
    const dgamma = 16 * u * products + drift
    return {
      dbeta: 8 * u * slopes,
      dgamma,
      /** dμ = -γ·r·dβ. */
      dmean: this.#slope * (16 * u + this.#errorOfSlope()) * slopes,
      /** dσ² = -γ·r²·dγ/2. */
      dvariance: (this.#slope * this.#r * (dgamma + (16 * u + 2 * this.#errorOfSlope()) * products)) / 2,
      dx: (index: number) => {
        const [normalized, share] = [this.#normalized(x[index]!), weights[index]! / total]
        const terms = Math.abs(dy[index]!) + share * (slopes + normalized * products)
        const moved = share * (this.#errorOfNormalized(x[index]!) * products + normalized * drift)
        return this.#slope * ((24 * u + this.#errorOfSlope()) * terms + moved)
      },
    }
  }
}
