/** The element types. */
export type FloatArray = Float32Array | Float64Array

/** A dense row-major array; shape `[]` is a scalar. Structural: a literal will do. */
export interface NdArray<T extends FloatArray = FloatArray> {
  /** The elements, the last axis running fastest. */
  readonly data: T
  /** The sizes of the axes. */
  readonly shape: readonly number[]
}

/** x's element type on a buffer of the caller's own: what results are. */
export type Owned<T extends FloatArray> = T extends Float32Array ? Float32Array<ArrayBuffer> : Float64Array<ArrayBuffer>

/** x's element type on any buffer, shared memory included: what dy and `out` may be. */
export type Like<T extends FloatArray> = T extends Float32Array ? Float32Array : Float64Array

/** One number per channel. */
export type Vector = Float64Array<ArrayBuffer>

/** A value, or none. */
export type Maybe<T> = T | null | undefined

/** A parameter of tf.nn's signature: it broadcasts as in NumPy, a bare array along the last axis. */
export type Broadcastable = number | ArrayLike<number> | NdArray

/** One number per channel, in the order of the channel axes. */
export type PerChannel = ArrayLike<number> | NdArray

/**
 * How much each element counts, broadcast against x as in NumPy: booleans are a mask, numbers are from 0 on. An element of
 * weight 0 counts for nothing, NaN or not.
 */
export type Weights =
  | ArrayLike<number | boolean>
  | {
      /** The weights, the last axis running fastest. */
      readonly data: ArrayLike<number | boolean>
      /** The sizes of the axes. */
      readonly shape: readonly number[]
    }

/** Mean and biased variance (m2 / m), shaped as the axes that are kept. */
export interface MeanVariance {
  /** μ. */
  readonly mean: NdArray<Vector>
  /** σ², biased. */
  readonly variance: NdArray<Vector>
}

/** Mean and biased variance of each channel. */
export interface Statistics {
  /** μ. */
  readonly mean: PerChannel
  /** σ², not negative. */
  readonly variance: PerChannel
}

/** What is per channel, and which axes the channels are. */
export interface ChannelOptions {
  /** γ; none: 1. */
  gamma?: Maybe<PerChannel>
  /** β; none: 0. */
  beta?: Maybe<PerChannel>
  /** ε, added to each variance; 1e-3 unless given. */
  epsilon?: number | undefined
  /** The channel axis, -1 unless given; several are a set; `[]`: all of x is one channel. */
  axis?: number | readonly number[] | undefined
  /** What follows y, in the same pass. */
  activation?: Maybe<"relu">
}

/** What is per element beside x. `backward` is given it again. */
export interface Operands<T extends FloatArray> {
  /** Like x; added before the activation. */
  residual?: Maybe<NdArray<Like<T>>>
  /** What each element counts in the statistics and in the gradients. */
  weights?: Maybe<Weights>
}

/**
 * All that a backward pass needs per channel, copied: plain, cloneable, nothing to dispose, and itself valid options
 * for `infer`.
 */
export interface Saved extends Statistics {
  /** μ. */
  readonly mean: Vector
  /** σ², biased. */
  readonly variance: Vector
  /** The elements reduced, m, or the sum of their weights. */
  readonly count: Vector
  /** γ, if it was given. */
  readonly gamma: Vector | null
  /** β, if it was given. */
  readonly beta: Vector | null
  /** ε, added to each variance. */
  readonly epsilon: number
  /** The channel axes. */
  readonly axis: readonly number[]
  /** What followed y. */
  readonly activation: "relu" | null
  /** The statistics were given, not those of the batch. */
  readonly frozen: boolean
  /** y was written over x, so there is no x to go back from. */
  readonly inPlace: boolean
  /** Present where a residual was added, which `backward` needs again. */
  readonly hasResidual?: boolean
  /** Present where elements were weighted, for which `backward` needs the weights again. */
  readonly hasWeights?: boolean
}

/** The gradients of what `forward` was given. */
export interface Gradients<X extends NdArray = NdArray> {
  /** With respect to x, and like it. */
  readonly dx: X
  /** With respect to γ, one number per channel. */
  readonly dgamma: Vector
  /** With respect to β, one number per channel. */
  readonly dbeta: Vector
  /** With respect to the mean, where mean and variance were given. */
  readonly dmean: Vector
  /** With respect to the variance, where mean and variance were given. */
  readonly dvariance: Vector
  /** With respect to the residual, where there was one, and like x. */
  readonly dresidual: X
}

/** The gradients that are asked for most. */
export type Usual = "dx" | "dgamma" | "dbeta"

/** Where to write y. */
export interface OutOption<Y> {
  /** An array like x, or x itself. */
  out?: Y | undefined
}

/** The state of a layer, by the names of a framework. */
export type State = Record<string, FloatArray | number>

/** What a layer loads by those names: numbers of any kind, bare or as `{ data, shape }`, and a count. */
export type LoadableState = Readonly<
  Record<
    string,
    Maybe<
      | number
      | bigint
      | ArrayLike<number | bigint>
      | {
          /** The numbers, the last axis running fastest; int64 comes as bigint. */
          readonly data: ArrayLike<number | bigint>
          /** The sizes of the axes. */
          readonly shape: readonly number[]
        }
    >
  >
>
