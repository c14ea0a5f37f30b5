/**
 * The same on all cores, over a memory that they share: the same bits for any number of threads.
 * @module
 */
import { kernelText } from "../generated/threads-text.ts"
import { allocate as allocateUnshared, type ResidentArray } from "../index.ts"
import { decodePrintable } from "../printable.ts"
import { instantiate, unsharedWhereNone } from "../threads/start.ts"
import { setSource } from "../wasm.ts"

setSource(() => unsharedWhereNone(decodePrintable(kernelText)), instantiate)

/** As that of "batchnorm", but the memory is shared: views can be handed to workers, and are never detached. */
export const allocate: Allocate = allocateUnshared as unknown as Allocate

/** What `allocate` is where memory is shared. */
export interface Allocate {
  (shape: readonly number[], dtype?: "float32"): ResidentArray<Float32Array<SharedArrayBuffer>>
  (shape: readonly number[], dtype: "float64"): ResidentArray<Float64Array<SharedArrayBuffer>>
  (
    shape: readonly number[],
    dtype: "float32" | "float64",
  ): ResidentArray<Float32Array<SharedArrayBuffer>> | ResidentArray<Float64Array<SharedArrayBuffer>>
}

export { ThreadError } from "../errors.ts"
export * from "../index.ts"
export { inBackground } from "../threads/background.ts"
export { init, initSync, type Threads, type ThreadsOptions, threads, type WorkerAddress } from "../threads/start.ts"
export { workerSource } from "../threads/worker-source.ts"
