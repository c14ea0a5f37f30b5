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

/** Neighbouring axes that are walked as one. */
export interface Step {
  readonly size: number
  /** From one index to the next; 0: the same again. */
  readonly stride: number
}

/** Merges neighbours that can be walked as one; the last axis first. */
export function stepsOf(sizes: readonly number[], strides: readonly number[]): readonly Step[] {
  const steps: Step[] = []
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    const size = sizes[axis] as number
    const stride = strides[axis] as number
    const last = steps.at(-1)
    if (size === 1) continue
    if (last && stride === last.stride * last.size) steps.splice(-1, 1, { size: last.size * size, stride: last.stride })
    else steps.push({ size, stride })
  }
  return steps
}

/** Calls `run` for elements `start..start + length`, run by run: the first offset, the stride, how many. */
export function walk(
  steps: readonly Step[],
  start: number,
  length: number,
  run: (offset: number, stride: number, count: number) => void,
): void {
  const { size, stride } = steps[0] ?? { size: 1, stride: 0 }
  for (let at = start; at < start + length; ) {
    const within = at % size
    const count = Math.min(size - within, start + length - at)
    let offset = within * stride
    let rest = Math.floor(at / size)
    for (let index = 1; index < steps.length; index++) {
      const step = steps[index] as Step
      offset += (rest % step.size) * step.stride
      rest = Math.floor(rest / step.size)
    }
    run(offset, stride, count)
    at += count
  }
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
