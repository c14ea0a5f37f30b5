/**
 * Bytes as ASCII in which no quote, markup or minifier finds anything to escape; ts/printable.ts says how. A byte begins
 * with a character of its own, so what repeats in the bytes repeats in the text, and brotli finds it: base64 hides it.
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function encodePrintable(bytes) {
  const characters = Array.from(bytes, (byte) => {
    const place = (byte - 0xfc) & 0xff
    return `${place >> 6 || ""}${String.fromCharCode(63 + (place & 63))}`
  })
  return characters.join("").replaceAll("\\", "/")
}
