import type { Matrix } from "../examples/digits/matrix.ts"
import type { Activations } from "./messages.ts"

/** Bins reach from -reach to reach. */
export const reach = 8
const perUnit = 4
/** Bins of a quarter each. */
export const bins = 2 * reach * perUnit

export function activationsOf({ data }: Matrix): Activations {
  const counts = new Uint32Array(bins)
  let [sum, squares, positive, inside] = [0, 0, 0, 0]
  for (const value of data) {
    sum += value
    squares += value * value
    if (value > 0) positive++
    const bin = Math.floor((value + reach) * perUnit)
    if (bin >= 0 && bin < bins) {
      counts[bin]!++
      inside++
    }
  }
  const mean = sum / data.length
  const deviation = Math.sqrt(Math.max(0, squares / data.length - mean * mean))
  return { counts, mean, deviation, positive: positive / data.length, outside: 1 - inside / data.length }
}
