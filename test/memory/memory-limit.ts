/**
 * A WebAssembly module whose memory may not grow beyond `pages` pages of 64 KiB, so that a test meets the refusal that
 * would otherwise come at 4 GiB.
 */
export function withMemoryLimit(module: Uint8Array<ArrayBuffer>, pages: number): Uint8Array<ArrayBuffer> {
  let at = 8
  for (; module[at] !== memorySection; at = sizeAt(module, at + 1).end + sizeAt(module, at + 1).value) {
    if (at >= module.length) throw new Error("the module has no memory section")
  }
  const { value: size, end: start } = sizeAt(module, at + 1)
  const limits = start + 1
  const { value: least, end } = sizeAt(module, limits + 1)
  if (module[start] !== 1 || module[limits]! > 1) throw new Error("the module has not one unshared 32-bit memory")
  const body = [1, hasLimit, ...sizeBytes(least), ...sizeBytes(pages)]
  if (end > start + size) throw new Error("the memory section is longer than it says")
  const section = [memorySection, ...sizeBytes(body.length), ...body]
  return Uint8Array.from([...module.subarray(0, at), ...section, ...module.subarray(start + size)])
}

const memorySection = 5
const hasLimit = 1

/** LEB128. */
function sizeAt(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!
    value += (byte & 127) * 2 ** shift
    if (byte < 128) return { value, end: at }
  }
}

function sizeBytes(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...sizeBytes(Math.floor(value / 128))]
}
