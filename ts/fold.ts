import type { BatchNorm } from "./batch-norm.ts"
import { later } from "./later.ts"
import { emptyLike, mapPiece } from "./map.ts"
import { checkData, checkShapeOf } from "./options/arrays.ts"
import { allAxes } from "./options/axes.ts"
import {
  type ConvLayout,
  checkConvWeights,
  checkDenseWeights,
  checkFoldedOut,
  checkNormalization,
  type DenseLayout,
  type WeightAxes,
} from "./options/fold.ts"
import { checkPerChannel } from "./options/numbers.ts"
import { checkOptions, missing } from "./options/settings.ts"
import { give, open, outUse, runTiles, use } from "./stream.ts"
import type {
  ChannelOptions,
  FloatArray,
  Like,
  Maybe,
  NdArray,
  Owned,
  PerChannel,
  Statistics,
  Vector,
} from "./types.ts"
import { type View, viewOf } from "./view.ts"
import { betaColumn, epsilonOfCall, gammaColumn, meanColumn, outRole, varianceColumn } from "./wasm.ts"

export type { ConvLayout, DenseLayout }

/** What is folded: a layer, by its running statistics, or options; `axis` does not matter, what `forward` saved will do. */
export type Normalization = BatchNorm | (ChannelOptions & Statistics)

/** The weights and the bias of a layer that gives by itself what the normalization made of its result. */
export interface Folded<W extends NdArray> {
  /** w' = w·γ·r. */
  readonly weights: W
  /** b' = (b-μ)·γ·r + β. */
  readonly bias: Vector
}

/** What `foldIntoDense` may be told. */
export interface FoldDenseOptions<W extends NdArray> {
  /** `"io"` ([in, out], TensorFlow) unless given; `"oi"`: [out, in], PyTorch. */
  layout?: DenseLayout | undefined
  /** What to write into, whole or in part; the weights and the bias that were given will do. */
  out?: Partial<Folded<W>> | undefined
}

/** What `foldIntoConv` is told. */
export interface FoldConvOptions<W extends NdArray> {
  /**
   * Where `hw` stands for one to three axes of space: `"hwio"`, TensorFlow; `"oihw"`, PyTorch; transposed, `"hwoi"`
   * and `"iohw"`; depthwise in TensorFlow, `"hwim"`.
   */
  layout: ConvLayout
  /** 1 unless given; of `"hwim"`, the input channels. */
  groups?: number | undefined
  /** What to write into, whole or in part; the weights and the bias that were given will do. */
  out?: Partial<Folded<W>> | undefined
}

/**
 * Folds a normalization into the dense layer before it: w' = w·γ·r and b' = (b-μ)·γ·r + β for each output, with
 * r = 1/√(σ²+ε), 0 where that is 0. Source: Jacob et al. 2018, section 3.2.
 *
 * @param weights [in, out], or as `layout` says
 * @param bias one number per output; none: 0
 * @param normalization of as many channels as there are outputs
 * @returns weights like the given ones and a bias, or `out`
 * @throws ShapeError where lengths do not fit; ArgumentError for a negative variance, an activation, or an `out` that
 *   overlaps what is read and is not the weights or the bias themselves
 */
export function foldIntoDense<T extends FloatArray, W extends NdArray<Like<T>> = NdArray<Owned<T>>>(
  weights: NdArray<T>,
  bias: Maybe<PerChannel>,
  normalization: Normalization,
  options?: FoldDenseOptions<W>,
): Folded<W> {
  const shape = checkShapeOf(weights, "weights")
  const data = checkData(weights, shape, "weights")
  const given = checkOptions(options, "options", ["layout", "out"]) ?? {}
  return fold(data, shape, checkDenseWeights(shape, given.layout), bias, normalization, given.out)
}

/**
 * Folds a normalization into the convolution before it, as `foldIntoDense`.
 *
 * @param weights of 1 to 3 axes of space and those of the channels, in the order that `layout` says. With groups,
 *   `"hwio"` and `"oihw"` have the inputs of one group and the outputs of all, `"iohw"` and `"hwoi"` the inputs of all
 *   and the outputs of one: input i is of group g = ⌊i/(in/groups)⌋ and goes to outputs g·(out/groups) + j. `"hwim"`
 *   has in, and a multiplier m: output i·m + j is of input i
 * @param bias one number per output channel; none: 0
 * @param normalization of as many channels as there are output channels
 * @returns weights like the given ones and a bias, or `out`
 * @throws ShapeError where lengths do not fit; ArgumentError for groups that do not divide their axis, a negative variance,
 *   an activation, or an `out` that overlaps what is read and is not the weights or the bias themselves
 */
export function foldIntoConv<T extends FloatArray, W extends NdArray<Like<T>> = NdArray<Owned<T>>>(
  weights: NdArray<T>,
  bias: Maybe<PerChannel>,
  normalization: Normalization,
  options: FoldConvOptions<W>,
): Folded<W> {
  const shape = checkShapeOf(weights, "weights")
  const data = checkData(weights, shape, "weights")
  const given = checkOptions(options, "options", ["layout", "groups", "out"])
  if (!given) throw missing("options", "{ layout }")
  return fold(data, shape, checkConvWeights(shape, given.layout, given.groups), bias, normalization, given.out)
}

function fold<W extends NdArray>(
  data: FloatArray,
  shape: readonly number[],
  axes: WeightAxes,
  bias: Maybe<PerChannel>,
  normalization: Normalization,
  out: Partial<Folded<W>> | undefined,
): Folded<W> {
  const { channels } = axes
  const scaling = checkNormalization(normalization, shape, axes)
  const { mean, variance, gamma, beta, epsilon } = scaling
  const given = checkPerChannel(bias, channels, "bias")
  const target = checkOptions(out, "out", ["weights", "bias"])
  const { weights: weightsOut, bias: biasOut } = target ?? {}
  const places = checkFoldedOut({ weights: weightsOut, bias: biasOut }, data, shape, channels, given, scaling)
  const weights = weightsOut ?? (emptyLike(data, shape) as unknown as W)
  const vector = places.bias ?? new Float64Array(channels)

  later?.need()
  // The kernels are given the factors of γ·r, whose product may leave the range of f64 where w·γ·r does not.
  const [variances, gammas] = [variance, gamma].map((values) => values && inOrder(values, axes))
  map(
    viewOfWeights(shape, axes),
    data,
    places.weights ?? weights.data,
    epsilon,
    undefined,
    variances,
    gammas,
    undefined,
  )
  // b' is what the normalization makes of b.
  if (!given) vector.fill(0)
  else if (given !== vector) vector.set(given)
  map(viewOf([channels], 0), vector, vector, epsilon, mean, variance, gamma, beta)
  return weightsOut && biasOut ? (target as Folded<W>) : { weights, bias: vector }
}

type Numbers = ArrayLike<number> | undefined

/** The affine map of an array. */
function map(
  view: View,
  from: FloatArray,
  into: FloatArray,
  epsilon: number,
  mean: Numbers,
  variance: Numbers,
  gamma: Numbers,
  beta: Numbers,
): void {
  open(view, from)
  use(outRole, into, 0)
  epsilonOfCall[0] = epsilon
  give(meanColumn, mean)
  give(varianceColumn, variance)
  give(gammaColumn, gamma)
  give(betaColumn, beta)
  runTiles(undefined, mapPiece, outUse, 0)
}

/** Weights whose axes are reduced but for the groups, which are cut out of the input axis, and the output axis. */
function viewOfWeights(shape: readonly number[], { input, output, groups }: WeightAxes): View {
  // No inputs are no groups of a depthwise convolution.
  const axes = shape.flatMap((size, axis) => (axis === input ? [groups, groups && size / groups] : [size]))
  const kept = (1 << input) | (1 << (output > input ? output + 1 : output))
  return viewOf(axes, allAxes(axes.length) ^ kept)
}

/** One number per output channel in the view's order: where the outputs of a group come before the groups, j·groups + g. */
function inOrder(values: ArrayLike<number>, { input, output, groups, channels }: WeightAxes): ArrayLike<number> {
  if (groups === 1 || input < output) return values
  const perGroup = channels / groups
  const channel = (place: number) => (place % groups) * perGroup + Math.floor(place / groups)
  return Float64Array.from({ length: channels }, (_, place) => values[channel(place)] as number)
}
