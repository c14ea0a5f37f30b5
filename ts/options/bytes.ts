import { ArgumentError } from "../errors.ts"
import { checkAttached, tagOf } from "./arrays.ts"
import { describe } from "./describe.ts"

/** Bytes that begin with a 32-bit word, of a length: at least that, or exactly. */
export function checkBytes(bytes: Uint8Array, length: number, magic: number, isWhole = false): DataView {
  const expected = "what Moments.toBytes wrote"
  if (tagOf(bytes) !== "Uint8Array") throw new ArgumentError("bytes", `a Uint8Array, ${expected}`, describe(bytes))
  checkAttached(bytes, "bytes")
  const fits = isWhole ? bytes.length === length : bytes.length >= length
  if (!fits)
    throw new ArgumentError("bytes", `${expected}: ${length} bytes${isWhole ? "" : " or more"}`, `${bytes.length}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.getInt32(0, true) !== magic) {
    const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ")
    throw new ArgumentError("bytes", `${expected}, which begins with 42 4e 4d 4f`, start)
  }
  return view
}
