import { type Step, walk } from "./broadcast.ts"
import { heap } from "./memory.ts"

/** Weights of the elements of x, as they broadcast. */
export interface Weighting {
  readonly data: ArrayLike<number | boolean>
  /** How the elements of x, in their order, step through the data: groups of axes, the last one first. */
  readonly steps: readonly Step[]
  /** The kernels see the weights times this power of two, so that the largest is from 1 to 2. */
  readonly scale: number
  /** Σw of each statistic. */
  readonly totals: Float64Array<ArrayBuffer>
}

/** Writes the weights of elements `start..start + length` of x to a byte address. */
export function spread({ data, steps, scale }: Weighting, start: number, length: number, address: number): void {
  const { float64 } = heap()
  let to = address / 8
  walk(steps, start, length, (offset, stride, count) => {
    if (stride === 0) float64.fill(Number(data[offset]) * scale, to, to + count)
    else for (let i = 0; i < count; i++) float64[to + i] = Number(data[offset + i * stride]) * scale
    to += count
  })
}
