/** The bytes of a base64 text, by the engine's own decoder where it has one. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const { fromBase64 } = Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }
  return fromBase64 ? fromBase64.call(Uint8Array, text) : Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
}
