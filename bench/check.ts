// The right answers: textbook two-pass formulas in f64, without a thought for speed. Errors are relative to the scales
// of docs/numerics.md, the magnitudes that a result is made of, in units of u = 2⁻²⁴, half of float32's last place.
import type { Answer, Operation } from "./peers/peer.ts"
import type { Workload } from "./workloads.ts"

const u = 2 ** -24

/** Above this many u a peer is wrong: of float32's 24 bits fewer than ten are right. */
export const tolerance = 2 ** 14

/** What an answer to each operation consists of. */
const results = {
  moments: ["mean", "variance"],
  forward: ["y", "mean", "variance"],
  infer: ["y"],
  backward: ["dx", "dgamma", "dbeta"],
  step: ["y", "dx", "dgamma", "dbeta"],
} as const satisfies Record<Operation, readonly string[]>

/** What is right for one element of a result, and the scale of its error. */
type Due = (element: number, channel: number) => readonly [value: number, scale: number]

/** Judges answers to one workload: the largest error, in u; infinite where a result is missing or short. */
export function judge(workload: Workload): (operation: Operation, answer: Answer) => number {
  const { x, dy, gamma, beta, epsilon, channels, layout, shape } = workload
  const inner = layout === "channels-last" ? 1 : shape.slice(2).reduce((product, size) => product * size, 1)
  const m = x.length / channels

  const each = (visit: (element: number, channel: number) => void) => {
    for (let element = 0; element < x.length; ) {
      for (let channel = 0; channel < channels; channel++) {
        for (let i = 0; i < inner; i++, element++) visit(element, channel)
      }
    }
  }
  const sums = (term: (element: number, channel: number) => number) => {
    const totals = new Float64Array(channels)
    each((element, channel) => {
      totals[channel]! += term(element, channel)
    })
    return totals
  }

  const mean = sums((i) => x[i]!).map((total) => total / m)
  const variance = sums((i, c) => (x[i]! - mean[c]!) ** 2).map((total) => total / m)
  const r = variance.map((value) => 1 / Math.sqrt(value + epsilon))
  const xHat = (i: number, c: number) => (x[i]! - mean[c]!) * r[c]!
  const dbeta = sums((i) => dy[i]!)
  const dgamma = sums((i, c) => dy[i]! * xHat(i, c))
  const dbetaScale = sums((i) => Math.abs(dy[i]!))
  const dgammaScale = sums((i, c) => Math.abs(dy[i]! * xHat(i, c)))
  const given = workload.variance.map((value) => 1 / Math.sqrt(value + epsilon))

  const normalized = (standardized: number, c: number) =>
    [
      standardized * gamma[c]! + beta[c]!,
      Math.max(Math.abs(gamma[c]!) * Math.max(1, Math.abs(standardized)), Math.abs(beta[c]!)),
    ] as const
  const due: Record<string, Due> = {
    mean: (_, c) => [mean[c]!, Math.sqrt(variance[c]!)],
    variance: (_, c) => [variance[c]!, variance[c]!],
    y: (i, c) => normalized(xHat(i, c), c),
    dbeta: (_, c) => [dbeta[c]!, dbetaScale[c]!],
    dgamma: (_, c) => [dgamma[c]!, dgammaScale[c]!],
    dx: (i, c) => {
      const [g, h] = [dy[i]!, xHat(i, c)]
      return [
        gamma[c]! * r[c]! * (g - dbeta[c]! / m - (h * dgamma[c]!) / m),
        Math.abs(gamma[c]!) * r[c]! * (Math.abs(g) + dbetaScale[c]! / m + (Math.abs(h) * dgammaScale[c]!) / m),
      ]
    },
  }
  const inferred: Due = (i, c) => normalized((x[i]! - workload.mean[c]!) * given[c]!, c)

  return (operation, answer) => {
    let worst = 0
    for (const name of results[operation]) {
      const found = answer[name]
      const isPerElement = name === "y" || name === "dx"
      if (found?.length !== (isPerElement ? x.length : channels)) return Number.POSITIVE_INFINITY
      const dueOf = operation === "infer" ? inferred : due[name]!
      const compare = (element: number, channel: number) => {
        const [value, scale] = dueOf(element, channel)
        worst = Math.max(worst, Math.abs(found[element]! - value) / scale) // NaN stays
      }
      if (isPerElement) each(compare)
      else for (let channel = 0; channel < channels; channel++) compare(channel, channel)
    }
    return worst / u
  }
}
