// What the memory allows: SIMD loops of the same module, on arrays of the same size in its own memory.
import type { Operation } from "./peers/peer.ts"

/** The exports of the bench's build (crates/batchnorm-wasm/src/yardstick.rs) that are used here. */
interface Exports {
  readonly memory: WebAssembly.Memory
  bn_allocate(bytes: number): number
  bn_free(address: number, bytes: number): void
  yardstick_copy(x: number, y: number, length: number): void
  yardstick_sum(x: number, length: number): number
  yardstick_sum_of_two(x: number, y: number, length: number): number
  yardstick_triad(a: number, x: number, y: number, z: number, length: number): void
}

/** One loop over memory. */
export const loops = ["copy", "sum", "sum of two", "triad"] as const
export type Loop = (typeof loops)[number]

/** What an operation has to read and write at least, in loops: the first read for the sums, and what is done with them. */
export const leastOf: Readonly<Record<Operation, readonly Loop[]>> = {
  moments: ["sum"],
  forward: ["sum", "copy"],
  infer: ["copy"],
  backward: ["sum of two", "triad"],
}

/** Elements that the loops take at a time. */
const step = 32

/**
 * The loops, on f32 arrays of as many elements, to the next multiple of 32.
 *
 * @param wasm the module, .tools/yardstick/kernel.wasm
 */
export function yardstick(wasm: WebAssembly.Module, elements: number): Record<Loop, () => void> & Disposable {
  const exports = new WebAssembly.Instance(wasm).exports as unknown as Exports
  const length = Math.ceil(elements / step) * step
  const [x, y, z] = [0, 0, 0].map(() => {
    const address = exports.bn_allocate(length * 4)
    if (address === 0) throw new Error(`no memory for ${length} elements`)
    return address
  }) as [number, number, number]
  new Float32Array(exports.memory.buffer, x, length).fill(1)
  new Float32Array(exports.memory.buffer, y, length).fill(0.5)
  return {
    copy: () => exports.yardstick_copy(x, z, length),
    sum: () => void exports.yardstick_sum(x, length),
    "sum of two": () => void exports.yardstick_sum_of_two(x, y, length),
    triad: () => exports.yardstick_triad(0.5, x, y, z, length),
    [Symbol.dispose]() {
      for (const address of [x, y, z]) exports.bn_free(address, length * 4)
    },
  }
}
