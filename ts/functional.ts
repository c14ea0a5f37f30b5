import { StateError } from "./errors.ts"
import { Resident } from "./memory.ts"
import {
  axesOf,
  type Checked,
  checkActivation,
  checkApart,
  checkArray,
  checkAxes,
  checkBroadcast,
  checkCounts,
  checkEpsilon,
  checkFlag,
  checkLike,
  checkNeed,
  checkOneOf,
  checkOptions,
  checkOut,
  checkPerChannel,
  checkShape,
  checkSomeElements,
  checkStatisticsOut,
  checkVariances,
  checkVectorOut,
  elements,
  hasAxis,
  isSame,
  missing,
  type Parameter,
} from "./options.ts"
import { columnOf, input, isStaged, output, pass, readColumn, type Tile, tilesOf, writeColumn } from "./stream.ts"
import type {
  Broadcastable,
  ChannelOptions,
  FloatArray,
  Gradients,
  Like,
  Maybe,
  MeanVariance,
  NdArray,
  Owned,
  Saved,
  Statistics,
  Vector,
} from "./types.ts"
import { countOf, statisticsOf, type View, viewOf } from "./view.ts"
import { columns, float32, float64, type Kernels } from "./wasm.ts"

/** The ε of Keras and of `tf.nn`'s examples, wherever none is given. */
const defaultEpsilon = 1e-3

/** An array on the library's memory: what the kernels use where it lies, without a copy. */
export interface ResidentArray<T extends FloatArray = FloatArray> extends NdArray<T>, Disposable {
  /** Gives the memory back; after it `data` throws a DisposedError. */
  dispose(): void
}

/**
 * An array of zeros on the library's memory. Only this call grows that memory, which detaches views taken before: fetch
 * `.data` at each use.
 *
 * @param shape sizes of the axes; `[]` is a scalar
 * @param dtype `"float32"` unless given
 * @throws ShapeError, ArgumentError; OutOfMemoryError, after which everything works on
 */
export function allocate(shape: readonly number[], dtype?: "float32"): ResidentArray<Float32Array<ArrayBuffer>>
export function allocate(shape: readonly number[], dtype: "float64"): ResidentArray<Float64Array<ArrayBuffer>>
export function allocate(
  shape: readonly number[],
  dtype?: "float32" | "float64",
): ResidentArray<Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>> {
  const type = checkOneOf(dtype, ["float32", "float64"], "float32", "dtype")
  const sizes = Object.freeze([...checkShape(shape, "shape")])
  return new Resident(sizes, elements(sizes), type === "float32" ? 4 : 8)
}

/** What `moments` may be told. */
export interface MomentsOptions {
  /** Reduced axes stay, with size 1. */
  keepDims?: boolean | undefined
  /** Arrays to write into, whole or in part, with as many elements as the result. */
  out?: Partial<MeanVariance> | undefined
}

/**
 * Mean and biased variance over some axes, as `tf.nn.moments`:
 * μ = Σx / m, σ² = Σ(x-μ)² / m, in Float64Array, accurate at any offset of the data (docs/numerics.md).
 *
 * @param x any shape
 * @param axes the axes to reduce; none given: all of them; `[]`: none
 * @returns both shaped as the axes that are kept
 * @throws ArgumentError where no element is reduced; ShapeError, StateError, DisposedError for an x that is none
 */
export function moments(x: NdArray, axes?: number | readonly number[], options?: MomentsOptions): MeanVariance {
  const array = checkArray(x, "x")
  const rank = array.shape.length
  const reduced = checkAxes(axes, rank, 2 ** rank - 1, "axes")
  checkOptions(options, "options")
  const keepDims = checkFlag(options?.keepDims, false, "keepDims")
  const view = viewOf(array.shape, reduced)
  const length = statisticsOf(view)
  if (length > 0) checkSomeElements(countOf(view), 1, "x")
  const shape = array.shape
    .map((size, axis) => (hasAxis(reduced, axis) ? 1 : size))
    .filter((_, axis) => keepDims || !hasAxis(reduced, axis))
  const out = checkOptions(options?.out, "out")
  const result = {
    mean: out?.mean ?? { data: new Float64Array(length), shape },
    variance: out?.variance ?? { data: new Float64Array(length), shape: [...shape] },
  }
  const mean = checkStatisticsOut(result.mean, length, "out.mean")
  const variance = checkStatisticsOut(result.variance, length, "out.variance")
  checkApart(mean, "out.mean.data", array.data, "x.data")
  checkApart(variance, "out.variance.data", array.data, "x.data")
  checkApart(variance, "out.variance.data", mean, "out.mean.data")

  const kernels = kernelsOf(array)
  for (const tile of tilesOf(view, kernels.bytes, isStaged(view, array))) {
    pass(view, tile, [input(array, 0)], true, kernels.moments)
    readColumn(columns.mean, tile, mean)
    readColumn(columns.variance, tile, variance)
  }
  return out?.mean && out.variance ? (out as MeanVariance) : result
}

/** Where to write y. */
export interface OutOption<Y> {
  /** An array like x, or x itself. */
  out?: Y | undefined
}

/**
 * y = (x-μ)/√(σ²+ε)·scale + offset, as `tf.nn.batch_normalization`, argument for argument.
 *
 * @param x any shape
 * @param mean, variance, offset, scale numbers, bare arrays or `{ data, shape }` that broadcast to x as in NumPy; offset
 *   and scale may each be absent
 * @param epsilon ε; 1e-3 unless given
 * @returns an array like x, or `out`
 * @throws ShapeError where a parameter does not broadcast to x; ArgumentError for a negative variance or a bad ε
 */
export function batchNormalization<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
  x: NdArray<T>,
  mean: Broadcastable,
  variance: Broadcastable,
  offset?: Maybe<Broadcastable>,
  scale?: Maybe<Broadcastable>,
  epsilon?: number,
  options?: OutOption<Y>,
): Y {
  const array = checkArray(x, "x")
  const { shape } = array
  const optional = (value: Maybe<Broadcastable>, name: string) =>
    value === undefined || value === null ? undefined : checkBroadcast(value, shape, name)
  const parameters = {
    mean: checkBroadcast(mean, shape, "mean"),
    variance: checkBroadcast(variance, shape, "variance"),
    gamma: optional(scale, "scale"),
    beta: optional(offset, "offset"),
  }
  checkVariances(parameters.variance.data, "variance")
  const epsilonValue = checkEpsilon(epsilon, defaultEpsilon)
  checkOptions(options, "options")
  const result = options?.out === undefined ? (emptyLike(array) as unknown as Y) : options.out
  const y = options?.out === undefined ? ordinary(result) : checkOut(result, array, { x: array }, "out")
  checkApart(y.data, "out.data", parameters.mean.data, "mean")
  checkApart(y.data, "out.data", parameters.variance.data, "variance")
  checkApart(y.data, "out.data", parameters.beta?.data, "offset")
  checkApart(y.data, "out.data", parameters.gamma?.data, "scale")

  // Axes along which no parameter changes are reduced, as far as the view is concerned.
  const constant = axesOf(2 ** shape.length - 1, shape.length).filter((axis) =>
    Object.values(parameters).every((parameter) => sizeAt(parameter, axis, shape.length) === 1),
  )
  const reduced = constant.reduce((mask, axis) => mask + 2 ** axis, 0)
  const kept = shape.map((size, axis) => (hasAxis(reduced, axis) ? 1 : size))
  const view = viewOf(shape, reduced)
  applyMap(view, array, y, { epsilon: epsilonValue, relu: false }, (tile) => {
    const column = (index: number, parameter: Parameter | undefined, absent: number) => {
      if (parameter) expand(parameter, kept, tile, columnOf(index, tile))
      else writeColumn(index, tile, undefined, absent)
    }
    column(columns.mean, parameters.mean, 0)
    column(columns.variance, parameters.variance, 0)
    column(columns.gamma, parameters.gamma, 1)
    column(columns.beta, parameters.beta, 0)
    return false
  })
  return result
}

function sizeAt(parameter: Parameter | undefined, axis: number, rank: number): number {
  return parameter?.shape[axis - rank + parameter.shape.length] ?? 1
}

/** Fills in the numbers of a tile, of a parameter that broadcasts to these sizes. */
function expand(parameter: Parameter, kept: readonly number[], tile: Tile, values: Float64Array): void {
  const { data } = parameter
  if (data.length === 1) {
    values.fill(data[0] as number)
    return
  }
  for (let index = 0; index < tile.length; index++) {
    let rest = tile.start + index
    let at = 0
    let stride = 1
    for (let axis = kept.length - 1; axis >= 0; axis--) {
      const size = sizeAt(parameter, axis, kept.length)
      const whole = kept[axis] as number
      if (size !== 1) at += (rest % whole) * stride
      stride *= size
      rest = Math.floor(rest / whole)
    }
    values[index] = data[at] as number
  }
}

/** What `forward` returns, and may be told to fill. */
export interface Forward<Y extends NdArray> {
  readonly y: Y
  readonly saved: Saved
}

/** What `forward` may be told. */
export interface ForwardOptions<Y extends NdArray> extends ChannelOptions, Partial<Statistics> {
  /** What to write into, whole or in part; `out.y` may be x, which then cannot go back. */
  out?: { readonly y?: Y; readonly saved?: Saved } | undefined
}

/**
 * Normalizes each channel by the statistics of the batch, or by a mean and variance that are given:
 * y = (x-μ)/√(σ²+ε)·γ + β, then the activation, in two passes over x (one, if given).
 *
 * @param x any shape; its channels lie along `axis`
 * @returns y, like x, and what `backward` needs, per channel
 * @throws ArgumentError for an empty batch, a negative variance, a bad ε, an `out` that overlaps x in part; ShapeError
 *   where lengths do not fit
 */
export function forward<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
  x: NdArray<T>,
  options?: ForwardOptions<Y>,
): Forward<Y> {
  const array = checkArray(x, "x")
  const given: ForwardOptions<Y> = checkOptions(options, "options") ?? {}
  const channels = checkChannelOptions(array, given)
  const { view, length } = channels
  const frozen = isGiven(given)
  const statistics = frozen ? checkStatistics(given, length) : undefined
  if (!frozen && length > 0) checkSomeElements(countOf(view), 1, "x")
  const out = checkOptions(given.out, "out")
  const result = out?.y === undefined ? (emptyLike(array) as unknown as Y) : out.y
  const y = out?.y === undefined ? ordinary(result) : checkOut(result, array, { x: array }, "out.y")
  const saved =
    out?.saved === undefined
      ? {
          mean: new Float64Array(length),
          variance: new Float64Array(length),
          count: new Float64Array(length),
          gamma: channels.gamma ? new Float64Array(length) : null,
          beta: channels.beta ? new Float64Array(length) : null,
        }
      : checkSavedOut(out.saved, channels, statistics, array.data, y.data)
  Object.assign(saved, {
    epsilon: channels.epsilon,
    axis: channels.axis,
    activation: channels.activation,
    frozen,
    inPlace: isSame(y, array),
  })
  saved.gamma?.set(channels.gamma as ArrayLike<number>)
  saved.beta?.set(channels.beta as ArrayLike<number>)
  if (statistics) {
    saved.mean.set(statistics.mean)
    saved.variance.set(statistics.variance)
    saved.count.fill(countOf(view))
  }

  const kernels = kernelsOf(array)
  applyMap(view, array, y, { epsilon: channels.epsilon, relu: channels.activation === "relu" }, (tile) => {
    if (statistics) {
      writeColumn(columns.mean, tile, saved.mean, 0)
      writeColumn(columns.variance, tile, saved.variance, 0)
    } else {
      pass(view, tile, [input(array, 0)], true, kernels.moments)
      readColumn(columns.mean, tile, saved.mean)
      readColumn(columns.variance, tile, saved.variance)
      readColumn(columns.count, tile, saved.count)
    }
    writeColumn(columns.gamma, tile, saved.gamma ?? undefined, 1)
    writeColumn(columns.beta, tile, saved.beta ?? undefined, 0)
    return statistics === undefined
  })
  return out?.y && out.saved ? (out as Forward<Y>) : { y: result, saved: saved as Saved }
}

/** What `infer` may be told. */
export interface InferOptions<Y extends NdArray> extends ChannelOptions, Statistics, OutOption<Y> {}

/**
 * Normalizes each channel by a mean and variance that are given: y = (x-μ)/√(σ²+ε)·γ + β, then the activation, in one
 * pass. What `forward` saved will do as options.
 *
 * @param x any shape; its channels lie along `axis`
 * @returns an array like x, or `out`
 * @throws as `forward`
 */
export function infer<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
  x: NdArray<T>,
  options: InferOptions<Y>,
): Y {
  const array = checkArray(x, "x")
  const given = checkOptions(options, "options")
  if (!given) throw missing("options", "{ mean, variance }")
  const channels = checkChannelOptions(array, given)
  const statistics = checkStatistics(given, channels.length)
  const result = given.out === undefined ? (emptyLike(array) as unknown as Y) : given.out
  const y = given.out === undefined ? ordinary(result) : checkOut(result, array, { x: array }, "out")
  checkApart(y.data, "out.data", statistics.mean, "mean")
  checkApart(y.data, "out.data", statistics.variance, "variance")
  checkApart(y.data, "out.data", channels.gamma, "gamma")
  checkApart(y.data, "out.data", channels.beta, "beta")
  applyMap(channels.view, array, y, { epsilon: channels.epsilon, relu: channels.activation === "relu" }, (tile) => {
    writeColumn(columns.mean, tile, statistics.mean, 0)
    writeColumn(columns.variance, tile, statistics.variance, 0)
    writeColumn(columns.gamma, tile, channels.gamma, 1)
    writeColumn(columns.beta, tile, channels.beta, 0)
    return false
  })
  return result
}

/** What `backward` may be told. */
export interface BackwardOptions<X extends NdArray, N extends keyof Gradients> {
  /** The gradients that are wanted; all three unless given. */
  need?: readonly N[] | undefined
  /** Arrays to write into, of those wanted; `dx` may be dy or x. */
  out?: Partial<Gradients<X>> | undefined
}

const gradientNames = ["dx", "dgamma", "dbeta"] as const

/**
 * The gradients of `forward`, in closed form, with x̂ = (x-μ)·r and r = 1/√(σ²+ε):
 * dβ = Σdy, dγ = Σdy·x̂, dx = γ·r·(dy - dβ/m - x̂·dγ/m); with statistics that were given dx = γ·r·dy. After a ReLU, dy
 * counts where y is above 0.
 *
 * @param dy the gradient with respect to y, like x
 * @param x what `forward` was given
 * @param saved what it returned
 * @returns the gradients that `need` names
 * @throws StateError after a forward in place; ShapeError where dy or saved do not fit x
 */
export function backward<
  T extends FloatArray,
  X extends NdArray<Like<T>> = NdArray<Owned<T>>,
  N extends keyof Gradients = keyof Gradients,
>(dy: NdArray<Like<T>>, x: NdArray<T>, saved: Saved, options?: BackwardOptions<X, N>): Pick<Gradients<X>, N> {
  const array = checkArray(x, "x")
  const slope = checkArray(dy as NdArray, "dy")
  checkLike(slope, array, "dy")
  if (!checkOptions(saved, "saved", "what forward saved")) throw missing("saved", "what forward saved")
  if (checkFlag(saved.inPlace, false, "saved.inPlace")) {
    throw new StateError("saved: forward wrote y over x, so x is gone: give it another array for y to go back", "saved")
  }
  const channels = checkChannelOptions(array, saved, "saved.")
  const { view, length, epsilon } = channels
  const statistics = checkStatistics(saved, length, "saved.")
  const count = checkPerChannel(saved.count, length, "saved.count")
  if (!count) throw missing("saved.count", "one number per channel")
  checkCounts(count, countOf(view), "saved.count")
  const frozen = checkFlag(saved.frozen, false, "saved.frozen")
  const { need: names, out = {} } = checkOptions(options, "options") ?? {}
  const need = checkNeed(names, gradientNames as unknown as readonly N[])
  checkOptions(out, "out")
  const wants = (name: N | keyof Gradients) => need.includes(name as N)

  const inputs = { x: array, dy: slope }
  const given = wants("dx") ? out.dx : undefined
  const fresh = wants("dx") && given === undefined ? (emptyLike(array) as unknown as X) : undefined
  const dx = given === undefined ? fresh && ordinary(fresh) : checkOut(given as NdArray, array, inputs, "out.dx")
  const vector = (name: "dgamma" | "dbeta") => {
    if (!wants(name)) return undefined
    const target = out[name]
    return target === undefined ? new Float64Array(length) : checkVectorOut(target, length, `out.${name}`)
  }
  const dgamma = vector("dgamma")
  const dbeta = vector("dbeta")
  const apart = (result: FloatArray | undefined, name: string) => {
    if (!result) return
    checkApart(result, name, statistics.mean, "saved.mean")
    checkApart(result, name, statistics.variance, "saved.variance")
    checkApart(result, name, count, "saved.count")
    checkApart(result, name, channels.gamma, "saved.gamma")
    checkApart(result, name, channels.beta, "saved.beta")
  }
  const apartFromElements = (result: FloatArray | undefined, name: string) => {
    if (!result) return
    checkApart(result, name, array.data, "x.data")
    checkApart(result, name, slope.data, "dy.data")
    checkApart(result, name, dx?.data, "out.dx.data")
  }
  apart(dx?.data, "out.dx.data")
  apart(dgamma, "out.dgamma")
  apart(dbeta, "out.dbeta")
  apartFromElements(dgamma, "out.dgamma")
  apartFromElements(dbeta, "out.dbeta")
  if (dbeta) checkApart(dbeta, "out.dbeta", dgamma, "out.dgamma")

  const relu = channels.activation === "relu"
  const sums = wants("dgamma") || wants("dbeta") || (dx !== undefined && !frozen)
  const kernels = kernelsOf(array)
  const staged = [array, slope, ...(dx ? [dx] : [])].some((each) => isStaged(view, each))
  const ports = [input(array, 0), input(slope, 1)]
  for (const tile of tilesOf(view, kernels.bytes, staged)) {
    writeColumn(columns.mean, tile, statistics.mean, 0)
    writeColumn(columns.variance, tile, statistics.variance, 0)
    writeColumn(columns.gamma, tile, channels.gamma, 1)
    writeColumn(columns.beta, tile, channels.beta, 0)
    writeColumn(columns.count, tile, count, 0)
    if (sums) {
      pass(view, tile, ports, true, (begin, end) => kernels.parameterGradients(relu, epsilon, begin, end))
      if (dgamma) readColumn(columns.dgamma, tile, dgamma)
      if (dbeta) readColumn(columns.dbeta, tile, dbeta)
    }
    if (dx) {
      pass(view, tile, [...ports, output(dx, 1)], !sums, (begin) => kernels.dx(relu, frozen, epsilon, begin))
    }
  }
  const gradients = { dx: fresh ?? given, dgamma, dbeta }
  return Object.fromEntries(need.map((name) => [name, gradients[name as keyof Gradients]])) as Pick<Gradients<X>, N>
}

/** y from x, tile by tile; `prepare` fills the channel table and says whether it has just read the inputs. */
function applyMap(
  view: View,
  x: Checked,
  y: Checked,
  { epsilon, relu }: { epsilon: number; relu: boolean },
  prepare: (tile: Tile) => boolean,
): void {
  const kernels = kernelsOf(x)
  const ports = [input(x, 0), output(y, 0)]
  for (const tile of tilesOf(view, kernels.bytes, isStaged(view, x) || isStaged(view, y))) {
    const fresh = !prepare(tile)
    pass(view, tile, ports, fresh, (begin) => kernels.affine(relu, epsilon, begin))
  }
}

function kernelsOf(array: Checked): Kernels {
  return array.data.BYTES_PER_ELEMENT === 4 ? float32 : float64
}

function emptyLike({ data, shape }: Checked): NdArray<FloatArray> {
  const length = data.length
  return { data: data.BYTES_PER_ELEMENT === 4 ? new Float32Array(length) : new Float64Array(length), shape: [...shape] }
}

function ordinary({ data, shape }: NdArray): Checked {
  return { data, shape, resident: false }
}

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

function checkChannelOptions(x: Checked, options: ChannelOptions, prefix = ""): Channels {
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

function isGiven(options: Partial<Statistics>): boolean {
  const given = (value: unknown) => value !== undefined && value !== null
  if (given(options.mean) !== given(options.variance)) {
    throw missing(given(options.mean) ? "variance" : "mean", "both mean and variance, or neither")
  }
  return given(options.mean)
}

function checkStatistics(options: Partial<Statistics>, length: number, prefix = "") {
  const mean = checkPerChannel(options.mean, length, `${prefix}mean`)
  const variance = checkPerChannel(options.variance, length, `${prefix}variance`)
  if (!mean) throw missing(`${prefix}mean`, "one number per channel")
  if (!variance) throw missing(`${prefix}variance`, "one number per channel")
  checkVariances(variance, `${prefix}variance`)
  return { mean, variance }
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
function checkSavedOut(
  saved: Saved,
  { length, gamma, beta }: Channels,
  statistics: { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> } | undefined,
  x: FloatArray,
  y: FloatArray,
): SavedVectors {
  checkOptions(saved, "out.saved", "what forward saved")
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
