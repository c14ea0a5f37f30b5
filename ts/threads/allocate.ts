import { allocate as allocateUnshared, type ResidentArray } from "../allocate.ts"

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
