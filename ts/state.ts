import { type Convention, conventions, parametersOf, type Uses } from "./conventions.ts"
import type { State, Vector } from "./types.ts"

/** What a layer's state is made of. */
interface Layer extends Uses {
  readonly channels: number
  readonly gamma: Vector
  readonly beta: Vector
  readonly runningMean: Vector
  readonly runningVariance: Vector
}

/** Copies, by the names of a framework and in the order of its files. */
export function stateOf(layer: Layer, batches: number, convention: Convention): State {
  const { names } = conventions[convention]
  const has = parametersOf(convention, layer)
  const { scale, center, channels, runningMean, runningVariance } = layer
  const state: State = {}
  if (has.gamma) state[names.gamma] = scale ? layer.gamma.slice() : new Float64Array(channels).fill(1)
  if (has.beta) state[names.beta] = center ? layer.beta.slice() : new Float64Array(channels)
  state[names.runningMean] = runningMean.slice()
  state[names.runningVariance] = runningVariance.slice()
  if (names.batches !== null) state[names.batches] = batches
  return state
}
