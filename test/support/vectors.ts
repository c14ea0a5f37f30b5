// What test/vectors/README.md says of making the inputs and of judging the results.
import type { FloatArray } from "batchnorm"

/** Mulberry32, as multiples of 2⁻²³ in [-1, 1). */
export function uniform(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 8) / 8388608 - 1
  }
}

/** FNV-1a of 64 bits, in two halves; the prime is 2⁴⁰ + 0x1b3. */
export function digest(...arrays: readonly FloatArray[]): string {
  let [high, low] = [0xcbf29ce4, 0x84222325]
  for (const array of arrays) {
    const canonical = array.map((value) => (Number.isNaN(value) ? Number.NaN : value))
    for (const byte of new Uint8Array(canonical.buffer, canonical.byteOffset, canonical.byteLength)) {
      low = (low ^ byte) >>> 0
      const product = low * 0x1b3
      high = (Math.imul(high, 0x1b3) + Math.floor(product / 2 ** 32) + (low << 8)) >>> 0
      low = product >>> 0
    }
  }
  return [high, low].map((half) => half.toString(16).padStart(8, "0")).join("")
}
