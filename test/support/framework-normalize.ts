// Cases of forward and backward by torch, tensorflow and exactly.
import type { ChannelOptions, Statistics } from "batchnorm"
import { type Accuracy, errorsOfBatch, type Origin, type Verdict } from "./framework-bounds.ts"
import { judgePass, type Pass, type Results } from "./framework-judge.ts"
import type { Case, Stored } from "./framework-vectors.ts"

type Numbers = readonly number[]

/** A forward and a backward. */
export interface NormalizeCase extends Case {
  readonly x: string
  readonly dy: string
  readonly axis: number | readonly number[]
  readonly epsilon: number
  readonly activation: "relu" | null
  readonly gamma: Numbers | null
  readonly beta: Numbers | null
  /** Given ones, if any. */
  readonly mean: Numbers | null
  readonly variance: Numbers | null
  /** The name of an input array. */
  readonly residual?: string
  /** Of a shape that broadcasts to x. */
  readonly weights?: Stored
  readonly due: {
    readonly y: Numbers
    readonly dx: Numbers
    readonly dgamma: Numbers
    readonly dbeta: Numbers
    /** Of the batch. */
    readonly mean?: Numbers
    readonly variance?: Numbers
    /** By given statistics. */
    readonly dmean?: Numbers
    readonly dvariance?: Numbers
    readonly dresidual?: Numbers
  }
}

/** What is per channel in a call; a mean and a variance only where they are given. */
export function optionsOf({ axis, epsilon, activation, gamma, beta, mean, variance }: NormalizeCase) {
  const options: ChannelOptions & Partial<Statistics> = { axis, epsilon, activation, gamma, beta }
  return mean && variance ? { ...options, mean, variance } : options
}

/** Judges the statistics of the batch, if they were, and all results of the passes that there are. */
export function judgeNormalize(
  verdict: Verdict,
  accuracy: Accuracy,
  one: NormalizeCase,
  operands: Pick<Pass, "shape" | "x" | "dy" | "residual" | "weights">,
  saved: { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> },
  got: Results,
): void {
  const { due, axis, epsilon, gamma, beta, activation } = one
  const frozen = one.mean !== null
  const mean = one.mean ?? due.mean!
  const variance = one.variance ?? due.variance!
  const errors = mean.map((value, channel) => errorsOfBatch(accuracy, value, variance[channel]!))
  verdict.near("mean", saved.mean, mean, (channel) => (frozen ? 0 : errors[channel]!.mean))
  verdict.near("variance", saved.variance, variance, (channel) => (frozen ? 0 : errors[channel]!.variance))
  const origin: Origin = frozen ? "given" : "batch"
  const channels = mean.map((value, channel) => ({
    mean: value,
    variance: variance[channel]!,
    gamma: gamma?.[channel] ?? 1,
    beta: beta?.[channel] ?? 0,
    epsilon,
  }))
  const pass = { ...operands, axis, activation, channels, origins: channels.map(() => origin) }
  judgePass(verdict, accuracy, pass, due, got)
}
