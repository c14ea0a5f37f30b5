import { allocate, type FloatArray, type NdArray, type ResidentArray } from "batchnorm"
import { exactly } from "./exactly.ts"

// A literal is an array, and so is anything that has data and shape.
export const literals: NdArray[] = [
  { data: new Float32Array(4), shape: [2, 2] },
  { data: new Float64Array(4), shape: [2, 2] as const },
  { data: new Float32Array(new SharedArrayBuffer(16)), shape: [4] },
]
const labelled = { data: new Float32Array(4), shape: [4], label: "x" }
export const more: NdArray<Float32Array> = labelled

exactly<ResidentArray<Float32Array<ArrayBuffer>>>()(allocate([2, 3]))
exactly<ResidentArray<Float32Array<ArrayBuffer>>>()(allocate([2, 3], "float32"))
exactly<ResidentArray<Float64Array<ArrayBuffer>>>()(allocate([2, 3] as const, "float64"))
declare const dtype: "float32" | "float64"
exactly<ResidentArray<Float32Array<ArrayBuffer>> | ResidentArray<Float64Array<ArrayBuffer>>>()(allocate([2], dtype))

export function resident(): number | undefined {
  using x = allocate([4])
  exactly<Float32Array<ArrayBuffer>>()(x.data)
  exactly<readonly number[]>()(x.shape)
  const array: NdArray<Float32Array> = x
  x[Symbol.dispose]()
  x.dispose()
  return array.data[0]
}

export function generic<T extends FloatArray>(x: NdArray<T>): T {
  return x.data
}

// @ts-expect-error: no such element type
allocate([2], "float16")
// @ts-expect-error: a shape is a list
allocate(2)
// @ts-expect-error: `data` is fetched at each access, never put
allocate([2]).data = new Float32Array(2)
// @ts-expect-error: integers are no floats
export const integers: NdArray = { data: new Int32Array(4), shape: [4] }
// @ts-expect-error: a bare typed array has no shape
export const bare: NdArray = new Float32Array(4)
// @ts-expect-error: another library's name for the shape
export const dims: NdArray = { data: new Float32Array(4), dims: [4] }
// @ts-expect-error: tensors whose data is a function
export const tensor: NdArray = { data: () => new Float32Array(4), shape: [4] }
