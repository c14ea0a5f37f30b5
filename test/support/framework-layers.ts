// Runs of a layer: training steps and then one that does not train.
import type { BatchNormOptions, Convention } from "batchnorm"
import { type Accuracy, errorsOfBatch, type StatisticsErrors, type Verdict } from "./framework-bounds.ts"
import { channelsOf, judgePass, type Pass, type Results } from "./framework-judge.ts"
import type { Case, Stored } from "./framework-vectors.ts"

type Numbers = readonly number[]

/** A call of forward, and of backward where there is a dy. */
export interface Step {
  readonly x: string
  readonly dy?: string
  readonly training: boolean
  /** A mask, of a shape that broadcasts to x. */
  readonly weights?: { readonly shape: Stored["shape"]; readonly data: readonly boolean[] } | null
  readonly due: {
    readonly y: Numbers
    /** Those that y was computed with. */
    readonly mean: Numbers
    readonly variance: Numbers
    /** Afterwards. */
    readonly runningMean: Numbers
    readonly runningVariance: Numbers
    readonly dx?: Numbers
    readonly dgamma?: Numbers
    readonly dbeta?: Numbers
  }
}

/** A layer and its steps. */
export interface LayerCase extends Case {
  readonly convention: Convention
  readonly channels: number
  readonly options: BatchNormOptions & { readonly gamma: Numbers | null; readonly beta: Numbers | null }
  readonly steps: readonly Step[]
}

/** What a layer has that is judged. */
export interface Running {
  readonly axis: readonly number[]
  readonly epsilon: number
  readonly runningMean: ArrayLike<number>
  readonly runningVariance: ArrayLike<number>
}

/** The channel axes of an array; of rank 1 it is one channel. */
const axisOf = ({ length }: readonly number[], { axis }: Running) => (length === 1 ? [] : axis)

/** Judges step after step. */
export class LayerJudge {
  readonly #verdict: Verdict
  readonly #accuracy: Accuracy
  readonly #one: LayerCase
  /** Of the running statistics: averages of the batches', so no worse than the worst of them. */
  #errors: StatisticsErrors[]

  constructor(verdict: Verdict, accuracy: Accuracy, one: LayerCase) {
    this.#verdict = verdict
    this.#accuracy = accuracy
    this.#one = one
    this.#errors = Array.from({ length: one.channels }, () => ({ mean: 0, variance: 0 }))
  }

  /** The running statistics after a step. An average is a few f64 operations more than what is averaged. */
  running({ due, training }: Step, layer: Running, counts: readonly number[]): void {
    if (training)
      this.#errors = this.#errors.map((error, channel) => this.#worse(error, due, channel, counts[channel]!))
    const lost = (value: number) => 2 ** -50 * Math.abs(value)
    this.#verdict.near(
      "runningMean",
      layer.runningMean,
      due.runningMean,
      (channel) => this.#errors[channel]!.mean + lost(due.runningMean[channel]!),
    )
    this.#verdict.near(
      "runningVariance",
      layer.runningVariance,
      due.runningVariance,
      (channel) => this.#errors[channel]!.variance + lost(due.runningVariance[channel]!),
    )
  }

  #worse(error: StatisticsErrors, due: Step["due"], channel: number, count: number): StatisticsErrors {
    const fresh = errorsOfBatch(this.#accuracy, due.mean[channel]!, due.variance[channel]!)
    // The unbiased variance is m/(m-1) of the biased one.
    const unbiased = count > 1 ? count / (count - 1) : 1
    return {
      mean: Math.max(error.mean, fresh.mean + 2 ** -50 * Math.abs(due.mean[channel]!)),
      variance: Math.max(error.variance, unbiased * fresh.variance),
    }
  }

  /** The results of a step, before the running statistics follow it. */
  pass(step: Step, layer: Running, operands: Pick<Pass, "shape" | "x" | "dy" | "weights">, got: Results): void {
    const { options } = this.#one
    const { due } = step
    const channels = due.mean.map((mean, channel) => ({
      mean,
      variance: due.variance[channel]!,
      gamma: options.gamma?.[channel] ?? 1,
      beta: options.beta?.[channel] ?? 0,
      epsilon: layer.epsilon,
    }))
    const running = this.#errors.map(({ mean, variance }, channel) => ({
      mean: mean + 2 * 2 ** -50 * Math.abs(due.mean[channel]!),
      variance,
    }))
    const origins = step.training ? channels.map(() => "batch" as const) : running
    const axis = axisOf(operands.shape, layer)
    judgePass(this.#verdict, this.#accuracy, { ...operands, axis, channels, origins }, due, got)
  }

  /** Elements of each channel that have weight. */
  counts(shape: readonly number[], layer: Running, weights?: ArrayLike<number>): number[] {
    return channelsOf(shape, axisOf(shape, layer)).map((places) =>
      places.reduce((sum, place) => sum + (weights ? weights[place]! : 1), 0),
    )
  }
}
