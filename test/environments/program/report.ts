// The program that every environment runs. It knows inputs, not what is to come out.
import { allocate, backward, type FloatArray, forward, moments, type NdArray } from "batchnorm"
import { digest } from "../../support/vectors.ts"
import { inputsOf, type Vector } from "./inputs.ts"

/** The digests of a vector's results, by the names of test/vectors. */
export type Digests = Readonly<Record<"moments" | "y" | "gradients" | "dx", string>>

/** The results of a small vector, as numbers. */
export interface Numbers {
  readonly mean: readonly number[]
  readonly variance: readonly number[]
  readonly y: readonly number[]
  readonly dx: readonly number[]
  readonly dgamma: readonly number[]
  readonly dbeta: readonly number[]
}

/** What an environment hands back; it passes through JSON. */
export interface Report {
  /** Who says that it ran this. */
  readonly engine: string
  /** What kind of global object it ran under. */
  readonly scope: string
  /** Of each vector: from ordinary arrays, then from resident ones. */
  readonly digests: Readonly<Record<string, readonly [Digests, Digests]>>
  readonly numbers: Numbers
}

// They are put in when this is bundled (sources.ts).
declare const VECTORS: readonly Vector[]
declare const SMALL: Vector

/** Trains one step of each vector. */
export function report(): Report {
  const digests = VECTORS.map((vector) => [vector.name, [digestsOf(vector, false), digestsOf(vector, true)]] as const)
  return {
    engine: engine(),
    scope: globalThis.constructor.name,
    digests: Object.fromEntries(digests),
    numbers: small(),
  }
}

function engine(): string {
  // Node 20 has no navigator, and later ones tell the first number only.
  const { userAgent } = globalThis.navigator ?? { userAgent: "Node.js" }
  return userAgent.startsWith("Node.js") ? `Node.js/${globalThis.process.versions.node}` : userAgent
}

function train(vector: Vector, isResident: boolean) {
  const { x, dy, options } = inputsOf(vector)
  const place = ({ data, shape }: NdArray<FloatArray>): NdArray<FloatArray> => {
    if (!isResident) return { data, shape }
    const array = data instanceof Float32Array ? allocate(shape) : allocate(shape, "float64")
    array.data.set(data)
    return array
  }
  const input = place(x)
  const slope = place(dy)
  const { mean, variance } = moments(input, vector.reducedAxes)
  const { y, saved } = forward(input, options)
  return { mean, variance, y, ...backward(slope, input, saved) }
}

function digestsOf(vector: Vector, isResident: boolean): Digests {
  const { mean, variance, y, dx, dgamma, dbeta } = train(vector, isResident)
  return {
    moments: digest(mean.data, variance.data),
    y: digest(y.data),
    gradients: digest(dgamma, dbeta),
    dx: digest(dx.data),
  }
}

function small(): Numbers {
  const { mean, variance, y, dx, dgamma, dbeta } = train(SMALL, false)
  return {
    mean: [...mean.data],
    variance: [...variance.data],
    y: [...y.data],
    dx: [...dx.data],
    dgamma: [...dgamma],
    dbeta: [...dbeta],
  }
}
