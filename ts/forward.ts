import { emptyLike, mapPiece, reluFlag, residualFlag } from "./map.ts"
import { checkApart } from "./options/apart.ts"
import { checkData, checkHeld, checkLike, checkShapeOf, elements, isSame } from "./options/arrays.ts"
import {
  alsoSaved,
  checkBothGiven,
  checkChannelView,
  checkResidual,
  checkSavedOut,
  checkSavedVectors,
  checkVariance,
  forwardNames,
  inferNames,
} from "./options/channels.ts"
import { checkPerChannel } from "./options/numbers.ts"
import {
  checkActivation,
  checkOptions,
  checkSomeElements,
  defaultEpsilon,
  missing,
  notEpsilon,
} from "./options/settings.ts"
import { checkWeights } from "./options/weights.ts"
import { reducePiece } from "./reduce.ts"
import { copyNumbers, give, open, outUse, runTiles, take, use, weigh } from "./stream.ts"
import type {
  ChannelOptions,
  FloatArray,
  Like,
  Maybe,
  NdArray,
  Operands,
  OutOption,
  Owned,
  PerChannel,
  Saved,
  Statistics,
} from "./types.ts"
import {
  betaColumn,
  countColumn,
  epsilonOfCall,
  gammaColumn,
  meanColumn,
  outRole,
  residualRole,
  varianceColumn,
} from "./wasm.ts"

/** What `forward` returns, and may be told to fill. */
export interface Forward<Y extends NdArray> {
  /** The result, like x. */
  readonly y: Y
  /** What `backward` needs, per channel. */
  readonly saved: Saved
}

/** What `forward` may be told. */
export interface ForwardOptions<Y extends NdArray, T extends FloatArray = FloatArray>
  extends ChannelOptions,
    Operands<T>,
    Partial<Statistics> {
  /** What to write into, whole or in part; `out.y` may be x, which then cannot go back. */
  out?:
    | {
        /** An array like x. */
        readonly y?: Y
        /** Its vectors have one number per channel; γ and β are null where none are given. */
        readonly saved?: Saved
      }
    | undefined
}

/**
 * Normalizes each channel by the statistics of the batch, or by a mean and variance that are given:
 * y = (x-μ)/√(σ²+ε)·γ + β, plus the residual, then the activation, in two passes over x (one, if given). With weights
 * μ = Σwx/Σw and σ² = Σw(x-μ)²/Σw; y is that of all elements. Source: Ioffe and Szegedy 2015, algorithm 1.
 *
 * @param x any shape; its channels lie along `axis`
 * @returns y, like x, and what `backward` needs, per channel
 * @throws ArgumentError for an empty batch, a channel without weight, a negative variance or weight, a bad ε, an `out`
 *   that overlaps x in part; ShapeError where lengths do not fit
 */
export function forward<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
  x: NdArray<T>,
  options?: ForwardOptions<Y, T>,
): Forward<Y> {
  const given: ForwardOptions<Y, T> = checkOptions(options, "options", forwardNames, alsoSaved) ?? {}
  const out = checkOptions(given.out, "out", outNames)
  const saved = out?.saved === undefined ? emptySaved() : out.saved
  const y = normalize(x, given, out?.y, "out.y", saved, out?.saved === undefined ? "fresh" : "given")
  return out?.y && out.saved ? (out as Forward<Y>) : { y, saved }
}

const outNames = ["y", "saved"]

/** To be filled, vectors and all. */
export function emptySaved(): Saved {
  const none = new Float64Array(0)
  const settings = { epsilon: 0, axis: [], activation: null, frozen: false, inPlace: false }
  return { mean: none, variance: none, count: none, gamma: null, beta: null, ...settings }
}

/** What the options of `forward` and `infer` have in common, and a layer tells. */
export interface Told extends ChannelOptions, Operands<FloatArray> {
  mean?: Maybe<PerChannel>
  variance?: Maybe<PerChannel>
}

export type Mutable<S> = { -readonly [N in keyof S]: S[N] }

/**
 * Computes y, in `target` if there is one, and saves what `backward` needs. All is judged before anything is
 * written, and first read into variables: reading what a user passes may run code that calls the package again.
 *
 * @param given judged as far as its names go
 * @param name of `target`
 * @param vectors of `saved`: to be made, given by the user, or a layer's own
 */
export function normalize<Y extends NdArray>(
  x: NdArray,
  given: Told,
  target: Y | undefined,
  name: "out" | "out.y",
  saved: Mutable<Saved>,
  vectors: "fresh" | "given" | "own",
): Y {
  const shape = checkShapeOf(x, "x")
  const data = checkData(x, shape, "x")
  const view = checkChannelView(shape, given.axis, "axis")
  const length = view.statistics
  const gamma = checkPerChannel(given.gamma, length, "gamma")
  const beta = checkPerChannel(given.beta, length, "beta")
  let epsilon = defaultEpsilon
  // In place, and not read where it is not there, so that engines need not make an object of it (see checkEpsilon).
  if ("epsilon" in given) {
    const value = given.epsilon
    if (value !== undefined) {
      if (typeof value !== "number" || !(value >= 0 && value < Number.POSITIVE_INFINITY))
        throw notEpsilon(value, "epsilon")
      epsilon = value
    }
  }
  const activation = checkActivation(given.activation)
  const mean = checkPerChannel(given.mean, length, "mean")
  const variance = checkVariance(given.variance, length, vectors === "own" ? "runningVariance" : "variance")
  const frozen = checkBothGiven(mean, variance, "both mean and variance, or neither")
  if (!frozen && length > 0) checkSomeElements(view.count, 1, "x")
  const residual = checkResidual(given.residual, shape, data)
  const weights = checkWeights(given.weights, shape, view.kept, frozen ? undefined : 0)
  const result = target === undefined ? (emptyLike(data, shape) as NdArray as Y) : target
  const y = target === undefined ? result.data : checkLike(target, name, shape, data)
  if (vectors === "given") checkSavedOut(saved)
  else if (vectors === "fresh") makeVectors(saved, length, gamma !== undefined, beta !== undefined)
  const { mean: savedMean, variance: savedVariance, count: savedCount, gamma: savedGamma, beta: savedBeta } = saved
  if (vectors === "given")
    checkSavedVectors(length, gamma, beta, savedMean, savedVariance, savedCount, savedGamma, savedBeta)

  checkApart(
    name === "out" ? namesOfOut : namesOfY,
    7,
    activation ? sameBeforeRelu : same,
    data,
    residual,
    weights?.data,
    mean,
    variance,
    gamma,
    beta,
    y,
    savedMean,
    savedVariance,
    savedCount,
    savedGamma,
    savedBeta,
  )

  open(view, data)
  use(outRole, y, 0)
  if (residual) use(residualRole, residual, 2)
  if (weights) {
    // Those of given statistics are only counted.
    if (frozen) checkHeld(weights.data, elements(weights.shape))
    else weigh(weights)
  }
  // From here on something is written.
  copyNumbers(gamma, savedGamma)
  copyNumbers(beta, savedBeta)
  if (frozen) {
    copyNumbers(mean, savedMean)
    copyNumbers(variance, savedVariance)
    if (weights) savedCount.set(weights.totals)
    else savedCount.fill(view.count)
  }
  epsilonOfCall[0] = epsilon
  give(gammaColumn, gamma)
  give(betaColumn, beta)
  if (frozen) {
    give(meanColumn, mean)
    give(varianceColumn, variance)
  } else {
    take(meanColumn, savedMean)
    take(varianceColumn, savedVariance)
    take(countColumn, savedCount)
  }
  const flags = (activation ? reluFlag : 0) | (residual ? residualFlag : 0)
  runTiles(frozen ? undefined : reducePiece, mapPiece, outUse, flags)
  saved.epsilon = epsilon
  saved.axis = view.axis
  saved.activation = activation
  saved.frozen = frozen
  saved.inPlace = isSame(y, data)
  if (residual || saved.hasResidual) saved.hasResidual = residual !== undefined
  if (weights || saved.hasWeights) saved.hasWeights = weights !== undefined
  return result
}

const reads = ["x.data", "residual.data", "weights", "mean", "variance", "gamma", "beta"]
// Calls, and no spreads: bundlers leave those out where nothing uses them.
const namesOfOut = /* @__PURE__ */ reads.concat("out.data")
const savedNames = ["out.saved.mean", "out.saved.variance", "out.saved.count", "out.saved.gamma", "out.saved.beta"]
const namesOfY = /* @__PURE__ */ reads.concat("out.y.data", savedNames)
// y may lie over x or the residual, what is saved over the numbers that it is of.
const same = [1 | 2, 8, 16, 0, 32, 64]
// The backward pass looks where the ReLU was 0, for which it needs the residual.
const sameBeforeRelu = [1, 8, 16, 0, 32, 64]

/** Vectors for what is to be saved. */
export function makeVectors(saved: Mutable<Saved>, length: number, hasGamma: boolean, hasBeta: boolean): void {
  saved.mean = new Float64Array(length)
  saved.variance = new Float64Array(length)
  saved.count = new Float64Array(length)
  saved.gamma = hasGamma ? new Float64Array(length) : null
  saved.beta = hasBeta ? new Float64Array(length) : null
}

/** What `infer` may be told. */
export interface InferOptions<Y extends NdArray, T extends FloatArray = FloatArray>
  extends ChannelOptions,
    Statistics,
    OutOption<Y> {
  /** Like x; added before the activation. */
  residual?: Maybe<NdArray<Like<T>>>
}

/**
 * Normalizes each channel by a mean and variance that are given: y = (x-μ)/√(σ²+ε)·γ + β, plus the residual, then the
 * activation, in one pass. What `forward` saved will do as options.
 *
 * @param x any shape; its channels lie along `axis`
 * @returns an array like x, or `out`
 * @throws ArgumentError where mean or variance is missing, for a negative variance, a bad ε, an `out` that overlaps x in
 *   part; ShapeError where lengths do not fit
 */
export function infer<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
  x: NdArray<T>,
  options: InferOptions<Y, T>,
): Y {
  const given = checkOptions(options, "options", inferNames, alsoSaved)
  if (!given) throw missing("options", "{ mean, variance }")
  return inferInto<Y>(x, given, given.out)
}

/** The same, of options whose names were judged. All is first read into variables, as in {@link normalize}. */
export function inferInto<Y extends NdArray>(
  x: NdArray,
  given: Told,
  target: Y | undefined,
  varianceName: "variance" | "runningVariance" = "variance",
): Y {
  const shape = checkShapeOf(x, "x")
  const data = checkData(x, shape, "x")
  const view = checkChannelView(shape, given.axis, "axis")
  const length = view.statistics
  const gamma = checkPerChannel(given.gamma, length, "gamma")
  const beta = checkPerChannel(given.beta, length, "beta")
  let epsilon = defaultEpsilon
  if ("epsilon" in given) {
    const value = given.epsilon
    if (value !== undefined) {
      if (typeof value !== "number" || !(value >= 0 && value < Number.POSITIVE_INFINITY)) {
        throw notEpsilon(value, "epsilon")
      }
      epsilon = value
    }
  }
  const activation = checkActivation(given.activation)
  const mean = checkPerChannel(given.mean, length, "mean")
  const variance = checkVariance(given.variance, length, varianceName)
  checkBothGiven(mean, variance)
  const residual = checkResidual(given.residual, shape, data)
  const result = target === undefined ? (emptyLike(data, shape) as NdArray as Y) : target
  const y = target === undefined ? result.data : checkLike(target, "out", shape, data)
  checkApart(namesOfInfer, 6, sameAsInput, data, residual, mean, variance, gamma, beta, y)

  open(view, data)
  use(outRole, y, 0)
  if (residual) use(residualRole, residual, 2)
  epsilonOfCall[0] = epsilon
  give(meanColumn, mean)
  give(varianceColumn, variance)
  give(gammaColumn, gamma)
  give(betaColumn, beta)
  runTiles(undefined, mapPiece, outUse, (activation ? reluFlag : 0) | (residual ? residualFlag : 0))
  return result
}

const namesOfInfer = ["x.data", "residual.data", "mean", "variance", "gamma", "beta", "out.data"]
// y may lie over x or the residual.
const sameAsInput = [1 | 2]
