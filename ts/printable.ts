import { decoder } from "./generated/decoder.ts"

/**
 * The bytes of a text that tools/printable.mjs wrote: each is a digit of 64, "?" to "~", behind the number of its page,
 * "1" to "3", or none for page 0. Pages begin at 0xfc: so the prefix of SIMD and the commonest opcodes need no number.
 * "/" is the digit that would be a backslash.
 *
 * WebAssembly decodes them (tools/decoder.wat): a loop of JavaScript that runs once is interpreted, at several times the
 * cost, and waits for its compilation where the machine is busy, as it is when a page loads.
 */
export function decodePrintable(text: string): Uint8Array<ArrayBuffer> {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(decoder)))
  const { scratch, decode } = exports as unknown as Decoder
  scratch.grow(text.length >> 16)
  const bytes = new Uint8Array(scratch.buffer)
  // Audio worklets have none.
  if (typeof TextEncoder === "function") new TextEncoder().encodeInto(text, bytes)
  else for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index)
  return bytes.subarray(0, decode(text.length))
}

interface Decoder {
  readonly scratch: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  readonly decode: (length: number) => number
}
