import type { FloatArray } from "./types.ts"
import { kernel, start } from "./wasm.ts"

/** Views of all of the linear memory, made anew after it grew: not to be kept across what may allocate. */
export let float32: Float32Array
export let float64: Float64Array
export let uint32: Uint32Array
let buffer: ArrayBufferLike | undefined

/** Where in it the kernels look: byte addresses. */
export let callAt = 0
export let channelsAt = 0
export let viewAt = 0
export let stagingAt = 0
/** Bytes of each of the staging buffers. */
export let stagingBytes = 0
/** Most channels of a piece. */
export let tileChannels = 0

/** Makes the views, at the first use and after whatever may have grown the memory; starts the kernels if nothing has yet. */
export function attach(): void {
  start()
  if (buffer === kernel.memory.buffer) return
  buffer = kernel.memory.buffer
  float32 = new Float32Array(buffer)
  float64 = new Float64Array(buffer)
  uint32 = new Uint32Array(buffer)
  callAt = kernel.bn_call_ptr()
  channelsAt = kernel.bn_channels_ptr()
  viewAt = kernel.bn_view_ptr()
  stagingAt = kernel.bn_staging_ptr()
  stagingBytes = kernel.bn_staging_len()
  tileChannels = kernel.bn_tile_len()
}

/** Words of a shared memory, which several threads see. */
export function wordsAt(memory: WebAssembly.Memory, address: number, length: number): Int32Array {
  return new Int32Array(memory.buffer, address, length)
}

/** Copies bytes within a shared memory. */
export function copyBytes(memory: WebAssembly.Memory, to: number, from: number, length: number): void {
  new Uint8Array(memory.buffer).copyWithin(to, from, from + length)
}

/** Bytes of elements copied into and out of the staging buffers since the start. */
export const traffic = { in: 0, out: 0 }

/** Copies a run of elements of an array to a byte address; `isOut`: from there. */
export function copy(array: FloatArray, start: number, length: number, address: number, isOut: boolean): void {
  const bytes = array.BYTES_PER_ELEMENT
  const memory: FloatArray = bytes === 4 ? float32 : float64
  const at = address / bytes
  if (length < shortRun) {
    if (isOut) for (let i = 0; i < length; i++) array[start + i] = memory[at + i] as number
    else for (let i = 0; i < length; i++) memory[at + i] = array[start + i] as number
  } else if (isOurs(array)) {
    // From one place of our memory to another, which takes no view.
    const own = array.byteOffset / bytes + start
    const from = isOut ? at : own
    memory.copyWithin(isOut ? own : at, from, from + length)
  } else if (isOut) {
    array.set(memory.subarray(at, at + length), start)
  } else {
    memory.set(length === array.length ? array : array.subarray(start, start + length), at)
  }
  traffic[isOut ? "out" : "in"] += length * bytes
}

/** Runs shorter than this a loop copies sooner than a call of the engine, or the view that it needs. */
export const shortRun = 24

/** Whether a view is of the library's memory. */
export function isOurs(view: ArrayBufferView): boolean {
  return view.buffer === buffer
}

/** Whether a view of our memory lies inside one live allocation: none does until there are any (allocations.ts). */
export let isLive: (view: ArrayBufferView) => boolean = () => false

/** Has what is live judged by those who know. */
export function setLive(judge: typeof isLive): void {
  isLive = judge
}
