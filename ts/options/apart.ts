import { ArgumentError } from "../errors.ts"
import type { FloatArray } from "../types.ts"
import { checkAttached, tagOf } from "./arrays.ts"

type Entry = ArrayLike<unknown> | null | undefined

/** The arrays that are judged, and their buffers, which take long to read. */
const arrays: Entry[] = new Array(15).fill(undefined)
const buffers: unknown[] = new Array(15).fill(undefined)

/**
 * That what a call writes shares no memory with what it reads, nor with anything else that it writes, and that none of it
 * was detached since it was judged. All arguments were read before, since reading them may run code that calls the package
 * again.
 *
 * @param names of the arrays, which are given by themselves: a list would be made anew at each call
 * @param reads how many of them are read; the rest is written
 * @param same of each that is written, a bit mask of what it may be itself, element by element, and share none else
 */
export function checkApart(
  names: readonly string[],
  reads: number,
  same: readonly number[],
  a?: Entry,
  b?: Entry,
  c?: Entry,
  d?: Entry,
  e?: Entry,
  f?: Entry,
  g?: Entry,
  h?: Entry,
  i?: Entry,
  j?: Entry,
  k?: Entry,
  l?: Entry,
  m?: Entry,
  n?: Entry,
  o?: Entry,
): void {
  arrays[0] = a
  arrays[1] = b
  arrays[2] = c
  arrays[3] = d
  arrays[4] = e
  arrays[5] = f
  arrays[6] = g
  arrays[7] = h
  arrays[8] = i
  arrays[9] = j
  arrays[10] = k
  arrays[11] = l
  arrays[12] = m
  arrays[13] = n
  arrays[14] = o
  try {
    for (let index = 0; index < names.length; index++) {
      const array = arrays[index]
      if (!ArrayBuffer.isView(array)) continue
      if (array.byteLength === 0) checkAttached(array as unknown as FloatArray, names[index] as string)
      buffers[index] = array.buffer
      if (index < reads) continue
      for (let other = 0; other < index; other++) {
        if (buffers[other] !== buffers[index]) continue
        checkPair(names, index, other, ((same[index - reads] as number) & (1 << other)) !== 0)
      }
    }
  } finally {
    // So that they may be collected; Array.fill is slower for as few.
    for (let index = 0; index < arrays.length; index++) arrays[index] = buffers[index] = undefined
  }
}

function checkPair(names: readonly string[], index: number, place: number, maySame: boolean): void {
  const [written, other] = [arrays[index], arrays[place]] as unknown as [Float64Array, Float64Array]
  if (
    written.length === 0 ||
    other.length === 0 ||
    written.byteOffset >= other.byteOffset + other.byteLength ||
    other.byteOffset >= written.byteOffset + written.byteLength
  ) {
    return
  }
  if (!maySame) {
    const expected = `none of the elements of ${names[place]}`
    throw new ArgumentError(names[index] as string, expected, "some of them: give it memory of its own")
  }
  if (tagOf(written) !== tagOf(other) || written.byteOffset !== other.byteOffset) {
    throw new ArgumentError(names[index] as string, `the elements of ${names[place]}, or none of them`, "some of them")
  }
}
