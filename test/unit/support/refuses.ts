import {
  ArgumentError,
  allocate,
  BatchNormError,
  DisposedError,
  OutOfMemoryError,
  ShapeError,
  StateError,
  UnsupportedError,
} from "batchnorm"
import { expect } from "vitest"

const classes = {
  ShapeError: { class: ShapeError, code: "shape" },
  ArgumentError: { class: ArgumentError, code: "argument" },
  StateError: { class: StateError, code: "state" },
  DisposedError: { class: DisposedError, code: "disposed" },
  OutOfMemoryError: { class: OutOfMemoryError, code: "out-of-memory" },
  UnsupportedError: { class: UnsupportedError, code: "unsupported" },
} as const
type Kind = keyof typeof classes

/** An error that is due. */
export interface Refusal {
  readonly kind: Kind
  readonly argument: string | undefined
  readonly message: string
}

/** The message of an argument's error has both what was expected and what came. */
function refusal(kind: "ShapeError" | "ArgumentError", argument: string, expected: string, actual: string): Refusal {
  return { kind, argument, message: `${argument}: expected ${expected}, got ${actual}` }
}

export const shapeError = (argument: string, expected: string, actual: string): Refusal =>
  refusal("ShapeError", argument, expected, actual)

export const argumentError = (argument: string, expected: string, actual: string): Refusal =>
  refusal("ArgumentError", argument, expected, actual)

/** An option, or a key of `out`, that there is not; `known` are those that there are, as a list with commas. */
export const unknownOption = (argument: string, known: string): Refusal =>
  argumentError(argument, `${known.includes(",") ? "one of " : ""}${known}`, argument.split(".").at(-1)!)

export const stateError = (message: string, argument?: string): Refusal => ({ kind: "StateError", argument, message })

export const disposedError = (argument: string): Refusal => ({
  kind: "DisposedError",
  argument,
  message: `${argument}: expected a live array, got one that was disposed`,
})

export const goneError = (argument: string): Refusal =>
  stateError(
    `${argument}: its buffer was detached or shrunk, as allocate does to views taken before: fetch .data again`,
    argument,
  )

/** That an error is the one that is due, by class, code, argument and message. */
export function expectRefusal(error: unknown, due: Refusal, hint?: string): void {
  const { class: Class, code } = classes[due.kind]
  if (!(error instanceof BatchNormError)) throw new Error(`${hint}: not an error of the package: ${error}`)
  const { name, code: actualCode, argument, message } = error
  expect({ name, code: actualCode, argument, message }, hint).toEqual({
    name: due.kind,
    code,
    argument: due.argument,
    message: due.message,
  })
  expect(error, hint).toBeInstanceOf(Class)
  expect(error, hint).toBeInstanceOf(Error)
}

/** Whatever a call throws. */
export function thrown(call: () => unknown, hint?: string): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error(`${hint}: it was accepted`)
}

const witness = allocate([1])

/** That a call throws what is due, takes no memory, and leaves these arrays as they were. */
export function expectRefused(
  call: () => unknown,
  due: Refusal,
  watched: Readonly<Record<string, ArrayBufferView | readonly number[]>> = {},
  hint?: string,
): void {
  const memory = witness.data.buffer
  const size = memory.byteLength
  const before = Object.entries(watched).map(([name, array]) => ({ name, array, copy: bytesOf(array) }))
  expectRefusal(thrown(call, hint), due, hint)
  for (const { name, array, copy } of before) expect(bytesOf(array), `${hint}: ${name} was written`).toEqual(copy)
  expect(witness.data.buffer, `${hint}: the memory grew`).toBe(memory)
  expect(memory.byteLength, hint).toBe(size)
}

function bytesOf(array: ArrayBufferView | readonly number[]): Uint8Array {
  const view = ArrayBuffer.isView(array) ? array : Float64Array.from(array)
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice()
}
