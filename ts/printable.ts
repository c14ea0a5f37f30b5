/**
 * The bytes of a text that tools/printable.mjs wrote: each is a digit of 64, "?" to "~", behind the number of its page,
 * "1" to "3", or none for page 0. Pages begin at 0xfc: so the prefix of SIMD and the commonest opcodes need no number.
 * "/" is the digit that would be a backslash.
 */
export function decodePrintable(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length)
  let length = 0
  let page = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code > 48 && code < 52) page = code - 48
    else {
      bytes[length++] = 0xfc + 64 * page + (code === 47 ? 92 : code) - 63
      page = 0
    }
  }
  return bytes.subarray(0, length)
}
