import { ArgumentError, ShapeError } from "../errors.ts"
import type { Maybe } from "../types.ts"
import { maxRank } from "./arrays.ts"
import { describe, shapeText } from "./describe.ts"

/** All axes of a rank, as a bit mask: an int32, as all of them, of which no engine makes an object. */
export function allAxes(rank: number): number {
  return rank < 32 ? (1 << rank) - 1 : -1
}

/** Axes as a bit mask; none given: `absent`. Negative ones count from the last. */
export function checkAxes(axes: Maybe<number | readonly number[]>, rank: number, absent: number, name: string): number {
  if (axes === undefined || axes === null) return absent
  if (typeof axes === "number") return 1 << checkAxis(axes, rank, name)
  if (!Array.isArray(axes)) throw notAxes(axes, name)
  let mask = 0
  for (let place = 0; place < axes.length; place++) {
    const axis = checkAxis(axes[place], rank, name, place)
    if (hasAxis(mask, axis))
      throw new ArgumentError(`${name}[${place}]`, "each axis once", `${axes[place]}: axis ${axis} twice`)
    mask |= 1 << axis
  }
  return mask
}

/** An axis of an array of this rank, from the first. `place`: where among several; below 0: it is alone. */
function checkAxis(axis: number, rank: number, name: string, place = -1): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const expected = rank === 0 ? "no axis of a scalar" : `an axis from ${-rank} to ${rank - 1}`
    throw new ArgumentError(place < 0 ? name : `${name}[${place}]`, expected, describe(axis))
  }
  return axis < 0 ? axis + rank : axis
}

function notAxes(axes: unknown, name: string): ArgumentError {
  return new ArgumentError(name, "an axis or an array of axes", describe(axes))
}

/** The axes of a bit mask. */
export function axesOf(mask: number, rank: number): number[] {
  const axes: number[] = []
  for (let axis = 0; axis < rank; axis++) if (hasAxis(mask, axis)) axes.push(axis)
  return axes
}

/** Whether a bit mask has an axis. */
export function hasAxis(mask: number, axis: number): boolean {
  return (mask & (1 << axis)) !== 0
}

/** A layer's channel axes, whose rank is not known yet. */
export function layerAxes(axis: number | readonly number[], name = "axis"): readonly number[] {
  const isOne = typeof axis === "number"
  const axes: readonly number[] = isOne ? [axis] : axis
  if (!Array.isArray(axes)) throw notAxes(axis, name)
  for (let place = 0; place < axes.length; place++) {
    checkAxis(axes[place] as number, maxRank, name, isOne ? -1 : place)
    if (axes.indexOf(axes[place] as number) !== place) {
      throw new ArgumentError(`${name}[${place}]`, "each axis once", `${axes[place]} twice`)
    }
  }
  return Object.freeze([...axes])
}

/** A layer's channel axes in an x of this shape, as a bit mask: `expected` channels; undefined: any. */
export function checkLayerChannels(
  shape: readonly number[],
  axis: readonly number[],
  expected: number | undefined,
  name: string,
): number {
  const rank = shape.length
  for (let index = 0; index < axis.length; index++) {
    const one = axis[index] as number
    if (one < -rank || one >= rank) {
      throw new ShapeError(`${name}.shape`, `an axis ${one}, along which the channels lie`, shapeText(shape))
    }
  }
  const kept = checkAxes(axis, rank, 0, "axis")
  const channels = elementsAlong(shape, kept)
  if (expected !== undefined && channels !== expected) {
    const axes = axesOf(kept, rank)
    const where = axes.length === 1 ? `${name}.shape[${axes[0]}]` : `${name}.shape`
    throw new ShapeError(where, `${expected} channels along axis ${shapeText(axes)}`, `${channels}`)
  }
  return kept
}

/** The elements along the axes of a bit mask. */
export function elementsAlong(shape: readonly number[], mask: number): number {
  let product = 1
  for (let axis = 0; axis < shape.length; axis++) if (hasAxis(mask, axis)) product *= shape[axis] as number
  return product
}

/** Another that has as many channels. */
export function checkSameChannels(actual: number, expected: number, name: string): void {
  if (actual !== expected) throw new ShapeError(name, `${expected} channels`, `${actual}`)
}
