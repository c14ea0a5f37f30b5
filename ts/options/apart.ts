// Which arrays of a call may share memory. They are entered here once all arguments were read, since reading them may
// run code that calls the package again, and judged together.
import { ArgumentError } from "../errors.ts"
import { tagOf } from "./arrays.ts"

type Entry = ArrayLike<unknown> | null | undefined

/** What the call reads, then what it writes, each at the place of its name. */
export const entered: Entry[] = new Array(16).fill(undefined)
const buffers: unknown[] = new Array(16).fill(undefined)

/**
 * That what is written shares no memory with what is read, nor with anything else that is written.
 *
 * @param names of what is entered
 * @param reads how many of them are read; the rest is written
 * @param same of each that is written, a bit mask of what it may be itself, element by element, and share none else
 */
export function checkApart(names: readonly string[], reads: number, same: readonly number[]): void {
  try {
    for (let i = 0; i < names.length; i++) {
      const array = entered[i]
      buffers[i] = ArrayBuffer.isView(array) && array.byteLength > 0 ? array.buffer : undefined
      if (i < reads || !buffers[i]) continue
      for (let j = 0; j < i; j++) {
        if (buffers[j] === buffers[i]) checkPair(names, i, j, ((same[i - reads] as number) & (1 << j)) !== 0)
      }
    }
  } finally {
    entered.fill(undefined)
    buffers.fill(undefined)
  }
}

function checkPair(names: readonly string[], i: number, j: number, maySame: boolean): void {
  const [written, other] = [entered[i], entered[j]] as unknown as [Float64Array, Float64Array]
  if (
    written.byteOffset >= other.byteOffset + other.byteLength ||
    other.byteOffset >= written.byteOffset + written.byteLength
  ) {
    return
  }
  if (!maySame) {
    const expected = `none of the elements of ${names[j]}`
    throw new ArgumentError(names[i] as string, expected, "some of them: give it memory of its own")
  }
  if (tagOf(written) !== tagOf(other) || written.byteOffset !== other.byteOffset) {
    throw new ArgumentError(names[i] as string, `the elements of ${names[j]}, or none of them`, "some of them")
  }
}
