import { ArgumentError, ShapeError } from "../errors.ts"
import type { Maybe } from "../types.ts"
import { elements, maxRank } from "./arrays.ts"
import { describe } from "./describe.ts"

/** Axes as a bit mask; none given: `absent`. Negative ones count from the last. */
export function checkAxes(axes: Maybe<number | readonly number[]>, rank: number, absent: number, name: string): number {
  if (axes === undefined || axes === null) return absent
  const list = typeof axes === "number" ? [axes] : axes
  if (!Array.isArray(list)) throw new ArgumentError(name, "an axis or an array of axes", describe(axes))
  let mask = 0
  for (const [place, axis] of list.entries()) {
    const where = typeof axes === "number" ? name : `${name}[${place}]`
    if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
      const expected = rank === 0 ? "no axis of a scalar" : `an axis from ${-rank} to ${rank - 1}`
      throw new ArgumentError(where, expected, describe(axis))
    }
    const index = axis < 0 ? axis + rank : axis
    if (hasAxis(mask, index)) throw new ArgumentError(where, "each axis once", `${axis}: axis ${index} twice`)
    const bit = 2 ** index
    mask += bit
  }
  return mask
}

/** The axes of a bit mask. */
export function axesOf(mask: number, rank: number): number[] {
  const axes: number[] = []
  for (let axis = 0; axis < rank; axis++) if (hasAxis(mask, axis)) axes.push(axis)
  return axes
}

/** Whether a bit mask has an axis. */
export function hasAxis(mask: number, axis: number): boolean {
  return Math.floor(mask / 2 ** axis) % 2 === 1
}

/** A layer's channel axes, whose rank is not known yet. */
export function layerAxes(axis: number | readonly number[], name = "axis"): readonly number[] {
  const axes = typeof axis === "number" ? [axis] : axis
  if (!Array.isArray(axes)) throw new ArgumentError(name, "an axis or an array of axes", describe(axis))
  for (const [index, one] of axes.entries()) {
    const where = typeof axis === "number" ? name : `${name}[${index}]`
    if (!Number.isInteger(one) || one < -maxRank || one >= maxRank) {
      throw new ArgumentError(where, `an axis from ${-maxRank} to ${maxRank - 1}`, describe(one))
    }
    if (axes.indexOf(one) !== index) throw new ArgumentError(where, "each axis once", `${one} twice`)
  }
  return [...axes]
}

/** A layer's channel axes in an x of this shape, as a bit mask. */
function checkLayerAxes(axes: readonly number[], shape: readonly number[], name: string): number {
  const rank = shape.length
  for (const axis of axes) {
    if (axis < -rank || axis >= rank) {
      throw new ShapeError(`${name}.shape`, `an axis ${axis}, along which the channels lie`, `[${shape.join(", ")}]`)
    }
  }
  return checkAxes(axes, rank, 0, "axis")
}

/** Where the channels of an array lie, how many they are, and of how many elements each. */
interface Channels {
  /** The channel axes, as a bit mask. */
  readonly kept: number
  readonly channels: number
  readonly count: number
}

/** The channels of an array along a layer's axes: `expected` of them; undefined: any. */
export function checkLayerChannels(
  { shape }: { readonly shape: readonly number[] },
  axis: readonly number[],
  expected: number | undefined,
  name: string,
): Channels {
  const kept = checkLayerAxes(axis, shape, name)
  const channels = elements(shape.filter((_, index) => hasAxis(kept, index)))
  if (expected !== undefined && channels !== expected) {
    const axes = axesOf(kept, shape.length)
    const where = axes.length === 1 ? `${name}.shape[${axes[0]}]` : `${name}.shape`
    throw new ShapeError(where, `${expected} channels along axis [${axes.join(", ")}]`, `${channels}`)
  }
  return { kept, channels, count: elements(shape.filter((_, index) => !hasAxis(kept, index))) }
}

/** Another that has as many channels. */
export function checkSameChannels(actual: number, expected: number, name: string): void {
  if (actual !== expected) throw new ShapeError(name, `${expected} channels`, `${actual}`)
}
