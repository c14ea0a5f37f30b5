import { ArgumentError, ShapeError } from "../errors.ts"
import type { Broadcastable, Maybe, NdArray, PerChannel, Vector } from "../types.ts"
import {
  checkAttached,
  checkData,
  checkFamiliar,
  checkLive,
  checkNoTensor,
  checkPlaced,
  checkShape,
  checkShapeOf,
  tagOf,
} from "./arrays.ts"
import { describe, shapeText } from "./describe.ts"

/** One number per channel, or none. */
export function checkPerChannel(
  values: Maybe<PerChannel>,
  channels: number,
  name: string,
): ArrayLike<number> | undefined {
  if (values === undefined || values === null) return undefined
  const list = listOf(values, name)
  if (list.length !== channels) throw notPerChannel(list, channels, name)
  return settled(list, name)
}

function notPerChannel(list: ArrayLike<number>, channels: number, name: string): ShapeError {
  return new ShapeError(name, `${channels} numbers, one per channel`, `${list.length}`)
}

/** Numbers, bare or as `{ data, shape }`; what each is, is not judged. */
export function listOf(
  values: PerChannel,
  name: string,
  expected = "an array of numbers, one per channel",
): ArrayLike<number> {
  if (typeof values !== "object" || values === null) throw new ArgumentError(name, expected, describe(values))
  if (!ArrayBuffer.isView(values)) {
    checkFamiliar(values, name)
    if ("data" in values) return checkNumberArray(values, name)
  }
  const list = values as ArrayLike<number>
  if (typeof list.length !== "number") throw new ArgumentError(name, expected, describe(values))
  checkAttached(list, name)
  checkLive(list, name)
  return list
}

/** Of `{ data, shape }` whose data may be any array of numbers. */
function checkNumberArray(
  array: { readonly data: ArrayLike<number>; readonly shape: readonly number[] },
  name: string,
): ArrayLike<number> {
  const shape = checkShape(array.shape, name, ".shape")
  const { data } = array
  checkNoTensor(data, name)
  if (typeof data !== "object" || data === null || typeof data.length !== "number") {
    throw new ArgumentError(`${name}.data`, "an array of numbers", describe(data))
  }
  checkPlaced(array, data, shape, name)
  return data
}

/** Whether a list is typed and holds numbers, whatever they are. */
function isNumeric(list: ArrayLike<unknown>): boolean {
  const tag = tagOf(list)
  return tag === "Float64Array" || /^(Int|Uint|Float)/.test(tag)
}

/**
 * Numbers that stay what they are judged to be: typed ones, or a copy of others, whose reading may run code of the user's.
 * `flags`: true and false are numbers too.
 */
export function settled(
  list: ArrayLike<number | boolean>,
  name: string,
  expected = "a number",
  flags = false,
): ArrayLike<number> {
  if (isNumeric(list)) return list as ArrayLike<number>
  let numbers = new Float64Array(0)
  for (let index = 0; index < list.length; index++) {
    const number = list[index]
    if (typeof number !== "number" && !(flags && typeof number === "boolean"))
      throw new ArgumentError(`${name}[${index}]`, expected, describe(number))
    // Not before: what has a length alone is no list, whatever that is.
    if (index === 0) numbers = new Float64Array(list.length)
    numbers[index] = +number
  }
  return numbers
}

/** Variances: none is negative. NaN stays in its channel. */
export function checkVariances(list: ArrayLike<number>, name: string, expected = "a variance from 0 on"): void {
  const { length } = list
  let index = 0
  while (index < length && !((list[index] as number) < 0)) index++
  if (index < length) throw new ArgumentError(`${name}[${index}]`, expected, `${list[index]}`)
}

/** A parameter and the shape by which it broadcasts, aligned at the last axis. */
export interface Parameter {
  readonly data: ArrayLike<number>
  readonly shape: readonly number[]
}

/** A parameter of any shape; a number has shape []. */
export function checkParameter(value: Broadcastable, name: string): Parameter {
  const expected = "a number, an array of numbers or { data, shape }"
  if (typeof value === "number") return { data: [value], shape: [] }
  const { data, shape } = checkList(value, name, expected)
  return { data: settled(data, name), shape }
}

/** Counts: each above 0. */
export function checkAboveZero(list: ArrayLike<number>, name: string): void {
  for (let index = 0; index < list.length; index++) {
    const value = list[index] as number
    if (!(value > 0) || value === Number.POSITIVE_INFINITY) {
      throw new ArgumentError(`${name}[${index}]`, "a finite number above 0", `${value}`)
    }
  }
}

/** The shape to which parameters broadcast, as in NumPy. */
export function checkBroadcastShape(parameters: Readonly<Record<string, Parameter>>): number[] {
  const shape: number[] = []
  for (const [name, parameter] of Object.entries(parameters)) {
    for (let last = 1; last <= parameter.shape.length; last++) {
      const size = parameter.shape.at(-last) as number
      const sofar = shape.at(-last) ?? 1
      if (size !== 1 && sofar !== 1 && size !== sofar) {
        const expected = `a shape that broadcasts with ${shapeText(shape)}`
        throw new ShapeError(name, expected, shapeText(parameter.shape))
      }
      if (last > shape.length) shape.unshift(size)
      else if (sofar === 1) shape[shape.length - last] = size
    }
  }
  return shape
}

/** A parameter that broadcasts to a shape: x's, unless `whose` says otherwise. */
export function checkBroadcast(value: Broadcastable, like: readonly number[], name: string, whose = ""): Parameter {
  const parameter = checkParameter(value, name)
  if (!broadcasts(parameter.shape, like)) {
    const expected = `a shape that broadcasts to ${shapeText(like)}${whose}`
    throw new ShapeError(name, expected, shapeText(parameter.shape))
  }
  return parameter
}

/** Whether an array broadcasts to a shape, without growing it. */
export function broadcasts(shape: readonly number[], like: readonly number[]): boolean {
  const missing = like.length - shape.length
  return missing >= 0 && shape.every((size, axis) => size === 1 || size === like[axis + missing])
}

/** An array, or `{ data, shape }`; a bare array has one axis. What it holds is not looked at. */
export function checkList<T extends number | boolean>(
  value: ArrayLike<T> | { readonly data: ArrayLike<T>; readonly shape: readonly number[] },
  name: string,
  expected: string,
): { readonly data: ArrayLike<T>; readonly shape: readonly number[] } {
  const data = listOf(value as PerChannel, name, expected) as ArrayLike<unknown> as ArrayLike<T>
  return { data, shape: "data" in value ? value.shape : [data.length] }
}

/** A Float64Array to write one number per channel into. */
export function checkVectorOut(out: Vector, length: number, name: string): Vector {
  if (tagOf(out) !== "Float64Array") throw new ArgumentError(name, "a Float64Array", describe(out))
  if (out.length !== length) {
    checkAttached(out, name)
    throw notPerChannel(out, length, name)
  }
  checkLive(out, name)
  return out
}

/** The same as `{ data, shape }`. */
export function checkStatisticsOut(out: NdArray<Vector>, length: number, name: string): Vector {
  const data = checkData(out, checkShapeOf(out, name), name) as Vector
  return data.length === length && data.BYTES_PER_ELEMENT === 8 ? data : checkVectorOut(data, length, `${name}.data`)
}

/** The elements per channel that the statistics are of: those of x. */
export function checkCounts(counts: ArrayLike<number>, expected: number, name: string): void {
  const { length } = counts
  let channel = 0
  while (channel < length && counts[channel] === expected) channel++
  if (channel < length) {
    throw new ShapeError(`${name}[${channel}]`, `${expected}, the elements of x per channel`, `${counts[channel]}`)
  }
}
