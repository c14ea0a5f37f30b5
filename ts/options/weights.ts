import { type Step, stepsOf, stridesOf, walk } from "../broadcast.ts"
import { ArgumentError, ShapeError } from "../errors.ts"
import type { Maybe, Weights } from "../types.ts"
import type { Weighting } from "../weighting.ts"
import { elements } from "./arrays.ts"
import { hasAxis } from "./axes.ts"
import { describe } from "./describe.ts"
import { broadcasts, checkList } from "./numbers.ts"

/**
 * Weights of the elements of an x of this shape, or none; `kept` are the axes of the statistics. Those must have more
 * weight than `above`; undefined: any.
 */
export function checkWeights(
  weights: Maybe<Weights>,
  shape: readonly number[],
  kept: number,
  above: number | undefined,
): Weighting | undefined {
  if (weights === undefined || weights === null) return undefined
  const { data, shape: own } = checkList(weights, "weights", "an array of weights, or { data, shape }")
  if (!broadcasts(own, shape)) {
    const expected = `a shape that broadcasts to [${shape.join(", ")}]`
    const hint = "data" in weights ? "" : ": a bare array lines up with the last axis, else give { data, shape }"
    throw new ShapeError("weights", expected, `[${own.join(", ")}]${hint}`)
  }
  const largest = checkEach(data, "data" in weights ? "weights.data" : "weights")
  // Powers of two beyond 2^±1000 would overflow themselves.
  const exponent = largest > 0 ? Math.max(-1000, Math.min(1000, Math.floor(Math.log2(largest)))) : 0
  const totals = totalsOf(data, own, shape, kept)
  if (above !== undefined) checkTotals(totals, above)
  const steps = stepsOf(shape, stridesOf(own, shape))
  return { data, steps, scale: 2 ** -exponent, totals }
}

/** The weights that are given again sum up to what `forward` counted. */
export function checkSameTotals(count: ArrayLike<number>, { totals }: Weighting): void {
  for (let channel = 0; channel < totals.length; channel++) {
    const total = totals[channel] as number
    const expected = count[channel] as number
    if (!(Math.abs(total - expected) <= 1e-9 * expected)) {
      throw new ArgumentError("weights", `those that forward had, ${expected} in sum in channel ${channel}`, `${total}`)
    }
  }
}

function checkTotals(totals: Float64Array, above: number): void {
  const channel = totals.findIndex((total) => !(total > above))
  if (channel === -1) return
  const expected =
    above === 0 ? "an element with weight in each channel" : `more weight than ${above} in each channel to train on`
  throw new ArgumentError(
    "weights",
    expected,
    `${totals[channel] === 0 ? "none" : totals[channel]} in channel ${channel}`,
  )
}

/** Booleans, or finite numbers from 0 on; the largest. */
function checkEach(data: ArrayLike<number | boolean>, name: string): number {
  let largest = 0
  for (let index = 0; index < data.length; index++) {
    const value = data[index]
    const weight = value === true ? 1 : value === false ? 0 : value
    if (typeof weight !== "number" || !(weight >= 0) || weight === Number.POSITIVE_INFINITY) {
      throw new ArgumentError(`${name}[${index}]`, "true, false or a finite weight from 0 on", describe(value))
    }
    if (weight > largest) largest = weight
  }
  return largest
}

/** Σw of each statistic, with what the additions round away kept. */
function totalsOf(
  data: ArrayLike<number | boolean>,
  own: readonly number[],
  shape: readonly number[],
  kept: number,
): Float64Array<ArrayBuffer> {
  const aligned = [...shape.map(() => 1), ...own].slice(own.length)
  const repeats = elements(shape.map((size, axis) => (hasAxis(kept, axis) || aligned[axis] !== 1 ? 1 : size)))
  const axes = shape.map((_, axis) => axis)
  // The statistics that the weights tell apart, and where in them each weight and each statistic belongs.
  const distinct = axes.map((axis) => (hasAxis(kept, axis) ? (aligned[axis] as number) : 1))
  const strides = stridesOf(distinct, shape)
  const high = new Float64Array(elements(distinct))
  const low = new Float64Array(high.length)
  let at = 0
  walk(stepsOf(aligned, strides), 0, data.length, (offset, stride, count) => {
    for (let index = offset; count > 0; count--, index += stride) {
      const weight = Number(data[at++])
      const before = high[index] as number
      const sum = before + weight
      const part = sum - before
      low[index] = (low[index] as number) + (before - (sum - part) + (weight - part))
      high[index] = sum
    }
  })
  const statistics = axes.filter((axis) => hasAxis(kept, axis))
  const sizes = statistics.map((axis) => shape[axis] as number)
  const steps: readonly Step[] = stepsOf(
    sizes,
    statistics.map((axis) => strides[axis] as number),
  )
  const totals = new Float64Array(elements(sizes))
  let next = 0
  walk(steps, 0, totals.length, (offset, stride, count) => {
    for (let index = offset; count > 0; count--, index += stride) {
      totals[next++] = ((high[index] as number) + (low[index] as number)) * repeats
    }
  })
  return totals
}
