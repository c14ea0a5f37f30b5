// The table of docs/numerics.md: each result as a multiple of its bound.
import type { FloatArray } from "batchnorm"
import { absolute, add, Channel, type Exact, exact, Gradients, moments, ratio, toNumber } from "../reference.ts"
import type { Dtype } from "./numerics-arrays.ts"

/** u. */
export const unit = { float32: 2 ** -24, float64: 2 ** -53 } as const
/** Half the smallest number above 0, for f64 that number: what rounding alone costs a result that is subnormal. */
const grain = { float32: 2 ** -150, float64: 2 ** -1074 } as const
const largest = { float32: (2 - 2 ** -23) * 2 ** 127, float64: Number.MAX_VALUE } as const

export type Quantity = "mean" | "variance" | "y given" | "y batch" | "dbeta" | "dgamma" | "dx"

/** Takes the error of a result as a multiple of its bound. */
export type Note = (quantity: Quantity, ratio: number, what: string) => void

export interface Parameters {
  readonly gamma: number
  readonly beta: number
  readonly epsilon: number
}

/** A channel's results, whole or some of its elements: `y[i]` is of `x[at[i]]`. */
export interface Elements {
  readonly x: readonly number[]
  readonly at: readonly number[]
  /** What is added to y before its ReLU. */
  readonly residual?: readonly number[] | undefined
  /** Above 0, unless there are none. */
  readonly weights?: readonly number[] | undefined
}

/** 2⁻⁵⁰·|μ|: what one f64 may lose of a mean. */
const lostOfMean = (mean: Exact) => 2 ** -50 * Math.abs(toNumber(mean))

const magnitude = (a: Exact) => Math.abs(toNumber(a))

/** No result that rounds to infinity is promised. */
const isHeld = (dtype: Dtype, due: Exact, bound: number) => magnitude(due) + bound <= largest[dtype]

/** The exact moments, and whether the contract covers them: in f64, where Σ(x-μ)² is a normal number. */
export function exactMoments(dtype: Dtype, x: readonly number[], weights?: readonly number[]) {
  const due = moments(x, weights)
  const m2 = toNumber(due.variance) * toNumber(due.total)
  const covered = dtype === "float32" || due.variance.mantissa === 0n || (m2 >= 2 ** -1022 && Number.isFinite(m2))
  return { ...due, covered }
}

export function judgeMoments(
  dtype: Dtype,
  due: { readonly mean: Exact; readonly variance: Exact },
  mean: number,
  variance: number,
  note: Note,
) {
  const deviation = Math.sqrt(toNumber(due.variance))
  const u = unit[dtype]
  note("mean", ratio(mean, due.mean, 4 * u * deviation + lostOfMean(due.mean)), `${mean}`)
  const worst = variance < 0 ? Number.POSITIVE_INFINITY : ratio(variance, due.variance, 16 * u * toNumber(due.variance))
  note("variance", worst, `${variance}`)
}

/** y from statistics that were given, or from those of the batch, exactly. */
export function judgeForward(
  dtype: Dtype,
  kind: "y given" | "y batch",
  channel: Channel,
  { x, at, residual }: Elements,
  y: ArrayLike<number>,
  relu: boolean,
  note: Note,
) {
  const [gamma, beta, r] = [channel.gamma, channel.beta, channel.inverseDeviation].map(magnitude) as [
    number,
    number,
    number,
  ]
  const slack = kind === "y given" ? 0 : lostOfMean(channel.mean) * gamma * r
  const factor = kind === "y given" ? 8 : 16
  for (const [index, place] of at.entries()) {
    const plain = channel.forward(x[place]!)
    const sum = residual ? add(plain, exact(residual[place]!)) : plain
    const due = relu && sum.mantissa < 0n ? exact(0) : sum
    const scale = Math.max(gamma * Math.max(1, magnitude(channel.normalized(x[place]!))), beta)
    const ofPlain = factor * unit[dtype] * scale + slack + grain[dtype]
    const bound = residual ? ofPlain + unit[dtype] * magnitude(sum) : ofPlain
    if (isHeld(dtype, plain, ofPlain) && isHeld(dtype, due, bound))
      note(kind, ratio(y[index]!, due, bound), `element ${place}: ${y[index]}`)
  }
}

/** `dy`: what a ReLU let through, of all elements; `dx`: as y. */
export function judgeBackward(
  dtype: Dtype,
  channel: Channel,
  { x, at, weights }: Elements,
  dy: readonly number[],
  got: { dbeta: number; dgamma: number; dx: ArrayLike<number> },
  frozen: boolean,
  note: Note,
) {
  const total = weights?.map(exact).reduce(add)
  const due = new Gradients(channel, x, dy, total)
  const u = unit[dtype]
  note("dbeta", ratio(got.dbeta, due.dbeta, 8 * u * due.dbetaTerms), `${got.dbeta}`)
  note("dgamma", ratio(got.dgamma, due.dgamma, 16 * u * due.dgammaTerms), `${got.dgamma}`)
  const slope = magnitude(channel.gamma) * magnitude(channel.inverseDeviation)
  for (const [index, place] of at.entries()) {
    const weight = weights?.[place] ?? 1
    const part = weight / (total ? toNumber(total) : x.length)
    const share = part * (due.dbetaTerms + magnitude(channel.normalized(x[place]!)) * due.dgammaTerms)
    // Each of A·dy, B·(x-c) and C may be subnormal.
    const bound = 24 * u * slope * (Math.abs(dy[place]!) + share) + 3 * grain[dtype]
    const dx = due.dx(x[place]!, dy[place]!, frozen, weight)
    if (isHeld(dtype, dx, bound)) note("dx", ratio(got.dx[index]!, dx, bound), `element ${place}: ${got.dx[index]}`)
  }
}

/** The numbers of some places. */
export function gather(data: FloatArray, places: readonly number[]): number[] {
  return places.map((place) => data[place]!)
}

/** The channel of exact statistics, or of numbers that were given. */
export function channelOf(
  mean: Exact | number,
  variance: Exact | number,
  { gamma, beta, epsilon }: Parameters,
): Channel {
  const asExact = (value: Exact | number) => (typeof value === "number" ? exact(value) : value)
  return new Channel(asExact(mean), absolute(asExact(variance)), gamma, beta, epsilon)
}
