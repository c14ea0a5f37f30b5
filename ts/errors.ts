/** What kind of mistake an error reports; the same across copies of the package, where `instanceof` is not. */
export type ErrorCode = "shape" | "argument" | "state" | "disposed" | "out-of-memory" | "unsupported" | "thread"

/** The base of all errors of this package. Match on {@link BatchNormError.code}. */
export class BatchNormError extends Error {
  /** `"BatchNormError"`, in minified code too. */
  override readonly name: string = "BatchNormError"
  /** What kind of mistake it is. */
  readonly code: ErrorCode
  /** The argument that is wrong, as in `"x.shape[1]"`, where it is one argument's fault. */
  readonly argument: string | undefined

  constructor(code: ErrorCode, message: string, argument?: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.argument = argument
  }
}

/** Sizes that do not fit together. */
export class ShapeError extends BatchNormError {
  /** `"ShapeError"`, in minified code too. */
  override readonly name = "ShapeError"
  /** `"shape"`. */
  declare readonly code: "shape"
  constructor(argument: string, expected: string, actual: string) {
    super("shape", `${argument}: expected ${expected}, got ${actual}`, argument)
  }
}

/** A value that is not among those allowed. */
export class ArgumentError extends BatchNormError {
  /** `"ArgumentError"`, in minified code too. */
  override readonly name = "ArgumentError"
  /** `"argument"`. */
  declare readonly code: "argument"
  constructor(argument: string, expected: string, actual: string, options?: ErrorOptions) {
    super("argument", `${argument}: expected ${expected}, got ${actual}`, argument, options)
  }
}

/** A call that is right in itself, at the wrong time. */
export class StateError extends BatchNormError {
  /** `"StateError"`, in minified code too. */
  override readonly name = "StateError"
  /** `"state"`. */
  declare readonly code: "state"
  constructor(message: string, argument?: string) {
    super("state", message, argument)
  }
}

/** An array that was given back by `dispose`. */
export class DisposedError extends BatchNormError {
  /** `"DisposedError"`, in minified code too. */
  override readonly name = "DisposedError"
  /** `"disposed"`. */
  declare readonly code: "disposed"
  constructor(argument: string) {
    super("disposed", `${argument}: expected a live array, got one that was disposed`, argument)
  }
}

/** Memory that the engine would not give. Everything works on after it. */
export class OutOfMemoryError extends BatchNormError {
  /** `"OutOfMemoryError"`, in minified code too. */
  override readonly name = "OutOfMemoryError"
  /** `"out-of-memory"`. */
  declare readonly code: "out-of-memory"
  constructor(byteLength: number) {
    super("out-of-memory", `allocate: the engine has no ${byteLength} more bytes of WebAssembly memory to give`)
  }
}

/** An engine that lacks what the kernels need: WebAssembly with SIMD. */
export class UnsupportedError extends BatchNormError {
  /** `"UnsupportedError"`, in minified code too. */
  override readonly name = "UnsupportedError"
  /** `"unsupported"`. */
  declare readonly code: "unsupported"
  constructor(message: string, options?: ErrorOptions) {
    super("unsupported", message, undefined, options)
  }
}

/** A thread that did not answer, so that a call could not be finished; what it was to write is undefined. */
export class ThreadError extends BatchNormError {
  override readonly name = "ThreadError"
  declare readonly code: "thread"
  constructor(message: string) {
    super("thread", message)
  }
}
