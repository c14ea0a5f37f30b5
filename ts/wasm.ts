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
  /** Mean, variance and count of array 0, into the channel table. */
  moments(begin: boolean, end: boolean): void
  /** y, array 1, from x, array 0. */
  affine(relu: boolean, epsilon: number, begin: boolean): void
  /** dgamma and dbeta, into the channel table, from x, array 0, and dy, array 1. */
  parameterGradients(relu: boolean, epsilon: number, begin: boolean, end: boolean): void
  /** dx, array 2, from x, array 0, and dy, array 1. */
  dx(relu: boolean, frozen: boolean, epsilon: number, begin: boolean): void
}

/** For Float32Array. */
export const float32: Kernels = {
  bytes: 4,
  moments: kernel.bn_moments_f32,
  affine: kernel.bn_affine_f32,
  parameterGradients: kernel.bn_parameter_gradients_f32,
  dx: kernel.bn_dx_f32,
}

/** For Float64Array. */
export const float64: Kernels = {
  bytes: 8,
  moments: kernel.bn_moments_f64,
  affine: kernel.bn_affine_f64,
  parameterGradients: kernel.bn_parameter_gradients_f64,
  dx: kernel.bn_dx_f64,
}

/** The columns of the channel table, in its order. */
export const columns = { mean: 0, variance: 1, gamma: 2, beta: 3, count: 4, dgamma: 5, dbeta: 6 } as const

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
