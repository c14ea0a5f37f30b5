import { StateError, UnsupportedError } from "./errors.ts"
import * as kernel from "./generated/kernel.js"

/** Where a start may take the kernels from. */
export type Source = WebAssembly.Module | BufferSource

let bundled: (() => Source) | undefined
let started: WebAssembly.Memory | undefined

/** An entry hands over how to get at its own bytes. */
export function setSource(source: () => Source): void {
  bundled = source
}

/** Whether the kernels run. */
export function isStarted(): boolean {
  return started !== undefined
}

/** Instantiates; the first start wins. */
export function start(module?: WebAssembly.Module): void {
  if (started) return
  if (!module && !bundled) {
    throw new StateError("batchnorm/slim carries no kernels: await init({ source }) before the first call")
  }
  started = kernel.initSync({ module: module ?? compile((bundled as () => Source)()) }).memory
}

/** Compiles at once. */
export function compile(source: Source): WebAssembly.Module {
  checkEngine()
  try {
    return source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source)
  } catch (cause) {
    throw uncompiled(cause)
  }
}

/** Compiles in the background. */
export async function compileAsync(source: Source): Promise<WebAssembly.Module> {
  checkEngine()
  try {
    return source instanceof WebAssembly.Module ? source : await WebAssembly.compile(source)
  } catch (cause) {
    throw uncompiled(cause)
  }
}

function checkEngine(): void {
  if (typeof WebAssembly === "undefined") throw new UnsupportedError("this engine has no WebAssembly")
}

function uncompiled(cause: unknown): unknown {
  if (!(cause instanceof WebAssembly.CompileError)) return cause
  return new UnsupportedError("the kernels do not compile: the engine lacks WebAssembly SIMD, or they are damaged", {
    cause,
  })
}

/** The linear memory; starts the kernels if nothing has yet. */
export function linearMemory(): WebAssembly.Memory {
  if (!started) start()
  return started as WebAssembly.Memory
}

/** The kernels of one element type. `begin`: the first piece of its channels; `end`: the last. */
export interface Kernels {
  readonly bytes: 4 | 8
  /** Mean, what it lost in rounding, variance and count of x, into the channel table. */
  moments(begin: boolean, end: boolean): void
  /** The same, by weights. */
  weightedMoments(begin: boolean, end: boolean): void
  /** y, the out, from x and, if there is one, the residual. */
  affine(relu: boolean, residual: boolean, epsilon: number, begin: boolean): void
  /** Leaves of dy what counts, by x and what there is of residual and weights; writes x where those are 0. */
  gate(relu: boolean, residual: boolean, weighted: boolean, epsilon: number, begin: boolean): void
  /** dgamma and dbeta, into the channel table, from x and dy. */
  parameterGradients(relu: boolean, epsilon: number, begin: boolean, end: boolean): void
  /** dx, the out, from x and dy. */
  dx(relu: boolean, frozen: boolean, epsilon: number, begin: boolean): void
  /** dx, the out, from x, dy and the weights. */
  weightedDx(epsilon: number, begin: boolean): void
}

/** For Float32Array. */
export const float32: Kernels = {
  bytes: 4,
  moments: (begin, end) => kernel.bn_moments(false, begin, end),
  weightedMoments: (begin, end) => kernel.bn_weighted_moments(false, begin, end),
  affine: (relu, residual, epsilon, begin) => kernel.bn_affine(false, relu, residual, epsilon, begin),
  gate: (relu, residual, weighted, epsilon, begin) => kernel.bn_gate(false, relu, residual, weighted, epsilon, begin),
  parameterGradients: (relu, epsilon, begin, end) =>
    kernel.bn_parameter_gradients(false, relu, epsilon, begin, end),
  dx: (relu, frozen, epsilon, begin) => kernel.bn_dx(false, relu, frozen, false, epsilon, begin),
  weightedDx: (epsilon, begin) => kernel.bn_dx(false, false, false, true, epsilon, begin),
}

/** For Float64Array. */
export const float64: Kernels = {
  bytes: 8,
  moments: (begin, end) => kernel.bn_moments(true, begin, end),
  weightedMoments: (begin, end) => kernel.bn_weighted_moments(true, begin, end),
  affine: (relu, residual, epsilon, begin) => kernel.bn_affine(true, relu, residual, epsilon, begin),
  gate: (relu, residual, weighted, epsilon, begin) => kernel.bn_gate(true, relu, residual, weighted, epsilon, begin),
  parameterGradients: (relu, epsilon, begin, end) =>
    kernel.bn_parameter_gradients(true, relu, epsilon, begin, end),
  dx: (relu, frozen, epsilon, begin) => kernel.bn_dx(true, relu, frozen, false, epsilon, begin),
  weightedDx: (epsilon, begin) => kernel.bn_dx(true, false, false, true, epsilon, begin),
}

/** The columns of the channel table, in its order. */
export const columns = {
  mean: 0,
  variance: 1,
  gamma: 2,
  beta: 3,
  count: 4,
  dgamma: 5,
  dbeta: 6,
  meanRest: 7,
} as const

/** What an array of a call is to it, in its order. */
export const roles = { x: 0, dy: 1, out: 2, residual: 3, weights: 4 } as const

/** The words of a call, in its order; each array has three: address, outer stride, row stride (in elements). */
export const words = {
  outer: 0,
  rows: 1,
  channels: 2,
  inner: 3,
  channelsLast: 4,
  copies: 5,
  blockRows: 6,
  blocks: 7,
  arrays: 8,
} as const

export {
  bn_allocate as allocateBytes,
  bn_call_ptr as callAddress,
  bn_channels_ptr as channelsAddress,
  bn_free as freeBytes,
  bn_staging_len as stagingLength,
  bn_staging_ptr as stagingAddress,
  bn_tile_len as tileLength,
  bn_view as computeView,
  bn_view_ptr as viewAddress,
} from "./generated/kernel.js"
