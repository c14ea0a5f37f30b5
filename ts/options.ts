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
  checkFamiliar(array, name)
  const shape = checkShape(array.shape, `${name}.shape`)
  const { data } = array
  checkFloats(data, `${name}.data`)
  checkDense(array, shape, name)
  checkLength(data, shape, name)
  return { data, shape, resident: checkPlace(data, `${name}.data`) }
}

/** Tensors of libraries whose users are told how to hand them over. */
function checkFamiliar(array: object, name: string): void {
  const { data, shape, dims } = array as { data?: unknown; shape?: unknown; dims?: unknown }
  const pass = (library: string, how: string) =>
    new ArgumentError(name, "{ data, shape }", `a tensor of ${library}: pass ${how}`)
  if (typeof data === "function") throw pass("TensorFlow.js", "{ data: t.dataSync(), shape: t.shape }")
  if (shape === undefined && dims !== undefined) throw pass("ONNX Runtime", "{ data: t.data, shape: t.dims }")
}

/** Whether a view lies on the library's memory. */
function checkPlace(view: ArrayBufferView, name: string): boolean {
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
function tagOf(data: unknown): string {
  return ArrayBuffer.isView(data) ? ((data as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? "") : ""
}

function checkLength(data: ArrayLike<number>, shape: readonly number[], name: string): void {
  const expected = elements(shape)
  if (data.length === expected) return
  checkAttached(data, `${name}.data`)
  throw new ShapeError(`${name}.data`, `${expected} elements for shape [${shape.join(", ")}]`, `${data.length}`)
}

/** An array that was judged, at the time when it is used: reading a later argument may have run code that allocates. */
export function checkHeld(array: Checked): Checked {
  if (array.data.length === elements(array.shape)) return array
  throw new StateError("the buffer of an array was detached while the arguments after it were read: fetch .data again")
}

/** A view whose buffer was detached, or shrunk from under it, is of length 0 and its methods throw. */
function checkAttached(data: ArrayLike<number>, name: string): void {
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
function checkDense(array: object, shape: readonly number[], name: string): void {
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
function checkSameType(array: Checked, like: Checked, name: string): void {
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

/** A result that shares no memory with another array, which is read or written in the same call. */
export function checkApart(
  out: ArrayLike<number>,
  name: string,
  other: Maybe<ArrayLike<number>>,
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

function overlaps(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
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

function listOf(
  values: PerChannel,
  name: string,
  expected = "an array of numbers, one per channel",
): ArrayLike<number> {
  if (typeof values !== "object" || values === null) throw new ArgumentError(name, expected, describe(values))
  if (values instanceof Resident && values.disposed) throw new DisposedError(name)
  checkFamiliar(values, name)
  if ("data" in values) return checkNumberArray(values, name).data
  if (typeof values.length !== "number") throw new ArgumentError(name, expected, describe(values))
  checkAttached(values, name)
  if (ArrayBuffer.isView(values)) checkPlace(values, name)
  return values
}

/** Of `{ data, shape }` whose data may be any array of numbers. */
function checkNumberArray(
  array: { readonly data: ArrayLike<number>; readonly shape: readonly number[] },
  name: string,
): Parameter {
  const shape = checkShape(array.shape, `${name}.shape`)
  const { data } = array
  if (typeof data !== "object" || data === null || typeof data.length !== "number") {
    throw new ArgumentError(`${name}.data`, "an array of numbers", describe(data))
  }
  checkDense(array, shape, name)
  checkLength(data, shape, name)
  if (ArrayBuffer.isView(data)) checkPlace(data, `${name}.data`)
  return { data, shape }
}

function checkNumbers(list: ArrayLike<number>, name: string): void {
  if (/^(Int|Uint|Float)/.test(tagOf(list))) return
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
  const data = listOf(value, name, "a number, an array of numbers or { data, shape }")
  return { data, shape: "data" in value ? value.shape : [data.length] }
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
export function checkActivation(activation: Maybe<"relu">, name = "activation"): "relu" | null {
  if (activation === undefined || activation === null) return null
  if (activation !== "relu") throw new ArgumentError(name, '"relu" or null', describe(activation))
  return activation
}

/** A name of a convention. */
export function checkConvention(convention: Convention | undefined): Convention {
  if (convention === undefined) return "keras"
  if (typeof convention !== "string" || !Object.hasOwn(conventions, convention)) {
    const names = Object.keys(conventions).map((name) => `"${name}"`)
    throw new ArgumentError("convention", names.join(" or "), describe(convention))
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
export function checkChannels(channels: unknown, name = "channels"): number {
  return checkWhole(channels, 1, name)
}

function checkWhole(value: unknown, least: number, name: string): number {
  if (!Number.isInteger(value) || !((value as number) >= least && (value as number) < 2 ** 31)) {
    throw new ArgumentError(name, `a whole number from ${least} on, below 2^31`, describe(value))
  }
  return value as number
}

/** One of a few names. */
export function checkOneOf<T extends string>(value: T | undefined, allowed: readonly T[], absent: T, name: string): T {
  return value === undefined ? absent : checkName(value, allowed, name)
}

function checkName<T extends string>(value: T, allowed: readonly T[], name: string): T {
  if (!allowed.includes(value)) {
    throw new ArgumentError(name, allowed.map((one) => `"${one}"`).join(" or "), describe(value))
  }
  return value
}

/** The names of the gradients wanted. */
export function checkNeed<N extends string>(need: readonly N[] | undefined, allowed: readonly N[]): readonly N[] {
  if (need === undefined) return allowed
  if (!Array.isArray(need)) throw new ArgumentError("need", "an array of names", describe(need))
  for (const [index, name] of need.entries()) checkName(name, allowed, `need[${index}]`)
  return need
}

/** A Float64Array to write one number per channel into. */
export function checkVectorOut(out: Vector, length: number, name: string): Vector {
  if (tagOf(out) !== "Float64Array") throw new ArgumentError(name, "a Float64Array", describe(out))
  if (out.length !== length) {
    checkAttached(out, name)
    throw new ShapeError(name, `${length} numbers, one per channel`, `${out.length}`)
  }
  checkPlace(out, name)
  return out
}

/** The same as `{ data, shape }`. */
export function checkStatisticsOut(out: NdArray<Vector>, length: number, name: string): Vector {
  return checkVectorOut(checkArray(out, name).data, length, `${name}.data`)
}

/** Batch statistics need an element per channel. */
export function checkSomeElements(count: number, least: number, name: string): void {
  if (count < least) {
    const expected = least === 1 ? "an element per channel" : `${least} or more elements per channel to train on`
    throw new ArgumentError(name, expected, count === 0 ? "none: the batch is empty" : `${count}`)
  }
}

/** An object of options, or none. */
export function checkOptions<T extends object>(
  options: T | undefined,
  name: string,
  expected = "an object of options",
): T | undefined {
  if (options === undefined) return undefined
  if (typeof options !== "object" || options === null || Array.isArray(options) || ArrayBuffer.isView(options)) {
    throw new ArgumentError(name, expected, describe(options))
  }
  if ("data" in options && "shape" in options) {
    throw new ArgumentError(name, expected, "an array: say which option it is, as in { out }")
  }
  return options
}

/** The elements per channel that the statistics are of: those of x. */
export function checkCounts(counts: ArrayLike<number>, expected: number, name: string): void {
  for (let channel = 0; channel < counts.length; channel++) {
    if (counts[channel] !== expected) {
      throw new ShapeError(`${name}[${channel}]`, `${expected}, the elements of x per channel`, `${counts[channel]}`)
    }
  }
}

/** What the caller left out. */
export function missing(name: string, expected: string): ArgumentError {
  return new ArgumentError(name, expected, "nothing")
}

/** Channels that a forward pass found not finite. */
export function notFinite(channel: number): ArgumentError {
  return new ArgumentError("x", "finite statistics in each channel", `NaN or Infinity in channel ${channel}`)
}

/** What `toJSON` wrote: a record with these entries. */
export function checkRecord(json: unknown, names: readonly string[], name: string): Readonly<Record<string, unknown>> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    const hint = typeof json === "string" ? ": parse it first" : ""
    throw new ArgumentError(name, "an object that toJSON wrote", `${describe(json)}${hint}`)
  }
  for (const key of names) if (!Object.hasOwn(json, key)) throw missing(`${name}.${key}`, "what toJSON wrote")
  return json as Record<string, unknown>
}

/** The version of what `toJSON` wrote. */
export function checkVersion(version: unknown, expected: number, name: string): void {
  if (version !== expected) throw new ArgumentError(name, `${expected}`, describe(version))
}

const numbersAsText: ReadonlyMap<unknown, number> = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["-0", -0],
])

/** Numbers, as JSON has them or as text. */
export function checkJsonNumbers(list: unknown, length: number, name: string): number[] {
  if (!Array.isArray(list)) throw new ArgumentError(name, "an Array of numbers", describe(list))
  if (list.length !== length) throw new ShapeError(name, `${length} numbers, one per channel`, `${list.length}`)
  return Array.from(list, (value, index) => {
    const number = typeof value === "number" ? value : numbersAsText.get(value)
    if (number !== undefined) return number
    const names = [...numbersAsText.keys()].map((text) => `"${text}"`)
    throw new ArgumentError(`${name}[${index}]`, `a number, ${names.join(", ")}`, describe(value))
  })
}

/** How many of something. */
export function checkCount(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new ArgumentError(name, "a whole number from 0 on", describe(value))
  }
  return value as number
}

/** A user's value, in a few words. */
function describe(value: unknown): string {
  if (value === null || value === undefined) return `${value}`
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === "function") return "a function"
  if (typeof value !== "object") return `${String(value)}${typeof value === "bigint" ? "n" : ""}`
  if (Array.isArray(value)) return `an Array of ${value.length}`
  return `${/^[AEIO]/.test(typeName(value)) ? "an" : "a"} ${typeName(value)}`
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
    if (!Number.isInteger(one) || one < -maxRank || one >= maxRank) {
      throw new ArgumentError(name, `an axis from ${-maxRank} to ${maxRank - 1}`, describe(one))
    }
    if (axes.indexOf(one) !== index) throw new ArgumentError(name, "each axis once", `${one} twice`)
  }
  return [...axes]
}

/** A layer's channel axes in an x of this shape, as a bit mask. */
export function checkLayerAxes(axes: readonly number[], shape: readonly number[]): number {
  const rank = shape.length
  for (const axis of axes) {
    if (axis < -rank || axis >= rank) {
      throw new ShapeError(
        "x.shape",
        `an axis ${axis}, along which the layer has its channels`,
        `[${shape.join(", ")}]`,
      )
    }
  }
  return checkAxes(axes, rank, 0, "axis")
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
  if (isFetchable) return source as string | URL | Response
  return checkSyncSource(source, "a WebAssembly.Module, bytes, a Response, a URL or a promise of one")
}

/** What can be started at once. */
export function checkSyncSource(source: unknown, expected = "a WebAssembly.Module or bytes; init takes more"): Source {
  if (ArrayBuffer.isView(source) || isBuffer(source)) return checkCode(source as BufferSource)
  if (typeName(Object(source)) === "WebAssembly.Module") return source as WebAssembly.Module
  throw new ArgumentError("source", expected, describe(source))
}

/** Bytes that begin as WebAssembly does, which an error page does not. */
export function checkCode(code: BufferSource): Uint8Array<ArrayBuffer> {
  // As bytes whatever they are: V8 compiles no DataView, though the standard says so.
  const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(code)
    ? code
    : { buffer: code, byteOffset: 0, byteLength: code.byteLength }
  const bytes = new Uint8Array(buffer, byteOffset, byteLength)
  const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ")
  if (start !== "00 61 73 6d") {
    const actual = byteLength === 0 ? "none" : `${byteLength} that begin with ${start}`
    throw new ArgumentError("source", "bytes that begin with 00 61 73 6d", actual)
  }
  return bytes
}

/** An answer that has what was asked for. */
export function checkResponse(response: Response): Response {
  if (response.ok === false) {
    throw new ArgumentError("source", "a response with the kernels", `status ${response.status} from ${response.url}`)
  }
  return response
}

/** A module with the exports of the kernels. */
export function checkKernels(module: WebAssembly.Module): WebAssembly.Module {
  const names = WebAssembly.Module.exports(module).map(({ name }) => name)
  if (!["memory", "bn_view", "bn_dx_f64"].every((name) => names.includes(name))) {
    throw new ArgumentError("source", "batchnorm/kernel.wasm", `a module that exports ${names.join(", ") || "nothing"}`)
  }
  return module
}

function isBuffer(value: unknown): boolean {
  return /^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(value))
}
