// What the memory allows: SIMD loops of the same module, on arrays of the same size in its own memory.
import type { Operation } from "./peers/peer.ts"

/** The exports of the bench's build (crates/batchnorm-wasm/src/yardstick.rs) that are used here. */
interface Exports {
  readonly memory: WebAssembly.Memory
  bn_allocate(bytes: number): number
  yardstick_copy(x: number, y: number, length: number): void
  yardstick_sum(x: number, length: number): number
  yardstick_sum_of_two(x: number, y: number, length: number): number
  yardstick_triad(a: number, x: number, y: number, z: number, length: number): void
}

/**
 * One loop over memory, and how many arrays it reads and writes. All four go over the four arrays of a step, which may be
 * more than a cache holds where those of one loop are not.
 */
const loops = { copy: 2, sum: 1, "sum of two": 2, triad: 3, "all four": 8 } as const
export type Loop = keyof typeof loops
export const loopNames = Object.keys(loops) as readonly Loop[]

/** What an operation has to read and write at least, in loops: once for the sums, once for what is done with them. */
export const leastOf: Readonly<Record<Operation, readonly Loop[]>> = {
  moments: ["sum"],
  forward: ["sum", "copy"],
  infer: ["copy"],
  backward: ["sum of two", "triad"],
  step: ["all four"],
}

/** Arrays that an operation reads and writes at least. */
export function arraysOf(operation: Operation): number {
  return leastOf[operation].reduce((sum, loop) => sum + loops[loop], 0)
}

/** Elements that the loops take at a time. */
const step = 32

/**
 * The loops, on f32 arrays of as many elements, to the next multiple of 32. Its memory goes with it.
 *
 * @param wasm the module of .tools/yardstick
 */
export function yardstick(wasm: WebAssembly.Module, elements: number): Record<Loop, () => void> {
  const exports = new WebAssembly.Instance(wasm).exports as unknown as Exports
  const length = Math.ceil(elements / step) * step
  const [x, dy, y, dx] = [0, 0, 0, 0].map(() => {
    const address = exports.bn_allocate(length * 4)
    if (address === 0) throw new Error(`no memory for ${length} elements`)
    return address
  }) as [number, number, number, number]
  new Float32Array(exports.memory.buffer, x, length).fill(1)
  new Float32Array(exports.memory.buffer, dy, length).fill(0.5)
  const copy = () => exports.yardstick_copy(x, y, length)
  const sum = () => void exports.yardstick_sum(x, length)
  const sumOfTwo = () => void exports.yardstick_sum_of_two(x, dy, length)
  const triad = () => exports.yardstick_triad(0.5, x, dy, dx, length)
  const allFour = () => {
    sum()
    copy()
    sumOfTwo()
    triad()
  }
  return { copy, sum, "sum of two": sumOfTwo, triad, "all four": allFour }
}
