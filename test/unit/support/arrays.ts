import { allocate, type NdArray } from "batchnorm"
import { afterEach } from "vitest"

export const types = { float32: Float32Array, float64: Float64Array }
type TypeName = keyof typeof types

/** Where the elements of an array may lie. */
export type Home = "ordinary" | "resident" | "inside a live allocation" | "shared"
const homes: readonly Home[] = ["ordinary", "resident", "inside a live allocation", "shared"]

export interface Setting {
  readonly type: TypeName
  readonly home: Home
}

/** Each element type in each of these places. */
export function settings(...places: readonly Home[]): Setting[] {
  return (["float32", "float64"] as const).flatMap((type) => places.map((home) => ({ type, home })))
}

export const everywhere = settings(...homes)

/** One place for each element type, where many numbers are tried. */
export const somewhere: readonly Setting[] = [
  { type: "float32", home: "ordinary" },
  { type: "float64", home: "resident" },
]

const live: Disposable[] = []

afterEach(() => {
  for (const array of live.splice(0)) array[Symbol.dispose]()
})

/** A view of shared memory: the constructor is hidden in a page that is not isolated, the memory is not. */
export function sharedBuffer(): SharedArrayBuffer {
  return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer as unknown as SharedArrayBuffer
}

export const product = (shape: readonly number[]): number => shape.reduce((size, axis) => size * axis, 1)

/** Multiples of 1/8 that look random; their period is prime. */
export const numbers = (length: number, seed = 0): number[] =>
  Array.from({ length }, (_, index) => (((index + seed) * 7919) % 101) / 8 - 6)

/** An array in its place, given back at the end of the test. */
export function place(setting: Setting, shape: readonly number[], values: ArrayLike<number>): NdArray {
  const array = room(setting, shape)
  array.data.set(values)
  return array
}

function room({ type, home }: Setting, shape: readonly number[]): NdArray {
  const View = types[type]
  const length = product(shape)
  switch (home) {
    case "ordinary":
      return { data: new View(length), shape }
    case "shared":
      return { data: new View(sharedBuffer() as unknown as ArrayBuffer, 64, length), shape }
    case "resident":
      return keep(allocate(shape, type as "float64"))
    case "inside a live allocation": {
      // Three elements before, two after; fetched at each use, since an allocate detaches views.
      const around = keep(allocate([length + 5], type as "float64"))
      return {
        shape,
        get data() {
          return around.data.subarray(3, 3 + length)
        },
      }
    }
  }
}

/** An array on the library's memory, given back at the end of the test. */
export function keep<T extends Disposable>(array: T): T {
  live.push(array)
  return array
}

/** For the name of a test. */
export const label = ({ type, home }: Setting): string => `${type}, ${home}`
