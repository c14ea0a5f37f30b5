import { stepsOf, stridesOf, walk } from "../broadcast.ts"
import { ArgumentError, ShapeError } from "../errors.ts"
import type { Maybe, Weights } from "../types.ts"
import { partLength, readPart, type Weighting } from "../weighting.ts"
import { elements } from "./arrays.ts"
import { hasAxis } from "./axes.ts"
import { shapeText } from "./describe.ts"
import { broadcasts, checkList, settled } from "./numbers.ts"

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
  const { data: list, shape: own } = checkList(weights, "weights", "an array of weights, or { data, shape }")
  if (!broadcasts(own, shape)) {
    const expected = `a shape that broadcasts to ${shapeText(shape)}`
    const hint = "data" in weights ? "" : ": a bare array lines up with the last axis, else give { data, shape }"
    throw new ShapeError("weights", expected, `${shapeText(own)}${hint}`)
  }
  const name = "data" in weights ? "weights.data" : "weights"
  const data = settled(list, name, weight, true)
  const { largest, least } = checkEach(data, name)
  // Powers of two beyond 2^±1000 would overflow themselves.
  const exponent = largest > 0 ? Math.max(-1000, Math.min(1000, Math.floor(Math.log2(largest)))) : 0
  if (least * 2 ** -exponent < smallestNormal) {
    throw new ArgumentError("weights", "weights that f64 can compare", `${least} beside ${largest}`)
  }
  const totals = totalsOf(data, own, shape, kept)
  checkTotals(totals, above)
  const steps = stepsOf(shape, stridesOf(own, shape))
  return { data, shape: own, steps, scale: 2 ** -exponent, totals }
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

function checkTotals(totals: Float64Array, above: number | undefined): void {
  const overflow = totals.findIndex((total) => !Number.isFinite(total))
  if (overflow >= 0) {
    const expected = "weights of a finite sum in each channel"
    throw new ArgumentError("weights", expected, `more than a number holds in channel ${overflow}`)
  }
  if (above === undefined) return
  const channel = totals.findIndex((total) => !(total > above))
  if (channel === -1) return
  const expected =
    above === 0 ? "an element with weight in each channel" : `more weight than 1 in each channel to train on`
  throw new ArgumentError(
    "weights",
    expected,
    `${totals[channel] === 0 ? "none" : totals[channel]} in channel ${channel}`,
  )
}

const smallestNormal = 2 ** -1022
const weight = "true, false or a finite weight from 0 on"

/** Finite numbers from 0 on; the largest, and the least of those above 0. */
function checkEach(data: ArrayLike<number>, name: string): { largest: number; least: number } {
  let largest = 0
  let least = Number.POSITIVE_INFINITY
  for (let start = 0; start < data.length; start += partLength) {
    const weights = readPart(data, start)
    for (let index = 0; index < weights.length; index++) {
      const value = weights[index] as number
      if (!(value >= 0 && value < Number.POSITIVE_INFINITY))
        throw new ArgumentError(`${name}[${start + index}]`, weight, `${value}`)
      if (value > largest) largest = value
      if (value < least && value > 0) least = value
    }
  }
  return { largest, least }
}

/** Σw of each statistic, as plain sums: exact for masks, and near enough to judge by. */
function totalsOf(
  data: ArrayLike<number>,
  own: readonly number[],
  shape: readonly number[],
  kept: number,
): Float64Array<ArrayBuffer> {
  const aligned = [...shape.map(() => 1), ...own].slice(own.length)
  const repeats = elements(shape.map((size, axis) => (hasAxis(kept, axis) || aligned[axis] !== 1 ? 1 : size)))
  const statistics = shape.map((size, axis) => (hasAxis(kept, axis) ? size : 1))
  // Those that the weights tell apart, and where in them each weight and each statistic belongs.
  const distinct = shape.map((_, axis) => (hasAxis(kept, axis) ? (aligned[axis] as number) : 1))
  const strides = stridesOf(distinct, shape)
  const sums = new Float64Array(elements(distinct))
  const steps = stepsOf(aligned, strides)
  for (let start = 0; start < data.length; start += partLength) {
    const weights = readPart(data, start)
    let next = 0
    walk(steps, start, weights.length, (offset, stride, count) => {
      const end = next + count
      let at = next
      for (let index = offset; at < end; index += stride) {
        sums[index] = (sums[index] as number) + (weights[at++] as number)
      }
      next = at
    })
  }
  const totals = new Float64Array(elements(statistics))
  let next = 0
  walk(stepsOf(statistics, strides), 0, totals.length, (offset, stride, count) => {
    for (let index = offset; count > 0; count--, index += stride) {
      totals[next++] = (sums[index] as number) * repeats
    }
  })
  return totals
}
