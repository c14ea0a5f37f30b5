import type { FloatArray } from "batchnorm"

/** Values that any engine makes alike, in [-0.7, 1.3). */
export function filled(length: number, dtype: "float32" | "float64" = "float32"): FloatArray {
  let state = 1
  const next = () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return state / 2 ** 30 - 0.7
  }
  return dtype === "float32" ? Float32Array.from({ length }, next) : Float64Array.from({ length }, next)
}

/** What a call computed, as bits. */
export function bitsOf(results: Record<string, FloatArray>): Record<string, string> {
  const digest = ({ buffer, byteOffset, byteLength }: FloatArray) => {
    const words = new Uint32Array(buffer, byteOffset, byteLength / 4)
    let [a, b] = [0, 0]
    for (const word of words) {
      a = (Math.imul(a, 31) + word) | 0
      b = (Math.imul(b ^ word, 0x01000193) + 1) | 0
    }
    return `${a} ${b}`
  }
  return Object.fromEntries(Object.entries(results).map(([name, array]) => [name, digest(array)]))
}
