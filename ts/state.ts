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
  const [gamma, beta, runningMean, runningVariance, count] = conventions[convention].names
  const has = parametersOf(convention, layer)
  const { scale, center, channels } = layer
  const state: State = {}
  if (has.gamma) state[gamma] = scale ? layer.gamma.slice() : new Float64Array(channels).fill(1)
  if (has.beta) state[beta] = center ? layer.beta.slice() : new Float64Array(channels)
  state[runningMean] = layer.runningMean.slice()
  state[runningVariance] = layer.runningVariance.slice()
  if (count) state[count] = batches
  return state
}
