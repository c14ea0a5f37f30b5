import { differentiate, pick, setOf } from "./backward.ts"
import { eachBatch } from "./batches.ts"
import { type Convention, conventions, oneElement } from "./conventions.ts"
import { StateError } from "./errors.ts"
import { emptySaved, inferInto, makeVectors, normalize, type Told } from "./forward.ts"
import { jsonNumber } from "./json.ts"
import { later } from "./later.ts"
import { merge, noParts, partsOf } from "./merge.ts"
import { checkShapeOf, elements } from "./options/arrays.ts"
import { allAxes, axesOf, checkLayerChannels, elementsAlong, layerAxes } from "./options/axes.ts"
import { checkSomeBatches } from "./options/batches.ts"
import { checkNeed, dbetaBit, dgammaBit, dresidualBit, usualBits } from "./options/gradients.ts"
import { checkCount, checkJsonNumbers, checkRecord, checkVersion } from "./options/json.ts"
import { checkPerChannel, checkVariances } from "./options/numbers.ts"
import {
  checkActivation,
  checkChannels,
  checkConvention,
  checkEpsilon,
  checkFlag,
  checkMomentum,
  checkOneOf,
  checkOptions,
  checkSomeElements,
  notFinite,
} from "./options/settings.ts"
import { checkSameSkips, checkState } from "./options/state.ts"
import { checkWeights } from "./options/weights.ts"
import { stateOf } from "./state.ts"
import { moments } from "./tf-nn.ts"
import type {
  FloatArray,
  Gradients,
  Like,
  LoadableState,
  Maybe,
  NdArray,
  Operands,
  OutOption,
  Owned,
  PerChannel,
  Saved,
  State,
  Usual,
  Vector,
  Weights,
} from "./types.ts"

/** What a layer may be told. */
export interface BatchNormOptions {
  /** The framework whose defaults and meanings apply; `"keras"` unless given. */
  convention?: Convention | undefined
  /** ε, added to each variance; the convention's unless given. */
  epsilon?: number | undefined
  /** The channel axis; several are a set; `[]`: one channel; the convention's unless given. */
  axis?: number | readonly number[] | undefined
  /** What follows y, in the same pass. */
  activation?: Maybe<"relu">
  /** From 0 to 1, the weight that the convention means; null (torch): a cumulative average; the convention's unless given. */
  momentum?: Maybe<number>
  /** false: beta is not used. */
  center?: boolean | undefined
  /** false: gamma is not used. */
  scale?: boolean | undefined
  /** Initial γ, which is copied; 1 unless given. */
  gamma?: Maybe<PerChannel>
  /** Initial β, which is copied; 0 unless given. */
  beta?: Maybe<PerChannel>
  /** The initial one, which is copied; 0 unless given. */
  runningMean?: Maybe<PerChannel>
  /** The initial one, not negative, which is copied; 1 unless given. */
  runningVariance?: Maybe<PerChannel>
  /** A batch with NaN or Infinity in a channel leaves its running statistics as they were (`"skip"`) or throws. */
  nonFinite?: "skip" | "throw" | undefined
  /** The running variance follows m2/(m-1) of each batch (else m2/m, as y does); the convention's unless given. */
  unbiased?: boolean | undefined
  /**
   * Training on one element per channel: `"allow"`: variance 0, y = β, and an unbiased running variance stays as it was;
   * `"throw"`: an ArgumentError. The convention's unless given.
   */
  singleElement?: "allow" | "throw" | undefined
}

/** What a forward pass of the layer may be told. */
export interface LayerForwardOptions<Y, T extends FloatArray = FloatArray> extends Operands<T> {
  /** true unless given: normalize by the batch; false: by the running statistics. */
  training?: boolean | undefined
  /** false: the running statistics stay as they are. */
  updateRunning?: boolean | undefined
  /** An array like x to write y into. */
  out?: Y | undefined
}

/** What inference by the layer may be told. */
export interface LayerInferOptions<Y, T extends FloatArray = FloatArray> extends OutOption<Y> {
  /** Like x; added before the activation. */
  residual?: Maybe<NdArray<Like<T>>>
}

/** What a backward pass of the layer may be told. */
export interface LayerBackwardOptions<X, N> {
  /** The gradients to return, dx, dgamma and dbeta unless given; dgamma and dbeta of the layer are written all the same. */
  need?: readonly N[] | undefined
  /** Arrays like x to write into; dy, x or the residual will do. */
  out?:
    | {
        /** The gradient with respect to x. */
        readonly dx?: X
        /** The gradient with respect to the residual. */
        readonly dresidual?: X
      }
    | undefined
}

/** What a forward pass of the layer keeps for its backward pass, beside what it saves per channel. */
interface Kept extends Operands<FloatArray> {
  /** none: there is no pass to go back from. */
  x?: NdArray | undefined
}

/** Where a backward pass of the layer writes. */
interface Into {
  dx: NdArray | undefined
  dresidual: NdArray | undefined
  readonly dgamma: Vector
  readonly dbeta: Vector
}

const forwardNames = ["training", "updateRunning", "residual", "weights", "out"]
const backwardNames = ["need", "out"]
const inferNames = ["residual", "out"]
const outNames = ["dx", "dresidual"]
const none = {}
const noAxes: readonly number[] = []

const jsonVersion = 1
const jsonOptions = [
  "convention",
  "axis",
  "epsilon",
  "activation",
  "momentum",
  "center",
  "scale",
  "nonFinite",
  "unbiased",
  "singleElement",
] as const
const jsonVectors = ["gamma", "beta", "runningMean", "runningVariance"] as const
const optionNames = /* @__PURE__ */ (jsonOptions as readonly string[]).concat(jsonVectors)
const jsonNames = /* @__PURE__ */ ["version", "channels", "options", "frozen", "batches", "skipped"].concat(jsonVectors)

/**
 * A batch normalization layer: parameters, running statistics, gradients. Its arrays are ordinary ones and the same for
 * its whole life: write into gamma and beta, read dgamma and dbeta. There is nothing to dispose.
 */
export class BatchNorm {
  /** How many, over all channel axes. */
  readonly channels: number
  /** The framework whose defaults and meanings apply. */
  readonly convention: Convention
  /** The channel axes, as they were given. */
  readonly axis: readonly number[]
  /** ε, added to each variance. */
  readonly epsilon: number
  /** What follows y, in the same pass. */
  readonly activation: "relu" | null
  /** As the convention means it; null: a cumulative average. */
  readonly momentum: number | null
  /** The weight of the old running value; null: 1 - 1/batches. */
  readonly decay: number | null
  /** β is used. */
  readonly center: boolean
  /** γ is used. */
  readonly scale: boolean
  /** What NaN or Infinity in a channel of a batch is: none for the running statistics, or an error. */
  readonly nonFinite: "skip" | "throw"
  /** The running variance follows m2/(m-1), else m2/m. */
  readonly unbiased: boolean
  /** What training on one element per channel is. */
  readonly singleElement: "allow" | "throw"
  /** true: forward uses the running statistics even in training. */
  frozen = false
  /** γ, one number per channel: to be written into. */
  readonly gamma: Vector
  /** β, one number per channel: to be written into. */
  readonly beta: Vector
  /** The mean that `infer` uses, one number per channel; to be written into as well. */
  readonly runningMean: Vector
  /** The variance that `infer` uses, one number per channel; to be written into as well. */
  readonly runningVariance: Vector
  /** Σdy·x̂ of the last backward, one number per channel. */
  readonly dgamma: Vector
  /** Σdy of the last backward, one number per channel. */
  readonly dbeta: Vector
  #batches = 0
  /** How many batches each channel skipped. */
  readonly #skips: Vector
  // Made once, so that calls make nothing: what the functions are told, what is kept and saved for backward, where that
  // writes, and what it returned for each array that dx was written into.
  readonly #told: Told
  readonly #kept: Kept = { x: undefined, residual: undefined, weights: undefined }
  readonly #saved: Saved
  readonly #into: Into
  readonly #returned = new WeakMap<object, Partial<Gradients>>()

  /**
   * @param channels how many, over all channel axes
   * @throws ArgumentError for an option that there is not or whose value cannot be; ShapeError where initial numbers are not
   *   one per channel
   */
  constructor(channels: number, options?: BatchNormOptions) {
    const given = checkOptions(options, "options", optionNames) ?? {}
    this.channels = checkChannels(channels)
    this.convention = checkConvention(given.convention, "keras")
    const meaning = conventions[this.convention]
    this.axis = layerAxes(given.axis ?? meaning.axis)
    this.epsilon = checkEpsilon(given.epsilon, meaning.epsilon)
    this.activation = checkActivation(given.activation)
    this.momentum = checkMomentum(given.momentum, this.convention)
    this.decay = this.momentum === null || meaning.weighsOld ? this.momentum : 1 - this.momentum
    this.center = checkFlag(given.center, true, "center")
    this.scale = checkFlag(given.scale, true, "scale")
    this.nonFinite = checkOneOf(given.nonFinite, ["skip", "throw"], "skip", "nonFinite")
    this.unbiased = checkFlag(given.unbiased, meaning.unbiased, "unbiased")
    this.singleElement = checkOneOf(given.singleElement, ["allow", "throw"], meaning.singleElement, "singleElement")
    const vector = (name: (typeof jsonVectors)[number], absent: number): Vector => {
      const values = checkPerChannel(given[name], channels, name)
      return values ? Float64Array.from(values) : new Float64Array(channels).fill(absent)
    }
    this.gamma = vector("gamma", 1)
    this.beta = vector("beta", 0)
    this.runningMean = vector("runningMean", 0)
    this.runningVariance = vector("runningVariance", 1)
    checkVariances(this.runningVariance, "runningVariance")
    this.dgamma = new Float64Array(channels)
    this.dbeta = new Float64Array(channels)
    this.#skips = new Float64Array(channels)
    const { epsilon, activation, scale, center } = this
    const parameters = { gamma: scale ? this.gamma : null, beta: center ? this.beta : null }
    const perCall = { axis: [], mean: null, variance: null, residual: undefined, weights: undefined }
    this.#told = { epsilon, activation, ...parameters, ...perCall }
    this.#into = { dx: undefined, dresidual: undefined, dgamma: this.dgamma, dbeta: this.dbeta }
    this.#saved = emptySaved()
    makeVectors(this.#saved, channels, scale, center)
  }

  /** Batches that the running statistics have followed. */
  get batches(): number {
    return this.#batches
  }

  /** Channels, summed over batches, whose running statistics stayed as they were: the batch held NaN or Infinity. */
  get skipped(): number {
    return this.#skips.reduce((sum, count) => sum + count, 0)
  }

  /**
   * Normalizes by the statistics of the batch, which the running ones follow; with `training: false`, or frozen, by the
   * running ones. Keeps x, and the residual and weights, until `backward`; a call that throws leaves what the one before it
   * kept.
   *
   * @param x of any shape with the layer's channels along its axes
   * @returns y, like x, or `out`
   * @throws ShapeError where x has other channels; ArgumentError for an empty batch, or one element per channel where
   *   `singleElement` says so, a bad operand or option
   */
  forward<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
    x: NdArray<T>,
    options?: LayerForwardOptions<Y, T>,
  ): Y {
    const given: LayerForwardOptions<Y, T> = checkOptions(options, "options", forwardNames) ?? none
    const frozen = checkFlag(this.frozen, false, "frozen")
    const training = checkFlag(given.training, true, "training") && !frozen
    const update = checkFlag(given.updateRunning, true, "updateRunning")
    const shape = checkShapeOf(x, "x")
    const axis = this.#axisIn(shape)
    const kept = checkLayerChannels(shape, axis, this.channels, "x")
    const residual = given.residual as Maybe<NdArray>
    const { weights } = given
    if (training) {
      const refusesSingle = this.singleElement === "throw"
      checkSomeElements(elementsAlong(shape, allAxes(shape.length) ^ kept), refusesSingle ? 2 : 1, "x")
      if (refusesSingle) checkWeights(weights, shape, kept, oneElement)
      if (this.nonFinite === "throw") this.#refuseNonFinite(x, kept, weights)
    }
    const y = this.#normalize<Y>(x, axis, !training, residual, weights, given.out, this.#saved)
    if (later) this.#keepLater(x, residual, weights, training && update)
    else this.#keep(x, residual, weights, training && update)
    return y
  }

  /**
   * The gradients of the last forward, once. Writes dgamma and dbeta. The formulas are those of the function `backward`.
   *
   * @param dy the gradient with respect to y, like x
   * @returns the gradients that `need` names; dgamma and dbeta are the layer's own arrays
   * @throws StateError before a forward, twice, or after one in place; ShapeError where dy is not like x
   */
  backward<T extends FloatArray, X extends NdArray<Like<T>> = NdArray<Owned<T>>, N extends Usual | "dresidual" = Usual>(
    dy: NdArray<T>,
    options?: LayerBackwardOptions<X, N>,
  ): Pick<Gradients<X>, N> {
    const { x } = this.#kept
    if (!x) {
      throw new StateError("backward: no forward pass to go back from; each forward allows one backward")
    }
    if (this.#saved.inPlace) {
      throw new StateError("backward: forward wrote y over x, so x is gone: give forward another `out` to go back")
    }
    const given: LayerBackwardOptions<X, N> = checkOptions(options, "options", backwardNames) ?? none
    const wanted = checkNeed(given.need, usualBits | dresidualBit)
    const out = checkOptions(given.out, "out", outNames)
    const { dx, dresidual } = out ?? (none as { dx?: X; dresidual?: X })
    const into = this.#into
    into.dx = dx
    into.dresidual = dresidual
    let gradients: Partial<Gradients>
    try {
      const written = wanted | dgammaBit | dbetaBit
      const all = differentiate(dy, x, this.#saved, this.#kept, given.need, written, into as Partial<Gradients>)
      gradients = this.#result(all, given.need, wanted, out)
    } finally {
      into.dx = undefined
      into.dresidual = undefined
    }
    if (later) this.#forgetLater()
    else this.#forget()
    return gradients as Pick<Gradients<X>, N>
  }

  /** Of all gradients those that are needed, in an object that was returned before where it would be the same. */
  #result(
    all: Partial<Gradients>,
    need: readonly string[] | undefined,
    wanted: number,
    out: Partial<Gradients> | undefined,
  ): Partial<Gradients> {
    if (out && setOf(out) === wanted) return out
    if (need || !out?.dx) return pick(all, need)
    let result = this.#returned.get(out.dx)
    if (!result) {
      result = Object.freeze(pick(all, need))
      this.#returned.set(out.dx, result)
    }
    return result
  }

  /**
   * Normalizes by the running statistics; nothing is kept.
   *
   * @param x of any shape with the layer's channels along its axes
   * @returns an array like x, or `out`
   * @throws ShapeError where x has other channels; ArgumentError for a negative variance, a bad operand or option
   */
  infer<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
    x: NdArray<T>,
    options?: LayerInferOptions<Y, T>,
  ): Y {
    const shape = checkShapeOf(x, "x")
    const axis = this.#axisIn(shape)
    checkLayerChannels(shape, axis, this.channels, "x")
    const given: LayerInferOptions<Y, T> = checkOptions(options, "options", inferNames) ?? none
    return this.#normalize<Y>(x, axis, true, given.residual as Maybe<NdArray>, undefined, given.out, undefined)
  }

  /**
   * Sets the running statistics to those of a whole data set: mean and variance of all its elements, merged exactly,
   * instead of a moving average. `batches` and `skipped` are then those of the data set. A batch with NaN or Infinity in a
   * channel does not count there, or throws, as `nonFinite` says; a channel without any element stays as it was.
   *
   * @param batches arrays like x, of any sizes, in any iterable; an async one makes it a promise
   * @throws ArgumentError where there is no element; ShapeError where a batch has other channels. The running statistics
   *   are then as they were.
   */
  recalibrate(batches: Iterable<NdArray>): void
  recalibrate(batches: AsyncIterable<NdArray>): Promise<void>
  recalibrate(batches: Iterable<NdArray> | AsyncIterable<NdArray>): void | Promise<void> {
    const total = noParts(this.channels)
    const skips = new Float64Array(this.channels)
    let taken = 0
    return eachBatch(
      batches,
      (batch, name) => {
        const shape = checkShapeOf(batch, name)
        const axis = this.#axisIn(shape)
        checkLayerChannels(shape, axis, this.channels, name)
        const parts = partsOf(batch, name, this.channels, axis)
        if (elements(shape) === 0) return
        for (let channel = 0; channel < this.channels; channel++) {
          if (Number.isFinite((parts.mean[channel] as number) + (parts.m2[channel] as number))) continue
          if (this.nonFinite === "throw") throw notFinite(channel, name)
          parts.count[channel] = 0
          skips[channel]!++
        }
        merge(total, parts)
        taken++
      },
      () => {
        const { count, mean, m2 } = checkSomeBatches(total, taken > 0)
        for (let channel = 0; channel < this.channels; channel++) {
          const m = count[channel] as number
          if (m === 0) continue
          this.runningMean[channel] = mean[channel] as number
          // One element has no unbiased variance: the running one stays.
          if (m > oneElement || !this.unbiased)
            this.runningVariance[channel] = (m2[channel] as number) / (this.unbiased ? m - 1 : m)
        }
        this.#batches = taken
        this.#skips.set(skips)
      },
    )
  }

  /** Running mean 0 and variance 1, no batches. */
  resetRunningStatistics(): void {
    this.runningMean.fill(0)
    this.runningVariance.fill(1)
    this.#batches = 0
    this.#skips.fill(0)
  }

  /**
   * Copies of the parameters and running statistics, by the names of a framework and in the order of its files: Keras's
   * `gamma`, `beta`, `moving_mean`, `moving_variance`; PyTorch's `weight`, `bias`, `running_mean`, `running_var`,
   * `num_batches_tracked`; ONNX's `scale`, `B`, `input_mean`, `input_var`; `scale`, `offset`, `mean`, `variance` of
   * TensorFlow's fused op. Of a layer with `scale` or `center` off, Keras's state lacks that γ or β, PyTorch's lacks both
   * or neither, and the rest have 1 and 0.
   *
   * Not part of it: ε, momentum and the other options, which go to the constructor on either side, and which channels
   * skipped batches (`toJSON` keeps both).
   * The running variance is carried over as it is: biased and unbiased ones differ by m/(m-1) of batches whose size the
   * state does not hold, and each framework infers by the one that it has.
   *
   * @param convention whose names; the layer's own unless given
   * @returns Float64Arrays of one number per channel, and PyTorch's count a number
   * @throws ArgumentError; StateError for a cumulative average of which some channels skipped more batches than others: one
   *   `num_batches_tracked` cannot say so
   */
  state(convention?: Convention): State {
    const names = checkConvention(convention, this.convention)
    // An average of batches goes on from those that it is of.
    const isCounted = this.momentum === null && conventions[names].names.length > 4
    const skips = isCounted ? checkSameSkips(this.#skips) : 0
    return stateOf(this, this.#batches - skips, names)
  }

  /**
   * Takes parameters and running statistics over from a framework, by its names, as {@link BatchNorm.state} has them.
   * Writes into the layer's arrays once all of it is judged. `batches` becomes PyTorch's `num_batches_tracked`; other
   * states do not say, and leave it as it is. `skipped` is 0 afterwards. Gradients and options stay.
   *
   * Same weights and same ε give the same inference. A γ or β that this layer does not use is accepted where it is all
   * ones or zeros. A layer whose momentum is null takes PyTorch's state alone: its average goes on from a count.
   *
   * @param state arrays of numbers of any kind or `{ data, shape }`; the count a number or a bigint, or an array of one
   * @param convention whose names they are; the layer's own unless given
   * @returns the layer
   * @throws ArgumentError for an entry that is missing, unknown or cannot be used, a negative variance; ShapeError for
   *   another number of channels
   */
  load(state: LoadableState, convention?: Convention): this {
    const loaded = checkState(state, this, checkConvention(convention, this.convention))
    for (const name of jsonVectors) if (loaded[name]) this[name].set(loaded[name])
    this.#batches = loaded.batches ?? this.#batches
    this.#skips.fill(0)
    return this
  }

  /** Options, parameters and running statistics, for `JSON.stringify` and back. */
  toJSON(): object {
    const vectors = jsonVectors.map((name) => [name, Array.from(this[name], jsonNumber)])
    return {
      version: jsonVersion,
      channels: this.channels,
      options: Object.fromEntries(jsonOptions.map((name) => [name, this[name]])),
      frozen: this.frozen,
      batches: this.#batches,
      skipped: Array.from(this.#skips),
      ...Object.fromEntries(vectors),
    }
  }

  /**
   * The layer that `toJSON` wrote, to the last bit.
   *
   * @throws ArgumentError, ShapeError for anything else
   */
  static fromJSON(json: object): BatchNorm {
    const record = checkRecord(json, ["version"], "json")
    checkVersion(record.version, jsonVersion, "json.version")
    checkRecord(json, jsonNames, "json")
    const channels = checkChannels(record.channels, "json.channels")
    const vector = (name: string) => checkJsonNumbers(record[name], channels, `json.${name}`)
    const vectors = Object.fromEntries(jsonVectors.map((name) => [name, vector(name)]))
    const frozen = checkFlag(record.frozen as boolean, false, "json.frozen")
    const batches = checkCount(record.batches, "json.batches")
    const skips = vector("skipped").map((count, channel) => checkCount(count, `json.skipped[${channel}]`, batches))
    const options: BatchNormOptions = checkRecord(record.options, jsonOptions, "json.options")
    const layer = new BatchNorm(channels, { ...options, ...vectors })
    layer.frozen = frozen
    layer.#batches = batches
    layer.#skips.set(skips)
    return layer
  }

  #normalize<Y extends NdArray>(
    x: NdArray,
    axis: readonly number[],
    byRunning: boolean,
    residual: Maybe<NdArray>,
    weights: Maybe<Weights>,
    out: Y | undefined,
    saved: Saved | undefined,
  ): Y {
    const told = this.#told
    told.axis = axis
    told.mean = byRunning ? this.runningMean : null
    told.variance = byRunning ? this.runningVariance : null
    told.residual = residual
    told.weights = weights
    try {
      return saved ? normalize(x, told, out, "out", saved, "own") : inferInto(x, told, out, "runningVariance")
    } finally {
      told.residual = undefined
      told.weights = undefined
    }
  }

  /** The channel axes of an x of this shape. */
  #axisIn(shape: readonly number[]): readonly number[] {
    return conventions[this.convention].rankOne && shape.length === 1 && this.channels === 1 ? noAxes : this.axis
  }

  #refuseNonFinite(x: NdArray, kept: number, weights: Maybe<Weights>): void {
    later?.need()
    const rank = x.shape.length
    const { mean, variance } = moments(x, axesOf(allAxes(rank) ^ kept, rank), { weights })
    const channel = mean.data.findIndex((value, index) => !Number.isFinite(value + (variance.data[index] as number)))
    if (channel >= 0) throw notFinite(channel)
  }

  /** What follows a forward pass, for `backward` and in the running statistics. */
  #keep(x: NdArray, residual: Maybe<NdArray>, weights: Maybe<Weights>, follows: boolean): void {
    if (follows) this.#follow(this.#saved)
    this.#kept.x = x
    this.#kept.residual = residual
    this.#kept.weights = weights
  }

  /** The same when that has been computed; until then there is none to go back from. */
  #keepLater(...pass: [x: NdArray, residual: Maybe<NdArray>, weights: Maybe<Weights>, follows: boolean]): void {
    this.#forget()
    later?.after(() => this.#keep(...pass))
  }

  #forgetLater(): void {
    later?.after(() => this.#forget())
  }

  #forget(): void {
    this.#kept.x = undefined
    this.#kept.residual = undefined
    this.#kept.weights = undefined
  }

  /** running = decay·running + (1-decay)·batch, in the channels whose batch is finite. */
  #follow({ mean, variance, count }: Saved): void {
    const { channels, decay: fixed, unbiased, runningMean, runningVariance } = this
    const skips = this.#skips
    const batches = ++this.#batches
    for (let channel = 0; channel < channels; channel++) {
      const batchMean = mean[channel] as number
      const biased = variance[channel] as number
      if (!Number.isFinite(batchMean) || !Number.isFinite(biased)) {
        skips[channel]!++
        continue
      }
      const decay = fixed ?? 1 - 1 / (batches - (skips[channel] as number))
      runningMean[channel] = blend(runningMean[channel] as number, batchMean, decay)
      const m = count[channel] as number
      // One element has no unbiased variance: the running one stays.
      if (unbiased && m <= oneElement) continue
      const batchVariance = unbiased ? biased * (m / (m - 1)) : biased
      runningVariance[channel] = blend(runningVariance[channel] as number, batchVariance, decay)
    }
  }
}

/** decay·old + (1-decay)·fresh; what has no weight may be infinite. */
function blend(old: number, fresh: number, decay: number): number {
  return decay === 0 ? fresh : decay * old + (1 - decay) * fresh
}
