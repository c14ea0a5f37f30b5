import { DisposedError, OutOfMemoryError } from "./errors.ts"
import type { FloatArray, NdArray } from "./types.ts"
import {
  allocateBytes,
  callAddress,
  channelsAddress,
  freeBytes,
  linearMemory,
  stagingAddress,
  stagingLength,
  tileLength,
  viewAddress,
} from "./wasm.ts"

/** Views of all of the linear memory, and where in it the kernels look. */
interface Heap {
  readonly buffer: ArrayBufferLike
  readonly float32: Float32Array
  readonly float64: Float64Array
  readonly uint32: Uint32Array
  /** Byte addresses. */
  readonly call: number
  readonly channels: number
  readonly view: number
  readonly staging: number
  /** Bytes of each of the staging buffers. */
  readonly stagingBytes: number
  /** Most channels of a piece. */
  readonly tile: number
}

let current: Heap | undefined

/** The views; made anew after the memory grew, so fetch them after anything that may allocate. */
export function heap(): Heap {
  const { buffer } = linearMemory()
  if (current?.buffer !== buffer) {
    current = {
      buffer,
      float32: new Float32Array(buffer),
      float64: new Float64Array(buffer),
      uint32: new Uint32Array(buffer),
      call: callAddress(),
      channels: channelsAddress(),
      view: viewAddress(),
      staging: stagingAddress(),
      stagingBytes: stagingLength(),
      tile: tileLength(),
    }
  }
  return current
}

/** Bytes of elements copied into and out of the staging buffers since the start. */
export const traffic = { in: 0, out: 0 }

/** Copies a run of elements from an ordinary array to a byte address. */
export function copyIn(from: FloatArray, start: number, length: number, address: number): void {
  const { to, at } = elementsAt(from, address)
  if (length < shortRun) {
    for (let i = 0; i < length; i++) to[at + i] = from[start + i] as number
  } else {
    to.set(length === from.length ? from : from.subarray(start, start + length), at)
  }
  traffic.in += length * from.BYTES_PER_ELEMENT
}

/** Copies a run of elements from a byte address to an ordinary array. */
export function copyOut(address: number, to: FloatArray, start: number, length: number): void {
  const { to: from, at } = elementsAt(to, address)
  if (length < shortRun) {
    for (let i = 0; i < length; i++) to[start + i] = from[at + i] as number
  } else {
    to.set(from.subarray(at, at + length), start)
  }
  traffic.out += length * to.BYTES_PER_ELEMENT
}

// Below this a loop beats the cost of a subarray.
const shortRun = 24

function elementsAt(like: FloatArray, address: number): { to: FloatArray; at: number } {
  const { float32, float64 } = heap()
  return like.BYTES_PER_ELEMENT === 4 ? { to: float32, at: address / 4 } : { to: float64, at: address / 8 }
}

/** The user's live allocations, by address. */
const addresses: number[] = []
const lengths: number[] = []

/** The index of the first allocation whose address is above this one. */
function above(address: number): number {
  let low = 0
  let high = addresses.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((addresses[middle] as number) <= address) low = middle + 1
    else high = middle
  }
  return low
}

/** Where the elements of a view lie: an ordinary array, inside one live allocation, or astray in our memory. */
export function residence(view: ArrayBufferView): "ordinary" | "resident" | "stray" {
  if (!current || view.buffer !== heap().buffer) return "ordinary"
  const index = above(view.byteOffset) - 1
  const start = addresses[index]
  if (start === undefined) return "stray"
  const end = start + (lengths[index] as number)
  return view.byteOffset + view.byteLength <= end ? "resident" : "stray"
}

const disposeSymbol: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose")

/** An array on the library's memory. */
export class Resident<T extends FloatArray> implements NdArray<T> {
  readonly shape: readonly number[]
  readonly #length: number
  readonly #bytes: 4 | 8
  #address: number | undefined
  #data: T | undefined
  declare [Symbol.dispose]: () => void

  static {
    Object.defineProperty(Resident.prototype, disposeSymbol, { value: Resident.prototype.dispose, configurable: true })
  }

  constructor(shape: readonly number[], length: number, bytes: 4 | 8) {
    const byteLength = length * bytes
    linearMemory()
    const address = byteLength < 2 ** 32 ? allocateBytes(byteLength) : 0
    if (address === 0) throw new OutOfMemoryError(byteLength)
    const index = above(address)
    addresses.splice(index, 0, address)
    lengths.splice(index, 0, byteLength)
    this.shape = shape
    this.#length = length
    this.#bytes = bytes
    this.#address = address
  }

  /** The elements, fetched at each access: an `allocate` detaches views taken before. */
  get data(): T {
    if (this.#address === undefined) throw new DisposedError("data")
    const buffer = heap().buffer as ArrayBuffer
    if (this.#data?.buffer !== buffer) {
      const View = this.#bytes === 4 ? Float32Array : Float64Array
      this.#data = new View(buffer, this.#address, this.#length) as T
    }
    return this.#data as T
  }

  /** Whether `dispose` was called. */
  get disposed(): boolean {
    return this.#address === undefined
  }

  /** Gives the memory back. A second call does nothing. */
  dispose(): void {
    if (this.#address === undefined) return
    const index = above(this.#address) - 1
    addresses.splice(index, 1)
    lengths.splice(index, 1)
    freeBytes(this.#address, this.#length * this.#bytes)
    this.#address = undefined
    this.#data = undefined
  }
}
