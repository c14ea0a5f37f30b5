// How the elements of an array step through another that broadcasts to it, as in NumPy.

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

/** Steps from an element of a shape to the next along each axis, in an array that broadcasts to it. */
export function stridesOf(own: readonly number[], shape: readonly number[]): number[] {
  const strides = shape.map(() => 0)
  let stride = 1
  for (let axis = own.length - 1; axis >= 0; axis--) {
    const size = own[axis] as number
    if (size !== 1) strides[axis + shape.length - own.length] = stride
    stride *= size
  }
  return strides
}

/** Elements `start..start + values.length` of a shape, of an array that broadcasts to it. */
export function expand(
  { data, shape: own }: { readonly data: ArrayLike<number>; readonly shape: readonly number[] },
  shape: readonly number[],
  start: number,
  values: Float64Array,
): void {
  let at = 0
  walk(stepsOf(shape, stridesOf(own, shape)), start, values.length, (offset, stride, count) => {
    for (let index = offset; count > 0; count--, index += stride) values[at++] = data[index] as number
  })
}
