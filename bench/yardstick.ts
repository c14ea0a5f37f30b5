// What the memory allows: SIMD loops of the same module, on arrays of the same size in its own memory.
import type { Operation } from "./peers/peer.ts"

/** The exports of the bench's builds (crates/batchnorm-wasm/src/yardstick.rs) that are used here. */
export interface Exports {
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

/** The arrays of a step, f32: where they lie, and how many elements each has, a multiple of 32. */
export interface Arrays {
  readonly x: number
  readonly dy: number
  readonly y: number
  readonly dx: number
  readonly length: number
}

/** Arrays of as many elements, to the next multiple of 32. */
export function arraysIn({ bn_allocate }: Exports, memory: WebAssembly.Memory, elements: number): Arrays {
  const length = Math.ceil(elements / step) * step
  const [x, dy, y, dx] = [0, 0, 0, 0].map(() => {
    const address = bn_allocate(length * 4) >>> 0
    if (address === 0) throw new Error(`no memory for ${length} elements`)
    return address
  }) as [number, number, number, number]
  new Float32Array(memory.buffer, x, length).fill(1)
  new Float32Array(memory.buffer, dy, length).fill(0.5)
  return { x, dy, y, dx, length }
}

/** One of so many equal parts of them. */
export function partOf({ x, dy, y, dx, length }: Arrays, index: number, count: number): Arrays {
  const [from, to] = [index, index + 1].map((part) => Math.floor((length / step / count) * part) * step) as [
    number,
    number,
  ]
  return { x: x + 4 * from, dy: dy + 4 * from, y: y + 4 * from, dx: dx + 4 * from, length: to - from }
}

/** The loops over some arrays. */
export function loopsOver(exports: Exports, { x, dy, y, dx, length }: Arrays): Record<Loop, () => void> {
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

/**
 * The loops, on arrays of as many elements. Its memory goes with it.
 *
 * @param wasm the module .tools/yardstick/kernel.wasm
 */
export function yardstick(wasm: WebAssembly.Module, elements: number): Record<Loop, () => void> {
  const exports = new WebAssembly.Instance(wasm).exports as unknown as Exports
  return loopsOver(exports, arraysIn(exports, exports.memory, elements))
}
