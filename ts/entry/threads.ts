/**
 * The same on all cores, over a memory that they share: the same bits for any number of threads.
 * @module
 */
import { kernelText } from "../generated/threads-text.ts"
import { decodePrintable } from "../printable.ts"
import { instantiate, unsharedWhereNone } from "../threads/start.ts"
import { setSource } from "../wasm.ts"

setSource(() => unsharedWhereNone(decodePrintable(kernelText)), instantiate)

export { ThreadError } from "../errors.ts"
export * from "../index.ts"
export { type Allocate, allocate } from "../threads/allocate.ts"
export { inBackground } from "../threads/background.ts"
export { init, initSync, type Threads, type ThreadsOptions, threads, type WorkerAddress } from "../threads/start.ts"
export { workerSource } from "../threads/worker-source.ts"
