import { type Step, walk } from "./broadcast.ts"
import { float64 } from "./memory.ts"

/** Weights of the elements of x, as they broadcast. */
export interface Weighting {
  /** A typed array. */
  readonly data: ArrayLike<number>
  /** The shape by which they broadcast. */
  readonly shape: readonly number[]
  /** How the elements of x, in their order, step through the data: groups of axes, the last one first. */
  readonly steps: readonly Step[]
  /** The kernels see the weights times this power of two, so that the largest is from 1 to 2. */
  readonly scale: number
  /** Σw of each statistic, to judge by; the kernels sum more exactly. */
  readonly totals: Float64Array<ArrayBuffer>
}

/** Writes the weights of elements `start..start + length` of x to a byte address. */
export function spread({ data, steps, scale }: Weighting, start: number, length: number, address: number): void {
  const first = address / 8
  let to = first
  walk(steps, start, length, (offset, stride, count) => {
    if (stride === 0) float64.fill(data[offset] as number, to, to + count)
    else if (stride === 1) float64.set(run(data, offset, count), to)
    else for (let i = 0; i < count; i++) float64[to + i] = data[offset + i * stride] as number
    to += count
  })
  if (scale !== 1) for (let index = first; index < to; index++) float64[index] = (float64[index] as number) * scale
}

/** Weights that are read at a time. */
export const partLength = 2048
const part = new Float64Array(partLength)

/** Up to so many weights from an index on, as numbers; not to be kept. */
export function readPart(data: ArrayLike<number>, start: number): Float64Array {
  const count = Math.min(partLength, data.length - start)
  part.set(run(data, start, count))
  return count === partLength ? part : part.subarray(0, count)
}

function run(data: ArrayLike<number>, start: number, count: number): Float64Array {
  return (data as Float64Array).subarray(start, start + count)
}
