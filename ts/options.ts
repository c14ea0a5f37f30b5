// The only file that judges what users pass. Below it everything is valid.
import { type Convention, conventions } from "./conventions.ts"
import { ArgumentError, DisposedError, ShapeError, StateError } from "./errors.ts"
import { Resident, residence } from "./memory.ts"
import type { Broadcastable, FloatArray, Maybe, NdArray, PerChannel, Vector } from "./types.ts"
import type { Source } from "./wasm.ts"

const maxRank = 32

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
  const foreign = array as { dims?: unknown; data?: unknown; shape?: unknown }
  if (typeof foreign.data === "function") {
    throw new ArgumentError(
      name,
      "{ data, shape }",
      "a tensor of TensorFlow.js: pass { data: t.dataSync(), shape: t.shape }",
    )
  }
  if (foreign.shape === undefined && foreign.dims !== undefined) {
    throw new ArgumentError(name, "{ data, shape }", "a tensor of ONNX Runtime: pass { data: t.data, shape: t.dims }")
  }
  const shape = checkShape(array.shape, `${name}.shape`)
  const { data } = array
  checkFloats(data, `${name}.data`)
  checkDense(array, shape, name)
  checkLength(data, shape, name)
  const place = residence(data)
  if (place === "stray") {
    throw new ArgumentError(
      `${name}.data`,
      "a view inside one live allocation, or an array of your own",
      "a view of the library's memory outside any: it was disposed, or is not from allocate",
    )
  }
  return { data, shape, resident: place === "resident" }
}

/** Sizes of axes. */
export function checkShape(shape: readonly number[], name: string): readonly number[] {
  if (typeof shape !== "object" || shape === null || typeof shape.length !== "number") {
    throw new ShapeError(name, "an array of sizes", describe(shape))
  }
  if (shape.length > maxRank) throw new ShapeError(name, `at most ${maxRank} axes`, `${shape.length}`)
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis]
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      throw new ShapeError(`${name}[${axis}]`, "a whole number from 0 on", describe(size))
    }
  }
  if (!Number.isSafeInteger(elements(shape))) {
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
  const tag = ArrayBuffer.isView(data) ? (data as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] : undefined
  if (tag !== "Float32Array" && tag !== "Float64Array") {
    throw new ArgumentError(name, "a Float32Array or Float64Array", describe(data))
  }
}

function checkLength(data: FloatArray, shape: readonly number[], name: string): void {
  const expected = elements(shape)
  if (data.length === expected) return
  if (isGone(data)) {
    throw new StateError(
      `${name}.data: its buffer was detached or shrunk, as allocate does to views taken before: fetch .data again`,
      `${name}.data`,
    )
  }
  throw new ShapeError(`${name}.data`, `${expected} elements for shape [${shape.join(", ")}]`, `${data.length}`)
}

/** A view whose buffer was detached, or shrunk from under it: it has no elements, and cannot have had none. */
function isGone(data: FloatArray): boolean {
  if (data.length > 0) return false
  const buffer = data.buffer as ArrayBuffer & { resizable?: boolean }
  return buffer.byteLength === 0 || buffer.resizable === true
}

/** scijs (`stride`), stdlib (`strides`): welcome where they say what row-major means anyway. */
function checkDense(array: object, shape: readonly number[], name: string): void {
  const { stride, strides = stride, offset } = array as { stride?: unknown; strides?: unknown; offset?: unknown }
  if (offset !== undefined && offset !== 0) {
    throw new ArgumentError(`${name}.offset`, "0: arrays are dense and row-major", `${describe(offset)}: copy it first`)
  }
  if (strides === undefined) return
  let dense = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number
    if (size !== 1 && (strides as ArrayLike<unknown>)?.[axis] !== dense) {
      throw new ArgumentError(
        `${name}.strides[${axis}]`,
        `${dense}: arrays are dense and row-major`,
        "another: copy it first",
      )
    }
    dense *= size
  }
}

/** x's element type. */
export function checkSameType(array: Checked, like: Checked, name: string): void {
  if (array.data.BYTES_PER_ELEMENT !== like.data.BYTES_PER_ELEMENT) {
    throw new ArgumentError(`${name}.data`, `a ${typeName(like.data)}, as x.data`, `a ${typeName(array.data)}`)
  }
}

/** x's shape and element type. */
export function checkLike(array: Checked, like: Checked, name: string): void {
  if (array.shape.length !== like.shape.length || array.shape.some((size, axis) => size !== like.shape[axis])) {
    throw new ShapeError(`${name}.shape`, `[${like.shape.join(", ")}], as x.shape`, `[${array.shape.join(", ")}]`)
  }
  checkSameType(array, like, name)
}

/** An array to write like x, which is one of the inputs or overlaps none. */
export function checkOut<T extends FloatArray>(
  out: NdArray<T>,
  like: Checked,
  inputs: Readonly<Record<string, Checked>>,
  name: string,
): Checked<T> {
  const checked = checkArray(out, name)
  checkLike(checked, like, name)
  for (const [inputName, input] of Object.entries(inputs)) {
    if (overlaps(checked.data, input.data) && !isSame(checked, input)) {
      throw new ArgumentError(`${name}.data`, `the elements of ${inputName}.data, or none of them`, "some of them")
    }
  }
  return checked
}

/** Two results that are written both. */
export function checkSeparate(out: FloatArray, other: FloatArray, name: string, otherName: string): void {
  if (overlaps(out, other)) throw new ArgumentError(name, `none of the elements of ${otherName}`, "some of them")
}

/** Whether two arrays are the same elements. */
export function isSame(a: Checked, b: Checked): boolean {
  return a.data.length > 0 && a.data.buffer === b.data.buffer && a.data.byteOffset === b.data.byteOffset
}

function overlaps(a: FloatArray, b: FloatArray): boolean {
  return (
    a.length > 0 &&
    b.length > 0 &&
    a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength
  )
}

/** Axes as a bit mask; none given: `absent`. Negative ones count from the last. */
export function checkAxes(axes: Maybe<number | readonly number[]>, rank: number, absent: number, name: string): number {
  if (axes === undefined || axes === null) return absent
  const list = typeof axes === "number" ? [axes] : axes
  if (!Array.isArray(list)) throw new ArgumentError(name, "an axis or an array of axes", describe(axes))
  let mask = 0
  for (const [index, axis] of list.entries()) {
    const where = typeof axes === "number" ? name : `${name}[${index}]`
    if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
      const expected = rank === 0 ? "no axis of a scalar" : `an axis from ${-rank} to ${rank - 1}`
      throw new ArgumentError(where, expected, describe(axis))
    }
    const bit = 2 ** (axis < 0 ? axis + rank : axis)
    if (Math.floor(mask / bit) % 2 === 1) throw new ArgumentError(where, "each axis once", `${axis} twice`)
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

/** One number per channel, or none. */
export function checkPerChannel(
  values: Maybe<PerChannel>,
  channels: number,
  name: string,
): ArrayLike<number> | undefined {
  if (values === undefined || values === null) return undefined
  const list = listOf(values, name)
  if (list.length !== channels) {
    throw new ShapeError(name, `${channels} numbers, one per channel`, `${list.length}`)
  }
  checkNumbers(list, name)
  return list
}

function listOf(values: PerChannel, name: string): ArrayLike<number> {
  if (typeof values !== "object" || values === null) {
    throw new ArgumentError(name, "an array of numbers", describe(values))
  }
  if (values instanceof Resident && values.disposed) throw new DisposedError(name)
  if (!("data" in values)) {
    if (typeof values.length !== "number") throw new ArgumentError(name, "an array of numbers", describe(values))
    if (ArrayBuffer.isView(values)) checkLive(values as unknown as FloatArray, name)
    return values
  }
  return checkNumberArray(values, name).data
}

/** Of `{ data, shape }` whose data may be any array of numbers. */
function checkNumberArray(
  array: { readonly data: ArrayLike<number>; readonly shape: readonly number[] },
  name: string,
): { data: ArrayLike<number>; shape: readonly number[] } {
  const shape = checkShape(array.shape, `${name}.shape`)
  const { data } = array
  if (typeof data !== "object" || data === null || typeof data.length !== "number") {
    throw new ArgumentError(`${name}.data`, "an array of numbers", describe(data))
  }
  checkDense(array, shape, name)
  if (ArrayBuffer.isView(data)) {
    checkLength(data as unknown as FloatArray, shape, name)
    checkLive(data as unknown as FloatArray, `${name}.data`)
  } else if (data.length !== elements(shape)) {
    throw new ShapeError(
      `${name}.data`,
      `${elements(shape)} elements for shape [${shape.join(", ")}]`,
      `${data.length}`,
    )
  }
  return { data, shape }
}

function checkLive(view: FloatArray, name: string): void {
  if (residence(view) === "stray") {
    throw new ArgumentError(name, "an array of your own or a live allocation", "a view of memory that was disposed")
  }
}

function checkNumbers(list: ArrayLike<number>, name: string): void {
  if (ArrayBuffer.isView(list) && !/^Big/.test((list as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? "")) {
    return
  }
  for (let index = 0; index < list.length; index++) {
    if (typeof list[index] !== "number") throw new ArgumentError(`${name}[${index}]`, "a number", describe(list[index]))
  }
}

/** Variances: none is negative. NaN stays in its channel. */
export function checkVariances(list: ArrayLike<number>, name: string): void {
  for (let index = 0; index < list.length; index++) {
    if ((list[index] as number) < 0) {
      throw new ArgumentError(`${name}[${index}]`, "a variance from 0 on", `${list[index]}`)
    }
  }
}

/** A parameter and the shape by which it broadcasts, aligned at the last axis. */
export interface Parameter {
  readonly data: ArrayLike<number>
  readonly shape: readonly number[]
}

/** A parameter that broadcasts to x's shape; a number has shape []. */
export function checkBroadcast(value: Broadcastable, like: readonly number[], name: string): Parameter {
  const parameter = typeof value === "number" ? { data: [value], shape: [] } : parameterOf(value, name)
  checkNumbers(parameter.data, name)
  const missing = like.length - parameter.shape.length
  const fits = missing >= 0 && parameter.shape.every((size, axis) => size === 1 || size === like[axis + missing])
  if (!fits) {
    throw new ShapeError(name, `a shape that broadcasts to [${like.join(", ")}]`, `[${parameter.shape.join(", ")}]`)
  }
  return parameter
}

function parameterOf(value: ArrayLike<number> | NdArray, name: string): Parameter {
  if (typeof value === "object" && value !== null && "data" in value) {
    if (value instanceof Resident && value.disposed) throw new DisposedError(name)
    return checkNumberArray(value, name)
  }
  const data = listOf(value, name)
  return { data, shape: [data.length] }
}

/** ε: finite, not negative. */
export function checkEpsilon(epsilon: number | undefined, absent: number, name = "epsilon"): number {
  if (epsilon === undefined) return absent
  if (typeof epsilon !== "number" || !(epsilon >= 0) || epsilon === Number.POSITIVE_INFINITY) {
    throw new ArgumentError(name, "a finite number from 0 on", describe(epsilon))
  }
  return epsilon
}

/** "relu" or none. */
export function checkActivation(activation: Maybe<"relu">): "relu" | null {
  if (activation === undefined || activation === null) return null
  if (activation !== "relu") throw new ArgumentError("activation", '"relu" or null', describe(activation))
  return activation
}

/** A name of a convention. */
export function checkConvention(convention: Convention | undefined): Convention {
  if (convention === undefined) return "keras"
  if (typeof convention !== "string" || !Object.hasOwn(conventions, convention)) {
    const names = Object.keys(conventions).map((name) => `"${name}"`)
    throw new ArgumentError("convention", names.join(", "), describe(convention))
  }
  return convention
}

/** Momentum as the convention means it; null where that is a cumulative average. */
export function checkMomentum(momentum: Maybe<number>, convention: Convention): number | null {
  const meaning = conventions[convention]
  if (momentum === undefined) return meaning.momentum
  if (momentum === null) {
    if (meaning.cumulative) return null
    throw new ArgumentError("momentum", `a number: "${convention}" has no cumulative average`, "null")
  }
  if (typeof momentum !== "number" || !(momentum >= 0 && momentum <= 1)) {
    throw new ArgumentError("momentum", "a number from 0 to 1", describe(momentum))
  }
  return momentum
}

/** A flag. */
export function checkFlag(flag: boolean | undefined, absent: boolean, name: string): boolean {
  if (flag === undefined) return absent
  if (typeof flag !== "boolean") throw new ArgumentError(name, "true or false", describe(flag))
  return flag
}

/** How many channels a layer has. */
export function checkChannels(channels: number): number {
  if (!Number.isSafeInteger(channels) || channels < 1) {
    throw new ArgumentError("channels", "a whole number from 1 on", describe(channels))
  }
  return channels
}

/** One of a few names. */
export function checkOneOf<T extends string>(value: T | undefined, allowed: readonly T[], absent: T, name: string): T {
  if (value === undefined) return absent
  if (!allowed.includes(value)) {
    throw new ArgumentError(name, allowed.map((one) => `"${one}"`).join(" or "), describe(value))
  }
  return value
}

/** The names of the gradients wanted. */
export function checkNeed<N extends string>(need: readonly N[] | undefined, allowed: readonly N[]): readonly N[] {
  if (need === undefined) return allowed
  if (!Array.isArray(need)) throw new ArgumentError("need", "an array of names", describe(need))
  for (const [index, name] of need.entries()) checkOneOf(name, allowed, name, `need[${index}]`)
  return need
}

/** A Float64Array to write one number per channel into. */
export function checkVectorOut(out: Vector, length: number, name: string): Vector {
  checkFloats(out, name)
  if (out.BYTES_PER_ELEMENT !== 8) throw new ArgumentError(name, "a Float64Array", `a ${typeName(out)}`)
  if (isGone(out) && length > 0) {
    throw new StateError(`${name}: its buffer was detached or shrunk: fetch it again`, name)
  }
  if (out.length !== length) throw new ShapeError(name, `${length} numbers, one per channel`, `${out.length}`)
  checkLive(out, name)
  return out
}

/** Batch statistics need an element per channel. */
export function checkSomeElements(count: number, least: number, name: string): void {
  if (count < least) {
    const expected = least === 1 ? "an element per channel" : `${least} or more elements per channel to train on`
    throw new ArgumentError(name, expected, count === 0 ? "none: the batch is empty" : `${count}`)
  }
}

/** An object of options, or none. */
export function checkOptions<T extends object>(options: T | undefined, name: string): T | undefined {
  if (options === undefined) return undefined
  if (typeof options !== "object" || options === null || Array.isArray(options) || ArrayBuffer.isView(options)) {
    throw new ArgumentError(name, "an object of options", describe(options))
  }
  return options
}

/** What the caller left out. */
export function missing(name: string, expected: string): ArgumentError {
  return new ArgumentError(name, expected, "nothing")
}

/** Channels that a forward pass found not finite. */
export function notFinite(channel: number): ArgumentError {
  return new ArgumentError("x", "finite statistics in each channel", `NaN or Infinity in channel ${channel}`)
}

/** A user's value, in a few words. */
function describe(value: unknown): string {
  if (value === null || value === undefined) return `${value}`
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === "function") return "a function"
  if (typeof value !== "object") return `${String(value)}${typeof value === "bigint" ? "n" : ""}`
  if (Array.isArray(value)) return `an Array of ${value.length}`
  return `a ${typeName(value)}`
}

function typeName(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1)
}

/** A layer's channel axes, whose rank is not known yet. */
export function layerAxes(axis: number | readonly number[]): readonly number[] {
  const axes = typeof axis === "number" ? [axis] : axis
  if (!Array.isArray(axes)) throw new ArgumentError("axis", "an axis or an array of axes", describe(axis))
  for (const [index, one] of axes.entries()) {
    const name = typeof axis === "number" ? "axis" : `axis[${index}]`
    if (!Number.isInteger(one) || Math.abs(one) > maxRank) {
      throw new ArgumentError(name, "a whole number", describe(one))
    }
    if (axes.indexOf(one) !== index) throw new ArgumentError(name, "each axis once", `${one} twice`)
  }
  return [...axes]
}

/** x has the layer's channels. */
export function checkChannelCount(actual: number, expected: number, axes: readonly number[]): void {
  if (actual === expected) return
  const where = axes.length === 1 ? `x.shape[${axes[0]}]` : "x.shape"
  throw new ShapeError(where, `${expected} channels along axis [${axes.join(", ")}]`, `${actual}`)
}

/** What `init` can load. */
export function checkSource(source: unknown): Source | string | URL | Response {
  const isFetchable =
    typeof source === "string" ||
    source instanceof URL ||
    typeof (source as Response | undefined)?.arrayBuffer === "function"
  return isFetchable ? (source as string | URL | Response) : checkSyncSource(source)
}

/** What can be started at once. */
export function checkSyncSource(source: unknown): Source {
  if (source instanceof WebAssembly.Module || ArrayBuffer.isView(source) || isBuffer(source)) return source as Source
  throw new ArgumentError("source", "a WebAssembly.Module, bytes, a Response or a URL", describe(source))
}

function isBuffer(value: unknown): boolean {
  return /^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(value))
}
