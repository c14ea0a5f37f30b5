import type { Answer, Operation } from "./peers/peer.ts"
import type { Workload } from "./workloads.ts"

/** The right answers to a workload: textbook two-pass formulas in f64, without a thought for speed. */
export function answers({ layout, shape, channels, x, dy, gamma, beta, epsilon }: Workload): Record<Operation, Answer> {
  const inner = layout === "channels-last" ? 1 : shape.slice(2).reduce((product, size) => product * size, 1)
  const channelOf = (index: number) => Math.floor(index / inner) % channels
  const m = x.length / channels
  const sum = (term: (index: number, channel: number) => number) => {
    const sums = new Float64Array(channels)
    for (let i = 0; i < x.length; i++) sums[channelOf(i)]! += term(i, channelOf(i))
    return sums
  }
  const map = (of: (index: number, channel: number) => number) => Float64Array.from(x, (_, i) => of(i, channelOf(i)))

  const mean = sum((i) => x[i]!).map((total) => total / m)
  const variance = sum((i, c) => (x[i]! - mean[c]!) ** 2).map((total) => total / m)
  const r = variance.map((value) => 1 / Math.sqrt(value + epsilon))
  const standardized = map((i, c) => (x[i]! - mean[c]!) * r[c]!)
  const y = map((i, c) => standardized[i]! * gamma[c]! + beta[c]!)
  const dbeta = sum((i) => dy[i]!)
  const dgamma = sum((i) => dy[i]! * standardized[i]!)
  const dx = map((i, c) => gamma[c]! * r[c]! * (dy[i]! - dbeta[c]! / m - (standardized[i]! * dgamma[c]!) / m))
  return {
    moments: { mean, variance },
    forward: { y, mean, variance },
    infer: { y },
    backward: { dx, dgamma, dbeta },
  }
}

/** The largest error of an answer, each result's relative to its largest value. */
export function errorOf(answer: Answer, right: Answer): number {
  let worst = 0
  for (const [name, values] of Object.entries(right)) {
    const found = answer[name]
    if (found?.length !== values.length) return Number.POSITIVE_INFINITY
    let largest = 0
    let error = 0
    for (let i = 0; i < values.length; i++) {
      largest = Math.max(largest, Math.abs(values[i]!))
      error = Math.max(error, Math.abs(found[i]! - values[i]!)) // NaN stays
    }
    worst = Math.max(worst, error / largest)
  }
  return worst
}

/** Above this a peer is wrong and is not timed: some last places of f32. */
export const tolerance = 1e-5
