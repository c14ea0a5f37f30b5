// The files of this folder, and no others, judge what users pass; below them everything is valid. Names of arguments are
// put together only where they are needed, in errors: a call that is right makes no string.
import { ArgumentError, DisposedError, ShapeError, StateError } from "../errors.ts"
import { isLive, isOurs } from "../memory.ts"
import type { FloatArray, NdArray } from "../types.ts"
import { describe, shapeText, typeName } from "./describe.ts"

export const maxRank = 32

const form = "{ data, shape }"

/** The shape of what is to be a dense row-major float array; its data are judged by {@link checkData}. */
export function checkShapeOf(array: NdArray, name: string): readonly number[] {
  if (typeof array !== "object" || array === null) throw new ArgumentError(name, form, describe(array))
  if (ArrayBuffer.isView(array) || Array.isArray(array)) {
    throw new ArgumentError(name, form, `${describe(array)}: wrap it, as in { data, shape: [length] }`)
  }
  checkFamiliar(array, name)
  return checkShape(array.shape, name, ".shape")
}

/** Its data. */
export function checkData(array: NdArray, shape: readonly number[], name: string): FloatArray {
  const { data } = array
  const tag = tagOf(data)
  if (tag !== "Float32Array" && tag !== "Float64Array") {
    checkNoTensor(data, name)
    const isConvertible = Array.isArray(data) || /^(Int|Uint|Float)/.test(tag)
    const hint = isConvertible ? ": convert it, as by new Float32Array(data)" : ""
    throw new ArgumentError(`${name}.data`, "a Float32Array or Float64Array", `${describe(data)}${hint}`)
  }
  checkPlaced(array, data, shape, name)
  return data
}

/** That data are as many as the shape says, dense, and in memory that is held. */
export function checkPlaced(array: object, data: ArrayLike<unknown>, shape: readonly number[], name: string): void {
  checkDense(array, shape, name)
  const expected = elements(shape)
  if (data.length !== expected) {
    checkAttached(data, name, ".data")
    throw new ShapeError(`${name}.data`, `${expected} elements for shape ${shapeText(shape)}`, `${data.length}`)
  }
  checkLive(data, name, ".data")
}

/** An array that was given back, or a tensor of a library whose users are told how to hand it over. */
export function checkFamiliar(array: object, name: string): void {
  const { shape, dims, disposed } = array as { shape?: unknown; dims?: unknown; disposed?: unknown }
  if (disposed === true) throw new DisposedError(name)
  if (shape === undefined && dims !== undefined) throw tensor(name, "ONNX Runtime", "{ data: t.data, shape: t.dims }")
}

/** Data that are a method. */
export function checkNoTensor(data: unknown, name: string): void {
  if (typeof data === "function") throw tensor(name, "TensorFlow.js", "{ data: t.dataSync(), shape: t.shape }")
}

function tensor(name: string, library: string, how: string): ArgumentError {
  return new ArgumentError(name, form, `a tensor of ${library}: pass ${how}`)
}

/** That a view of the library's memory lies in an array of the user's. */
export function checkLive(view: ArrayLike<unknown>, name: string, part = ""): void {
  if (ArrayBuffer.isView(view) && isOurs(view) && !isLive(view)) {
    throw new ArgumentError(
      name + part,
      "a view inside one live allocation, or an array of your own",
      "a view of the library's memory outside any: it was disposed, or is not from allocate",
    )
  }
}

/** Sizes of axes. */
export function checkShape(shape: readonly number[], name: string, part = ""): readonly number[] {
  if (!Array.isArray(shape)) throw new ShapeError(name + part, "an Array of sizes", describe(shape))
  if (shape.length > maxRank) throw new ShapeError(name + part, `at most ${maxRank} axes`, `${shape.length}`)
  // Products of some of the axes are taken too, so an axis of size 0 does not make others harmless.
  let product = 1
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis]
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      throw new ShapeError(`${name}${part}[${axis}]`, "a whole number from 0 on, below 2^53", describe(size))
    }
    product *= Math.max(1, size as number)
  }
  if (!Number.isSafeInteger(product)) throw new ShapeError(name + part, "fewer than 2^53 elements", shapeText(shape))
  return shape
}

/** The elements of an array of this shape. */
export function elements(shape: ArrayLike<number>): number {
  let product = 1
  for (let axis = 0; axis < shape.length; axis++) product *= shape[axis] as number
  return product
}

/** What kind of view it is, whichever realm it is from; none: "". */
export function tagOf(data: unknown): string {
  if (!ArrayBuffer.isView(data)) return ""
  // The tag itself takes engines long.
  if (data instanceof Float64Array) return "Float64Array"
  if (data instanceof Float32Array) return "Float32Array"
  return (data as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? ""
}

/** An array that was judged, at the time when it is used: reading a later argument may have run code that allocates. */
export function checkHeld(data: ArrayLike<unknown>, length: number): void {
  if (data.length === length) return
  throw new StateError("the buffer of an array was detached while the arguments after it were read: fetch .data again")
}

/** A view whose buffer was detached, or shrunk from under it, is of length 0 and its methods throw. */
export function checkAttached(data: ArrayLike<unknown>, name: string, part = ""): void {
  if (data.length > 0 || !ArrayBuffer.isView(data)) return
  try {
    ;(data as unknown as FloatArray).keys()
  } catch {
    const argument = name + part
    throw new StateError(
      `${argument}: its buffer was detached or shrunk, as allocate does to views taken before: fetch .data again`,
      argument,
    )
  }
}

/** scijs (`stride`), stdlib (`strides`): welcome where they say what row-major means anyway. */
function checkDense(array: object, shape: readonly number[], name: string): void {
  const { stride, strides, offset } = array as { stride?: unknown; strides?: unknown; offset?: unknown }
  if (offset !== undefined && offset !== 0) throw notDense(`${name}.offset`, 0, offset)
  const given = strides ?? stride
  if (given === undefined || given === null || elements(shape) === 0) return
  let dense = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number
    const actual = (given as ArrayLike<unknown>)[axis]
    if (size !== 1 && actual !== dense) {
      throw notDense(`${name}.${strides === given ? "strides" : "stride"}[${axis}]`, dense, actual)
    }
    dense *= size
  }
}

function notDense(name: string, expected: number, actual: unknown): ArgumentError {
  return new ArgumentError(name, `${expected}: arrays are dense and row-major`, `${describe(actual)}: copy it first`)
}

/** The data of an array of x's shape and element type, or of what else it is to be like. */
export function checkLike(
  array: NdArray,
  name: string,
  shape: readonly number[],
  like: FloatArray,
  likeName = "x",
): FloatArray {
  const own = checkShapeOf(array, name)
  const data = checkData(array, own, name)
  if (!isSameShape(own, shape)) {
    throw new ShapeError(`${name}.shape`, `${shapeText(shape)}, as ${likeName}.shape`, shapeText(own))
  }
  if (data.BYTES_PER_ELEMENT !== like.BYTES_PER_ELEMENT) {
    throw new ArgumentError(`${name}.data`, `a ${typeName(like)}, as ${likeName}.data`, `a ${typeName(data)}`)
  }
  return data
}

export function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false
  return true
}

/** Whether two arrays are the same elements. */
export function isSame(a: FloatArray, b: FloatArray): boolean {
  return a.length > 0 && a.byteOffset === b.byteOffset && a.buffer === b.buffer
}
