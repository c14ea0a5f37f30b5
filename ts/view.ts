import { attach, float64, viewAt } from "./memory.ts"
import { isSameShape } from "./options/arrays.ts"
import { allAxes, axesOf, hasAxis } from "./options/axes.ts"
import { kernel } from "./wasm.ts"

/** An array seen as [outer][reduce][channels][inner] (crates/batchnorm/src/view.rs). */
export interface View {
  readonly shape: readonly number[]
  /** The axes that are reduced, as a bit mask. */
  readonly reduced: number
  /** The others, as a bit mask and as a list. */
  readonly kept: number
  readonly axis: readonly number[]
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
  /** How many statistics there are. */
  readonly statistics: number
  /** How many elements each is of. */
  readonly count: number
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

/** Views that were used before, each at the place that its shape and axes hash to: calls repeat. */
const views: (View | undefined)[] = new Array(32)

/** The view of an array of this shape with the axes of a bit mask reduced. */
export function viewOf(shape: readonly number[], reduced: number): View {
  let hash = reduced
  for (let axis = 0; axis < shape.length; axis++) hash = (31 * hash + (shape[axis] as number)) | 0
  hash &= views.length - 1
  const known = views[hash]
  if (known?.reduced === reduced && isSameShape(known.shape, shape)) return known
  const view = computeView([...shape], reduced)
  views[hash] = view
  return view
}

function computeView(shape: readonly number[], reduced: number): View {
  attach()
  const at = viewAt / 8
  float64.set(shape, at)
  kernel.bn_view(shape.length, reduced)
  const number = (index: number) => float64[at + index] as number
  const [outer, reduce, channels, inner] = [number(0), number(1), number(2), number(3)]
  const kept = allAxes(shape.length) ^ reduced
  return {
    shape,
    reduced,
    kept,
    axis: Object.freeze(axesOf(kept, shape.length)),
    outer,
    reduce,
    channels,
    inner,
    packing: number(4) === 1 ? packingOf(shape, reduced) : undefined,
    copies: number(5),
    blockRows: number(6),
    blocks: number(7),
    statistics: outer * channels,
    count: reduce * inner,
  }
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
