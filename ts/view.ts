import type { Step } from "./broadcast.ts"
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

/** The axes of a packed array, [major][minor], the last of each first; the last axis of the array is one of minor. */
export interface Packing {
  readonly major: readonly Step[]
  readonly minor: readonly Step[]
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
  const numbers = float64.subarray(at, at + 8) as unknown as readonly [
    outer: number,
    reduce: number,
    channels: number,
    inner: number,
    packed: number,
    copies: number,
    blockRows: number,
    blocks: number,
  ]
  const [outer, reduce, channels, inner, packed, copies, blockRows, blocks] = numbers
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
    packing: packed ? packingOf(shape, reduced) : undefined,
    copies,
    blockRows,
    blocks,
    statistics: outer * channels,
    count: reduce * inner,
  }
}

function packingOf(shape: readonly number[], reduced: number): Packing {
  const axes: readonly [kept: Step[], reduced: Step[]] = [[], []]
  let stride = 1
  let last: 0 | 1 | undefined
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number
    if (size !== 1) {
      const kind = hasAxis(reduced, axis) ? 1 : 0
      last ??= kind
      axes[kind].push({ size, stride })
    }
    stride *= size
  }
  return last ? { major: axes[0], minor: axes[1] } : { major: axes[1], minor: axes[0] }
}
