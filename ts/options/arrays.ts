// The files of this folder, and no others, judge what users pass; below them everything is valid.
import { ArgumentError, DisposedError, ShapeError, StateError } from "../errors.ts"
import { Resident, residence } from "../memory.ts"
import type { FloatArray, Maybe, NdArray } from "../types.ts"
import { describe, typeName } from "./describe.ts"

export const maxRank = 32

/** An array that was judged. */
export interface Checked<T extends FloatArray = FloatArray> {
  readonly data: T
  readonly shape: readonly number[]
  /** Whether the data lie on the library's memory. */
  readonly resident: boolean
}

/** A dense row-major float array. */
export function checkArray<T extends FloatArray>(array: NdArray<T>, name: string): Checked<T> {
  if (array instanceof Resident && array.disposed) throw new DisposedError(name)
  if (typeof array !== "object" || array === null) {
    throw new ArgumentError(name, "{ data, shape }", describe(array))
  }
  if (ArrayBuffer.isView(array) || Array.isArray(array)) {
    throw new ArgumentError(name, "{ data, shape }", `${describe(array)}: wrap it, as in { data, shape: [length] }`)
  }
  checkFamiliar(array, name)
  const shape = checkShape(array.shape, `${name}.shape`)
  const { data } = array
  checkFloats(data, `${name}.data`)
  checkDense(array, shape, name)
  checkLength(data, shape, name)
  return { data, shape, resident: checkPlace(data, `${name}.data`) }
}

/** Tensors of libraries whose users are told how to hand them over. */
export function checkFamiliar(array: object, name: string): void {
  const { data, shape, dims } = array as { data?: unknown; shape?: unknown; dims?: unknown }
  const pass = (library: string, how: string) =>
    new ArgumentError(name, "{ data, shape }", `a tensor of ${library}: pass ${how}`)
  if (typeof data === "function") throw pass("TensorFlow.js", "{ data: t.dataSync(), shape: t.shape }")
  if (shape === undefined && dims !== undefined) throw pass("ONNX Runtime", "{ data: t.data, shape: t.dims }")
}

/** Whether a view lies on the library's memory. */
export function checkPlace(view: ArrayBufferView, name: string): boolean {
  const place = residence(view)
  if (place === "stray") {
    throw new ArgumentError(
      name,
      "a view inside one live allocation, or an array of your own",
      "a view of the library's memory outside any: it was disposed, or is not from allocate",
    )
  }
  return place === "resident"
}

/** Sizes of axes. */
export function checkShape(shape: readonly number[], name: string): readonly number[] {
  if (!Array.isArray(shape)) throw new ShapeError(name, "an Array of sizes", describe(shape))
  if (shape.length > maxRank) throw new ShapeError(name, `at most ${maxRank} axes`, `${shape.length}`)
  // Products of some of the axes are taken too, so an axis of size 0 does not make others harmless.
  let product = 1
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis]
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      throw new ShapeError(`${name}[${axis}]`, "a whole number from 0 on, below 2^53", describe(size))
    }
    product *= Math.max(1, size as number)
  }
  if (!Number.isSafeInteger(product)) {
    throw new ShapeError(name, "fewer than 2^53 elements", `[${shape.join(", ")}]`)
  }
  return shape
}

/** The elements of an array of this shape. */
export function elements(shape: ArrayLike<number>): number {
  let product = 1
  for (let axis = 0; axis < shape.length; axis++) product *= shape[axis] as number
  return product
}

function checkFloats(data: unknown, name: string): void {
  const tag = tagOf(data)
  if (tag === "Float32Array" || tag === "Float64Array") return
  const isConvertible = Array.isArray(data) || /^(Int|Uint|Float)/.test(tag)
  const hint = isConvertible ? ": convert it, as by new Float32Array(data)" : ""
  throw new ArgumentError(name, "a Float32Array or Float64Array", `${describe(data)}${hint}`)
}

/** What kind of view it is, whichever realm it is from; none: "". */
export function tagOf(data: unknown): string {
  return ArrayBuffer.isView(data) ? ((data as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? "") : ""
}

export function checkLength(data: ArrayLike<number>, shape: readonly number[], name: string): void {
  const expected = elements(shape)
  if (data.length === expected) return
  checkAttached(data, `${name}.data`)
  throw new ShapeError(`${name}.data`, `${expected} elements for shape [${shape.join(", ")}]`, `${data.length}`)
}

/** An array that was judged, at the time when it is used: reading a later argument may have run code that allocates. */
export function checkHeld<A extends { readonly data: ArrayLike<unknown>; readonly shape: readonly number[] }>(
  array: A,
): A {
  if (array.data.length === elements(array.shape)) return array
  throw new StateError("the buffer of an array was detached while the arguments after it were read: fetch .data again")
}

/** A view whose buffer was detached, or shrunk from under it, is of length 0 and its methods throw. */
export function checkAttached(data: ArrayLike<number>, name: string): void {
  if (data.length > 0 || !ArrayBuffer.isView(data)) return
  try {
    ;(data as unknown as FloatArray).keys()
  } catch {
    throw new StateError(
      `${name}: its buffer was detached or shrunk, as allocate does to views taken before: fetch .data again`,
      name,
    )
  }
}

/** scijs (`stride`), stdlib (`strides`): welcome where they say what row-major means anyway. */
export function checkDense(array: object, shape: readonly number[], name: string): void {
  const { stride, strides, offset } = array as { stride?: unknown; strides?: unknown; offset?: unknown }
  const refuse = (key: string, expected: number, actual: unknown) =>
    new ArgumentError(
      `${name}.${key}`,
      `${expected}: arrays are dense and row-major`,
      `${describe(actual)}: copy it first`,
    )
  if (offset !== undefined && offset !== 0) throw refuse("offset", 0, offset)
  const given = strides ?? stride
  if (given === undefined || given === null || elements(shape) === 0) return
  let dense = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number
    const actual = (given as ArrayLike<unknown>)[axis]
    if (size !== 1 && actual !== dense) {
      throw refuse(`${strides === given ? "strides" : "stride"}[${axis}]`, dense, actual)
    }
    dense *= size
  }
}

/** x's element type. */
function checkSameType(array: Checked, like: Checked, name: string, likeName: string): void {
  if (array.data.BYTES_PER_ELEMENT !== like.data.BYTES_PER_ELEMENT) {
    throw new ArgumentError(
      `${name}.data`,
      `a ${typeName(like.data)}, as ${likeName}.data`,
      `a ${typeName(array.data)}`,
    )
  }
}

/** x's shape and element type. */
export function checkLike(array: Checked, like: Checked, name: string, likeName = "x"): void {
  if (array.shape.length !== like.shape.length || array.shape.some((size, axis) => size !== like.shape[axis])) {
    const [expected, actual] = [like, array].map(({ shape }) => `[${shape.join(", ")}]`)
    throw new ShapeError(`${name}.shape`, `${expected}, as ${likeName}.shape`, `${actual}`)
  }
  checkSameType(array, like, name, likeName)
}

/** An array to write like x, which is one of the inputs or overlaps none. */
export function checkOut<T extends FloatArray>(
  out: NdArray<T>,
  like: Checked,
  inputs: Readonly<Record<string, Checked | undefined>>,
  name: string,
  likeName = "x",
): Checked<T> {
  const checked = checkArray(out, name)
  checkLike(checked, like, name, likeName)
  for (const [inputName, input] of Object.entries(inputs)) {
    checkSameOrApart(checked.data, `${name}.data`, input?.data, `${inputName}.data`)
  }
  return checked
}

/** A result that is an input of its length, element by element, or shares no memory with it. */
export function checkSameOrApart(
  out: FloatArray,
  name: string,
  input: Maybe<ArrayLike<number>>,
  inputName: string,
): void {
  if (!input || !overlaps(out, input)) return
  const isInput = tagOf(out) === tagOf(input) && out.byteOffset === (input as FloatArray).byteOffset
  if (!isInput) throw new ArgumentError(name, `the elements of ${inputName}, or none of them`, "some of them")
}

/** A result that shares no memory with another array, which is read or written in the same call. */
export function checkApart(
  out: ArrayLike<unknown>,
  name: string,
  other: Maybe<ArrayLike<unknown>>,
  otherName: string,
): void {
  if (other && overlaps(out, other)) {
    throw new ArgumentError(name, `none of the elements of ${otherName}`, "some of them: give it memory of its own")
  }
}

/** Whether two arrays are the same elements. */
export function isSame(a: Checked, b: Checked): boolean {
  return a.data.length > 0 && a.data.buffer === b.data.buffer && a.data.byteOffset === b.data.byteOffset
}

function overlaps(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  return (
    ArrayBuffer.isView(a) &&
    ArrayBuffer.isView(b) &&
    a.byteLength > 0 &&
    b.byteLength > 0 &&
    a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength
  )
}
