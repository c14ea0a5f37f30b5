// Where an array may lie.
import { allocate, type FloatArray, type NdArray } from "batchnorm"
import fc from "fast-check"
import type { Dtype } from "../support/numerics-arrays.ts"

/** A way to lay an array down. */
type Put = (array: NdArray, dtype: Dtype) => { array: NdArray<FloatArray>; free: () => void }

/** An array of zeros on the library's memory. */
const fresh = (shape: readonly number[], dtype: Dtype) =>
  dtype === "float32" ? allocate(shape) : allocate(shape, "float64")

/** By name. */
export const places: Record<string, Put> = {
  ordinary: ({ data, shape }) => ({ array: { data: data.slice(), shape }, free: () => {} }),
  "a view in the middle of an ordinary buffer": ({ data, shape }) => {
    const whole =
      data.constructor === Float32Array ? new Float32Array(data.length + 9) : new Float64Array(data.length + 9)
    whole.set(data, 5)
    return { array: { data: whole.subarray(5, 5 + data.length), shape }, free: () => {} }
  },
  resident: ({ data, shape }, dtype) => {
    const array = fresh(shape, dtype)
    array.data.set(data)
    return { array, free: () => array.dispose() }
  },
  // One element further on than a vector of lanes is aligned to.
  "a view inside an allocation": ({ data, shape }, dtype) => {
    const owner = fresh([data.length + 9], dtype)
    owner.data.set(data, 5)
    const array = {
      shape,
      get data() {
        return owner.data.subarray(5, 5 + data.length)
      },
    }
    return { array, free: () => owner.dispose() }
  },
}

/** The name of one. */
export const place: fc.Arbitrary<string> = fc.constantFrom(...Object.keys(places))
