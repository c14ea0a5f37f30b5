import {
  ArgumentError,
  BatchNormError,
  DisposedError,
  type ErrorCode,
  OutOfMemoryError,
  ShapeError,
  StateError,
  UnsupportedError,
} from "batchnorm"
import { ThreadError } from "batchnorm/threads"
import { exactly } from "./exactly.ts"

exactly<"shape" | "argument" | "state" | "disposed" | "out-of-memory" | "unsupported" | "thread">()(null! as ErrorCode)

export function advice(error: unknown): string {
  if (error instanceof ShapeError) exactly<"shape">()(error.code)
  if (error instanceof ArgumentError) exactly<"argument">()(error.code)
  if (error instanceof StateError) exactly<"state">()(error.code)
  if (error instanceof DisposedError) exactly<"disposed">()(error.code)
  if (error instanceof OutOfMemoryError) exactly<"out-of-memory">()(error.code)
  if (error instanceof UnsupportedError) exactly<"unsupported">()(error.code)
  if (error instanceof ThreadError) exactly<"thread">()(error.code)
  if (!(error instanceof BatchNormError)) return "another's"
  exactly<string | undefined>()(error.argument)
  exactly<string>()(error.message)
  switch (error.code) {
    case "shape":
    case "argument":
      return "the caller's"
    case "state":
    case "disposed":
    case "out-of-memory":
    case "unsupported":
    case "thread":
      return "the moment's"
    default:
      error.code satisfies never
      return ""
  }
}
