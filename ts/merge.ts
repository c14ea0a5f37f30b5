// Moments of parts, merged. Source: Chan, Golub and LeVeque 1979, as in crates/batchnorm/src/moments.rs.
import { later } from "./later.ts"
import { checkData, checkShapeOf } from "./options/arrays.ts"
import { allAxes, checkLayerChannels } from "./options/axes.ts"
import { checkWeights } from "./options/weights.ts"
import { reduce } from "./reduce.ts"
import type { Maybe, NdArray, Vector, Weights } from "./types.ts"
import { viewOf } from "./view.ts"

/** Count, mean and m2 = Σ(x-μ)² of each channel, each with what its additions rounded away. */
export interface Parts {
  readonly count: Vector
  /** Of weights: whole numbers lose nothing. */
  readonly countRest: Vector
  readonly mean: Vector
  readonly meanRest: Vector
  readonly m2: Vector
  readonly m2Rest: Vector
}

/** Of no elements. */
export function noParts(channels: number): Parts {
  const vector = () => new Float64Array(channels)
  const [count, countRest, mean, meanRest, m2, m2Rest] = [vector(), vector(), vector(), vector(), vector(), vector()]
  return { count, countRest, mean, meanRest, m2, m2Rest }
}

/** The moments of one array, whose name is for errors. */
export function partsOf(
  x: NdArray,
  name: string,
  channels: number,
  axis: readonly number[],
  weights?: Maybe<Weights>,
): Parts {
  const shape = checkShapeOf(x, name)
  const data = checkData(x, shape, name)
  const kept = checkLayerChannels(shape, axis, channels, name)
  const weighting = checkWeights(weights, shape, kept, undefined)
  const view = viewOf(shape, allAxes(shape.length) ^ kept)
  const parts = noParts(channels)
  if (view.count === 0) return parts
  const { count, mean, meanRest, m2 } = parts
  later?.need()
  reduce(view, data, weighting, mean, m2, meanRest, count)
  for (let channel = 0; channel < channels; channel++) {
    m2[channel] = (m2[channel] as number) * (count[channel] as number)
  }
  return parts
}

/** Adds parts to others; those without elements in a channel leave it as it is. */
export function merge(into: Parts, { count, countRest, mean, meanRest, m2, m2Rest }: Parts): void {
  for (let channel = 0; channel < count.length; channel++) {
    const own = into.count[channel] as number
    const others = count[channel] as number
    if (others === 0) continue
    const ownCountRest = into.countRest[channel] as number
    const othersCountRest = countRest[channel] as number
    const [total, totalRest] = plus(own, ownCountRest + othersCountRest, others)
    const ownMean = into.mean[channel] as number
    const ownRest = into.meanRest[channel] as number
    const othersMean = mean[channel] as number
    const othersRest = meanRest[channel] as number
    const delta = own === 0 ? 0 : othersMean - ownMean + (othersRest - ownRest)
    // From the heavier side, so that what is rounded is small beside σ.
    const merged =
      own >= others
        ? moved(ownMean, ownRest, delta, others, othersCountRest, total, totalRest)
        : moved(othersMean, othersRest, -delta, own, ownCountRest, total, totalRest)
    // Means further apart than f64 reaches.
    const isFar = !Number.isFinite(delta) && Number.isFinite(ownMean) && Number.isFinite(othersMean)
    const [sum, rest] = isFar ? [ownMean * (own / total) + othersMean * (others / total), 0] : merged
    // δ·(δ·n) and not δ²·n, which might overflow alone.
    const between = delta * (delta * (own * (others / total)))
    const within = plus(into.m2[channel] as number, into.m2Rest[channel] as number, m2[channel] as number)
    const [squares, squaresRest] = plus(within[0], within[1] + (m2Rest[channel] as number), between)
    into.count[channel] = total
    into.countRest[channel] = totalRest
    into.mean[channel] = sum
    into.meanRest[channel] = rest
    into.m2[channel] = squares
    into.m2Rest[channel] = squaresRest
  }
}

/** A mean moved by δ·w/W, of which the quotient and the product alone are rounded, and not w and W. */
function moved(
  mean: number,
  meanRest: number,
  delta: number,
  weight: number,
  weightRest: number,
  total: number,
  totalRest: number,
): readonly [mean: number, rest: number] {
  const share = weight / total
  return plus(mean, meanRest + delta * ((weightRest - share * totalRest) / total), delta * share)
}

/** A sum with what it rounded away, and one term more (Knuth's two-sum), so that the first is the sum rounded. */
function plus(high: number, low: number, term: number): readonly [sum: number, rest: number] {
  const sum = high + term
  const part = sum - high
  const rest = low + (high - (sum - part) + (term - part))
  const rounded = sum + rest
  // An infinite sum has a NaN for its rest, which does not count.
  return Number.isFinite(rounded) ? [rounded, sum - rounded + rest] : [sum, 0]
}
