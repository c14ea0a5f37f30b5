import type { ChannelOptions, FloatArray, Maybe, Saved, Statistics, Vector } from "../types.ts"
import { statisticsOf, type View, viewOf } from "../view.ts"
import { type Checked, checkApart } from "./arrays.ts"
import { axesOf, checkAxes } from "./axes.ts"
import { checkPerChannel, checkVariances, checkVectorOut } from "./numbers.ts"
import { checkActivation, checkEpsilon, checkObject, missing } from "./settings.ts"

/** The ε of Keras and of `tf.nn`'s examples, wherever none is given. */
export const defaultEpsilon = 1e-3

/** The options of `forward` and `infer`; what `forward` saved is among them, whole. */
export const normalizationNames: readonly string[] = [
  "gamma",
  "beta",
  "epsilon",
  "axis",
  "activation",
  "mean",
  "variance",
  "out",
  "count",
  "frozen",
  "inPlace",
]

/** Channel options that were judged. */
interface Channels {
  readonly view: View
  /** How many channels. */
  readonly length: number
  readonly axis: readonly number[]
  readonly gamma: ArrayLike<number> | undefined
  readonly beta: ArrayLike<number> | undefined
  readonly epsilon: number
  readonly activation: "relu" | null
}

export function checkChannelOptions(x: Checked, options: ChannelOptions, prefix = ""): Channels {
  const rank = x.shape.length
  const last = rank === 0 ? 0 : 2 ** (rank - 1)
  const kept = checkAxes(options.axis, rank, last, `${prefix}axis`)
  const view = viewOf(x.shape, 2 ** rank - 1 - kept)
  const length = statisticsOf(view)
  return {
    view,
    length,
    axis: axesOf(kept, rank),
    gamma: checkPerChannel(options.gamma, length, `${prefix}gamma`),
    beta: checkPerChannel(options.beta, length, `${prefix}beta`),
    epsilon: checkEpsilon(options.epsilon, defaultEpsilon, `${prefix}epsilon`),
    activation: checkActivation(options.activation, `${prefix}activation`),
  }
}

export function isGiven(options: Partial<Statistics>): boolean {
  const given = (value: unknown) => value !== undefined && value !== null
  if (given(options.mean) !== given(options.variance)) {
    throw missing(given(options.mean) ? "variance" : "mean", "both mean and variance, or neither")
  }
  return given(options.mean)
}

export function checkStatistics(options: Partial<Statistics>, length: number, prefix = ""): StatisticsNumbers {
  const mean = checkPerChannel(options.mean, length, `${prefix}mean`)
  const variance = checkPerChannel(options.variance, length, `${prefix}variance`)
  if (!mean) throw missing(`${prefix}mean`, "one number per channel")
  if (!variance) throw missing(`${prefix}variance`, "one number per channel")
  checkVariances(variance, `${prefix}variance`)
  return { mean, variance }
}

interface StatisticsNumbers {
  readonly mean: ArrayLike<number>
  readonly variance: ArrayLike<number>
}

interface SavedVectors {
  readonly mean: Vector
  readonly variance: Vector
  readonly count: Vector
  readonly gamma: Vector | null
  readonly beta: Vector | null
}

const savedNames = ["mean", "variance", "count", "gamma", "beta"] as const

/** Vectors to save in, which share no memory but with the very numbers that they are to hold. */
export function checkSavedOut(
  saved: Saved,
  { length, gamma, beta }: Channels,
  statistics: StatisticsNumbers | undefined,
  x: FloatArray,
  y: FloatArray,
): SavedVectors {
  checkObject(saved, "out.saved", "what forward saved")
  const inputs = { mean: statistics?.mean, variance: statistics?.variance, count: undefined, gamma, beta }
  for (const name of savedNames) {
    const target = saved[name]
    const place = `out.saved.${name}`
    if ((name === "gamma" || name === "beta") && !inputs[name]) {
      if (target !== null) throw missing(name, `${name}, as out.saved has it`)
      continue
    }
    const vector = checkVectorOut(target as Vector, length, place)
    checkApart(vector, place, x, "x.data")
    checkApart(vector, place, y, "out.y.data")
    let isAfter = false
    for (const other of savedNames) {
      isAfter ||= other === name
      if (!isAfter) checkApart(vector, place, saved[other], `out.saved.${other}`)
      if (other !== name || inputs[other] !== vector) checkApart(vector, place, inputs[other], other)
    }
  }
  return saved
}

/** Gradients to write, each apart from what is still to be read and from each other; dx was judged against x and dy. */
export function checkGradientsApart(
  {
    dx,
    dgamma,
    dbeta,
  }: { readonly dx: Maybe<FloatArray>; readonly dgamma: Maybe<Vector>; readonly dbeta: Maybe<Vector> },
  { x, dy }: { readonly x: FloatArray; readonly dy: FloatArray },
  saved: Readonly<Record<(typeof savedNames)[number], ArrayLike<number> | undefined>>,
): void {
  const results = { "out.dx.data": dx, "out.dgamma": dgamma, "out.dbeta": dbeta }
  for (const [place, result] of Object.entries(results)) {
    if (!result) continue
    for (const name of savedNames) checkApart(result, place, saved[name], `saved.${name}`)
    if (place === "out.dx.data") continue
    checkApart(result, place, x, "x.data")
    checkApart(result, place, dy, "dy.data")
    checkApart(result, place, dx ?? undefined, "out.dx.data")
  }
  if (dbeta) checkApart(dbeta, "out.dbeta", dgamma ?? undefined, "out.dgamma")
}
