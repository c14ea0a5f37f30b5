import { ArgumentError, ShapeError } from "../errors.ts"
import type { ChannelOptions, FloatArray, Maybe, NdArray, PerChannel, Statistics, Vector } from "../types.ts"
import { checkApart } from "./apart.ts"
import { checkLike } from "./arrays.ts"
import { alsoSaved } from "./channels.ts"
import { describe } from "./describe.ts"
import { checkPerChannel, checkVariances, checkVectorOut } from "./numbers.ts"
import {
  checkActivation,
  checkEpsilon,
  checkFlag,
  checkObject,
  checkOneOf,
  checkOptions,
  checkWhole,
  defaultEpsilon,
  missing,
} from "./settings.ts"

/** Where the channels of an array of weights lie. */
export interface WeightAxes {
  readonly input: number
  readonly output: number
  /** How many groups the input axis holds, each with output channels of its own; 1 where the output axis has them all. */
  readonly groups: number
  /** Output channels of all groups. */
  readonly channels: number
}

/** The axes of a dense layer's weights. */
export type DenseLayout = "io" | "oi"

/** The axes of a convolution's weights; `hw` stands for one to three axes of space. */
export type ConvLayout = "hwio" | "oihw" | "iohw" | "hwoi" | "hwim"

/** Axes from the first, or below 0 from the last. */
interface Layout {
  readonly input: number
  readonly output: number
  /** The input axis has the channels of all groups and the output axis those of one, not the other way round. */
  readonly splitsInput: boolean
}

const denseLayouts: Readonly<Record<DenseLayout, Layout>> = {
  io: { input: 0, output: 1, splitsInput: false },
  oi: { input: 1, output: 0, splitsInput: false },
}

const convLayouts: Readonly<Record<ConvLayout, Layout>> = {
  hwio: { input: -2, output: -1, splitsInput: false },
  oihw: { input: 1, output: 0, splitsInput: false },
  iohw: { input: 0, output: 1, splitsInput: true },
  hwoi: { input: -1, output: -2, splitsInput: true },
  hwim: { input: -2, output: -1, splitsInput: true },
}

const denseNames = Object.keys(denseLayouts) as DenseLayout[]
const convNames = Object.keys(convLayouts) as ConvLayout[]

/** The axes of the weights of a dense layer. */
export function checkDenseWeights(shape: readonly number[], layout: DenseLayout | undefined): WeightAxes {
  const { input, output } = denseLayouts[checkOneOf(layout, denseNames, "io", "layout")]
  if (shape.length !== 2) throw new ShapeError("weights.shape", "2 axes", `[${shape.join(", ")}]`)
  return { input, output, groups: 1, channels: shape[output] as number }
}

/** The axes of the weights of a convolution. */
export function checkConvWeights(
  shape: readonly number[],
  layout: ConvLayout | undefined,
  groups: number | undefined,
): WeightAxes {
  if (layout === undefined) throw missing("layout", convNames.map((name) => `"${name}"`).join(" or "))
  const name = checkOneOf(layout, convNames, layout, "layout")
  const rank = shape.length
  if (rank < 3 || rank > 5) {
    throw new ShapeError("weights.shape", "3 to 5 axes, 1 to 3 of them of space", `[${shape.join(", ")}]`)
  }
  const { splitsInput, ...axes } = convLayouts[name]
  const [input, output] = [axes.input, axes.output].map((axis) => (axis + rank) % rank) as [number, number]
  const given =
    name === "hwim"
      ? checkDepthwiseGroups(groups, shape, input)
      : checkGroups(groups, shape, splitsInput ? input : output)
  const split = splitsInput ? given : 1
  return { input, output, groups: split, channels: (shape[output] as number) * split }
}

/** Groups into which an axis falls. */
function checkGroups(groups: number | undefined, shape: readonly number[], axis: number): number {
  const given = groups === undefined ? 1 : checkWhole(groups, 1, "groups")
  if ((shape[axis] as number) % given !== 0) {
    throw new ArgumentError("groups", `a divisor of ${shape[axis]}, weights.shape[${axis}]`, `${given}`)
  }
  return given
}

/** Each input channel of a depthwise convolution is a group. */
function checkDepthwiseGroups(groups: number | undefined, shape: readonly number[], axis: number): number {
  const inputs = shape[axis] as number
  if (groups !== undefined && groups !== inputs) {
    throw new ArgumentError("groups", `none or ${inputs}, weights.shape[${axis}], for "hwim"`, describe(groups))
  }
  return inputs
}

/** What of a layer is read; that of another copy of the package is not an instance of this one's class. */
interface Layer {
  readonly runningMean: PerChannel
  readonly runningVariance: PerChannel
  readonly gamma?: Maybe<PerChannel>
  readonly beta?: Maybe<PerChannel>
  readonly epsilon: number
  readonly scale?: boolean
  readonly center?: boolean
  readonly activation?: Maybe<"relu">
}

function isLayer(normalization: object): normalization is Layer {
  return "runningMean" in normalization && "runningVariance" in normalization
}

/** The numbers of a normalization, one per output channel, by their names in it. */
export interface Scaling {
  readonly mean: ArrayLike<number>
  readonly variance: ArrayLike<number>
  readonly gamma: ArrayLike<number> | undefined
  readonly beta: ArrayLike<number> | undefined
  readonly epsilon: number
  /** The names of mean and variance. */
  readonly names: readonly [string, string]
}

const optionNames = ["mean", "variance", "gamma", "beta", "epsilon", "axis", "activation"]
const anyForm = "a BatchNorm layer or { mean, variance }"

/** A layer or options, of as many channels as the weights have output channels. */
export function checkNormalization(
  normalization: object,
  shape: readonly number[],
  { output, groups, channels }: WeightAxes,
): Scaling {
  if (!checkObject(normalization, "normalization", anyForm)) throw missing("normalization", anyForm)
  const layer = isLayer(normalization) ? normalization : undefined
  const given = layer
    ? optionsOf(layer)
    : (checkOptions(normalization, "normalization", optionNames, alsoSaved) as ChannelOptions & Statistics)
  if (checkActivation(given.activation, "normalization.activation")) {
    const instead = "pass { mean, variance, gamma, beta, epsilon } and apply it after the layer"
    throw new ArgumentError("normalization.activation", `null: it cannot be folded; ${instead}`, '"relu"')
  }
  const [meanName, varianceName] = (layer ? ["runningMean", "runningVariance"] : ["mean", "variance"]).map(
    (name) => `normalization.${name}`,
  ) as [string, string]
  const count = layer && countOf(layer.runningMean)
  if (count !== undefined && count !== channels) {
    const size = shape[output]
    const actual = groups === 1 ? `${size}` : `${size} in each of ${groups} groups: ${channels}`
    throw new ShapeError(`weights.shape[${output}]`, `${count} output channels, as the normalization has`, actual)
  }
  const mean = checkPerChannel(given.mean, channels, meanName)
  const variance = checkPerChannel(given.variance, channels, varianceName)
  if (!mean) throw missing(meanName, "one number per channel")
  if (!variance) throw missing(varianceName, "one number per channel")
  checkVariances(variance, varianceName)
  return {
    mean,
    variance,
    gamma: checkPerChannel(given.gamma, channels, "normalization.gamma"),
    beta: checkPerChannel(given.beta, channels, "normalization.beta"),
    epsilon: checkEpsilon(given.epsilon, defaultEpsilon, "normalization.epsilon"),
    names: [meanName, varianceName],
  }
}

/** What a layer infers with. */
function optionsOf(layer: Layer): ChannelOptions & Statistics {
  // The convention that its ε depends on is not known of a layer that does not say it.
  if (layer.epsilon === undefined) throw missing("normalization.epsilon", "the epsilon of the layer")
  return {
    mean: layer.runningMean,
    variance: layer.runningVariance,
    gamma: checkFlag(layer.scale, true, "normalization.scale") ? layer.gamma : null,
    beta: checkFlag(layer.center, true, "normalization.center") ? layer.beta : null,
    epsilon: layer.epsilon,
    activation: layer.activation,
  }
}

/** How many numbers there are, of what is an array of numbers. */
function countOf(values: PerChannel): number | undefined {
  return ArrayBuffer.isView(values) || Array.isArray(values) ? (values as ArrayLike<number>).length : undefined
}

/** Places for the results, those that are given: over the weights and the bias, or apart from all that is read. */
export function checkFoldedOut(
  out: { readonly weights: NdArray | undefined; readonly bias: Vector | undefined },
  data: FloatArray,
  shape: readonly number[],
  channels: number,
  bias: ArrayLike<number> | undefined,
  { mean, variance, gamma, beta, names }: Scaling,
): { weights: FloatArray | undefined; bias: Vector | undefined } {
  const weights = out.weights === undefined ? undefined : checkLike(out.weights, "out.weights", shape, data, "weights")
  const vector = out.bias === undefined ? undefined : checkVectorOut(out.bias, channels, "out.bias")
  const read = ["weights.data", "bias", ...names, "normalization.gamma", "normalization.beta"]
  const written = ["out.weights.data", "out.bias"]
  checkApart([...read, ...written], read.length, [1, 2], data, bias, mean, variance, gamma, beta, weights, vector)
  return { weights, bias: vector }
}
