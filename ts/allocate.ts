import { enter, leave } from "./allocations.ts"
import { DisposedError, OutOfMemoryError } from "./errors.ts"
import { attach, float32 } from "./memory.ts"
import { checkShape, elements } from "./options/arrays.ts"
import { checkOneOf } from "./options/settings.ts"
import type { FloatArray, NdArray } from "./types.ts"
import { kernel } from "./wasm.ts"

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
 * @throws ShapeError for sizes that cannot be; ArgumentError for another dtype; OutOfMemoryError, after which everything works
 *   on
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
  return new Disposable(sizes, elements(sizes), type === "float32" ? 4 : 8)
}

class Resident<T extends FloatArray> implements ResidentArray<T> {
  readonly shape: readonly number[]
  readonly #length: number
  readonly #bytes: 4 | 8
  #address: number | undefined
  #data: T | undefined
  /** The view of all memory as it was when `data` was made: a buffer takes long to read. */
  #memory: Float32Array | undefined

  constructor(shape: readonly number[], length: number, bytes: 4 | 8) {
    const byteLength = length * bytes
    attach()
    const address = byteLength < 2 ** 32 ? kernel.bn_allocate(byteLength) >>> 0 : 0
    if (address === 0) throw new OutOfMemoryError(byteLength)
    attach()
    enter(address, byteLength)
    this.shape = shape
    this.#length = length
    this.#bytes = bytes
    this.#address = address
  }

  /** The elements, fetched at each access: an `allocate` detaches views taken before. */
  get data(): T {
    if (this.#address === undefined) throw new DisposedError("data")
    if (this.#memory !== float32) {
      const View = this.#bytes === 4 ? Float32Array : Float64Array
      this.#data = new View(float32.buffer as ArrayBuffer, this.#address, this.#length) as T
      this.#memory = float32
    }
    return this.#data as T
  }

  /** Whether `dispose` was called: what the judges ask, of any copy of the package. */
  get disposed(): boolean {
    return this.#address === undefined
  }

  /** Gives the memory back. A second call does nothing. */
  dispose(): void {
    if (this.#address === undefined) return
    leave(this.#address)
    kernel.bn_free(this.#address, this.#length * this.#bytes)
    this.#address = undefined
    this.#data = undefined
  }

  declare [Symbol.dispose]: () => void
}

/** Gives the class its `Symbol.dispose`, or what stands in for it: in a call that is dropped where nobody allocates. */
function disposable(type: typeof Resident): typeof Resident {
  const symbol = Symbol.dispose ?? Symbol.for("Symbol.dispose")
  Object.defineProperty(type.prototype, symbol, { value: type.prototype.dispose, configurable: true })
  return type
}

const Disposable: typeof Resident = /* @__PURE__ */ disposable(Resident)
