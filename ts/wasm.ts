import { StateError, UnsupportedError } from "./errors.ts"
import type * as Exports from "./generated/kernel_bg.wasm.d.ts"

/** Where a start may take the kernels from. */
export type Source = WebAssembly.Module | BufferSource

let bundled: (() => Source) | undefined
let instantiate = (module: WebAssembly.Module): typeof Exports =>
  new WebAssembly.Instance(module).exports as unknown as typeof Exports

/**
 * The exports (crates/batchnorm-wasm says what each computes): numbers in, numbers out, so that they need no glue. Flags
 * are 0 or 1. `double`: of f64, else of f32; `begin`: the first piece of its channels; `end`: the last.
 */
export let kernel: typeof Exports

/** An entry hands over how to get at its own bytes, and how they become exports where that takes more. */
export function setSource(source: () => Source, become: typeof instantiate = instantiate): void {
  bundled = source
  instantiate = become
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
  kernel = instantiate(module ?? compile(bundled as () => Source))
}

/** Compiles at once what the engine is checked for before it is got. */
export function compile(get: () => Source): WebAssembly.Module {
  checkEngine()
  try {
    const source = get()
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
  // Engines have no other word for it than their message.
  if (/CSP|unsafe-eval/.test(String(cause))) {
    return new UnsupportedError(
      "the content security policy forbids WebAssembly: script-src needs 'wasm-unsafe-eval'",
      {
        cause,
      },
    )
  }
  if (!(cause instanceof WebAssembly.CompileError)) return cause
  const message =
    'the kernels do not compile: they are damaged, or the engine lacks WebAssembly SIMD, and needs "batchnorm/no-simd"'
  return new UnsupportedError(message, { cause })
}

/** ε of the call: it lies in an array, since a number that is no integer would be made into an object as an argument. */
export const epsilonOfCall: Float64Array = new Float64Array(1)

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
