import { heap } from "./memory.ts"
import { hasAxis } from "./options/axes.ts"
import { computeView, linearMemory } from "./wasm.ts"

/** An array seen as [outer][reduce][channels][inner] (crates/batchnorm/src/view.rs). */
export interface View {
  readonly outer: number
  readonly reduce: number
  readonly channels: number
  readonly inner: number
  /** Rows that are read as one. */
  readonly copies: number
  /** Rows of a block: a reduction is cut at multiples of it. */
  readonly blockRows: number
  /** Blocks of a chunk. */
  readonly blocks: number
  /** How the axes are to be moved first, where they alternate more often than the view can say. */
  readonly packing: Packing | undefined
}

/** The axes of a packed array, [major][minor], the last axis of the array being the last of minor. */
export interface Packing {
  readonly major: readonly Axis[]
  readonly minor: readonly Axis[]
}

/** An axis of the array as it lies. */
export interface Axis {
  readonly size: number
  /** Elements from one index to the next. */
  readonly stride: number
}

/** The view of an array of this shape with the axes of a bit mask reduced. */
export function viewOf(shape: readonly number[], reduced: number): View {
  linearMemory()
  const { float64, view: address } = heap()
  const at = address / 8
  for (let axis = 0; axis < shape.length; axis++) float64[at + axis] = shape[axis] as number
  computeView(shape.length, reduced)
  const number = (index: number) => float64[at + index] as number
  return {
    outer: number(0),
    reduce: number(1),
    channels: number(2),
    inner: number(3),
    packing: number(4) === 1 ? packingOf(shape, reduced) : undefined,
    copies: number(5),
    blockRows: number(6),
    blocks: number(7),
  }
}

/** How many statistics a view has. */
export function statisticsOf(view: View): number {
  return view.outer * view.channels
}

/** How many elements each is of. */
export function countOf(view: View): number {
  return view.reduce * view.inner
}

function packingOf(shape: readonly number[], reduced: number): Packing {
  const kinds: { true: Axis[]; false: Axis[] } = { true: [], false: [] }
  let stride = 1
  let last: boolean | undefined
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number
    if (size !== 1) {
      const isReduced = hasAxis(reduced, axis)
      last ??= isReduced
      kinds[`${isReduced}`].unshift({ size, stride })
    }
    stride *= size
  }
  return { major: kinds[`${!last}`], minor: kinds[`${last === true}`] }
}
