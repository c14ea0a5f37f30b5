import { type Step, walk } from "./broadcast.ts"
import { float64 } from "./memory.ts"

/** Weights of the elements of x, as they broadcast. */
export interface Weighting {
  readonly data: ArrayLike<number | boolean>
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
    if (stride === 0) float64.fill(Number(data[offset]), to, to + count)
    else if (stride === 1) copyNumbers(data, offset, count, float64, to)
    else for (let i = 0; i < count; i++) float64[to + i] = Number(data[offset + i * stride])
    to += count
  })
  if (scale !== 1) for (let index = first; index < to; index++) float64[index] = (float64[index] as number) * scale
}

/** Weights that are read at a time. */
export const partLength = 2048
const part = new Float64Array(partLength)

/** Up to so many weights from an index on, as numbers; not to be kept. */
export function readPart(data: ArrayLike<number | boolean>, start: number): Float64Array {
  const count = Math.min(partLength, data.length - start)
  copyNumbers(data, start, count, part, 0)
  return count === partLength ? part : part.subarray(0, count)
}

/** Copies a run; what is typed, at the engine's own speed. */
function copyNumbers(
  data: ArrayLike<number | boolean>,
  start: number,
  count: number,
  into: Float64Array,
  at: number,
): void {
  if (ArrayBuffer.isView(data)) into.set((data as Float64Array).subarray(start, start + count), at)
  else for (let index = 0; index < count; index++) into[at + index] = Number(data[start + index])
}
