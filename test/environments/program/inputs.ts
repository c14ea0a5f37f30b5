import type { FloatArray, NdArray } from "batchnorm"
import { uniform } from "../../support/vectors.ts"

/** A case of test/vectors whose x is uniform: its readme says how the arrays are made of it. */
export interface Vector {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly reducedAxes: readonly number[]
  readonly seed: number
  readonly center: number
  readonly scale: number
  readonly dyScale: number
  readonly gammaScale: number
  readonly epsilon: number
  readonly relu: boolean
}

/** The arrays of a vector, and the options of its forward. */
export function inputsOf(vector: Vector) {
  const { shape, dtype, seed, center, scale, dyScale, gammaScale, epsilon, relu } = vector
  const axis = [...shape.keys()].filter((each) => !vector.reducedAxes.includes(each))
  const size = (axes: Iterable<number>) => [...axes].reduce((product, each) => product * shape[each]!, 1)
  const next = uniform(seed)
  const array = (make: (u: number) => number): NdArray<FloatArray> => {
    const values = Float64Array.from({ length: size(shape.keys()) }, () => make(next()))
    return { data: dtype === "f32" ? Float32Array.from(values) : values, shape }
  }
  const channels = (factor: number) => Float64Array.from({ length: size(axis) }, () => factor * next())
  const x = array((u) => center + scale * u)
  const dy = array((u) => dyScale * u)
  const gamma = channels(gammaScale)
  const beta = channels(1)
  return { x, dy, options: { axis, gamma, beta, epsilon, activation: relu ? ("relu" as const) : null } }
}
