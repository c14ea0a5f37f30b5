import { Resident } from "./memory.ts"
import { checkShape, elements } from "./options/arrays.ts"
import { checkOneOf } from "./options/settings.ts"
import type { FloatArray, NdArray } from "./types.ts"

/** An array on the library's memory: what the kernels use where it lies, without a copy. */
export interface ResidentArray<T extends FloatArray = FloatArray> extends NdArray<T>, Disposable {
  /** Gives the memory back; after it `data` throws a DisposedError. */
  dispose(): void
}

/**
 * An array of zeros on the library's memory. Only this call grows that memory, which detaches views taken before: fetch
 * `.data` at each use.
 *
 * @param shape sizes of the axes; `[]` is a scalar
 * @param dtype `"float32"` unless given
 * @throws ShapeError, ArgumentError; OutOfMemoryError, after which everything works on
 */
export function allocate(shape: readonly number[], dtype?: "float32"): ResidentArray<Float32Array<ArrayBuffer>>
export function allocate(shape: readonly number[], dtype: "float64"): ResidentArray<Float64Array<ArrayBuffer>>
export function allocate(
  shape: readonly number[],
  dtype: "float32" | "float64",
): ResidentArray<Float32Array<ArrayBuffer>> | ResidentArray<Float64Array<ArrayBuffer>>
export function allocate(
  shape: readonly number[],
  dtype?: "float32" | "float64",
): ResidentArray<Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>> {
  const type = checkOneOf(dtype, ["float32", "float64"], "float32", "dtype")
  const sizes = Object.freeze([...checkShape(shape, "shape")])
  return new Resident(sizes, elements(sizes), type === "float32" ? 4 : 8)
}
