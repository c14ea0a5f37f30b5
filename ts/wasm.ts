import { StateError, UnsupportedError } from "./errors.ts"
import type * as Exports from "./generated/kernel_bg.wasm.d.ts"

/** Where a start may take the kernels from. */
export type Source = WebAssembly.Module | BufferSource

let bundled: (() => Source) | undefined

/** The exports: numbers in, numbers out, so that they need no glue. */
export let kernel: typeof Exports

/** An entry hands over how to get at its own bytes. */
export function setSource(source: () => Source): void {
  bundled = source
}

/** Whether the kernels run. */
export function isStarted(): boolean {
  return kernel !== undefined
}

/** Instantiates; the first start wins. */
export function start(module?: WebAssembly.Module): void {
  if (kernel) return
  if (!module && !bundled) {
    throw new StateError("batchnorm/slim carries no kernels: await init({ source }) before the first call")
  }
  const compiled = module ?? compile((bundled as () => Source)())
  const { exports } = new WebAssembly.Instance(compiled)
  kernel = exports as unknown as typeof Exports
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
  const message =
    'the kernels do not compile: they are damaged, or the engine lacks WebAssembly SIMD, and needs "batchnorm/no-simd"'
  return new UnsupportedError(message, { cause })
}

// What there is to compute. `double`: of f64, else of f32. `begin`: the first piece of its channels; `end`: the last.
// Flags are 0 or 1, which pass into WebAssembly as they are.

/** ε of the call: it lies in an array, since a number that is no integer would be made into an object as an argument. */
export const epsilonOfCall: Float64Array = new Float64Array(1)

/** Mean, what it lost in rounding, variance and count of x, into the channel table. */
export function momentsOf(double: boolean, weighted: boolean, begin: number, end: number): void {
  if (weighted) kernel.bn_weighted_moments(+double, begin, end)
  else kernel.bn_moments(+double, begin, end)
}

/** y, the out, from x and, if there is one, the residual. */
export function affine(double: boolean, relu: number, residual: number, begin: number): void {
  kernel.bn_affine(+double, relu, residual, epsilonOfCall[0] as number, begin)
}

/** Leaves of dy what counts, by x and what there is of residual and weights; writes x where those are 0. */
export function gate(double: boolean, relu: number, residual: number, weighted: number, begin: number): void {
  kernel.bn_gate(+double, relu, residual, weighted, epsilonOfCall[0] as number, begin)
}

/** dgamma and dbeta, into the channel table, from x and dy. */
export function parameterGradients(double: boolean, relu: number, begin: number, end: number): void {
  kernel.bn_parameter_gradients(+double, relu, epsilonOfCall[0] as number, begin, end)
}

/** dx, the out, from x and dy. */
export function inputGradient(double: boolean, relu: number, frozen: number, begin: number): void {
  kernel.bn_dx(+double, relu, frozen, 0, epsilonOfCall[0] as number, begin)
}

/** dx, the out, from x, dy and the weights. */
export function weightedInputGradient(double: boolean, begin: number): void {
  kernel.bn_dx(+double, 0, 0, 1, epsilonOfCall[0] as number, begin)
}

// Constants, and no records of them: bundlers put their values in place.

/** The columns of the channel table, in its order. */
export const meanColumn = 0
export const varianceColumn = 1
export const gammaColumn = 2
export const betaColumn = 3
export const countColumn = 4
export const dgammaColumn = 5
export const dbetaColumn = 6
export const meanRestColumn = 7

/** What an array of a call is to it, in its order. */
export const xRole = 0
export const dyRole = 1
export const outRole = 2
export const residualRole = 3
export const weightsRole = 4

/** The words of a call, in its order; each array has three: address, outer stride, row stride (in elements). */
export const outerWord = 0
export const rowsWord = 1
export const channelsWord = 2
export const innerWord = 3
export const channelsLastWord = 4
export const copiesWord = 5
export const blockRowsWord = 6
export const blocksWord = 7
export const arraysWord = 8
