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

/** Bytes of elements copied into and out of the staging buffers since the start. */
export const traffic = { in: 0, out: 0 }

/** Copies a run of elements of an array to a byte address. */
export function copyIn(from: FloatArray, start: number, length: number, address: number): void {
  const bytes = from.BYTES_PER_ELEMENT
  const to = bytes === 4 ? float32 : float64
  const at = address / bytes
  if (length < shortRun) for (let i = 0; i < length; i++) to[at + i] = from[start + i] as number
  else if (isOurs(from)) copyWithin(to, from.byteOffset / bytes + start, at, length)
  else to.set(length === from.length ? from : from.subarray(start, start + length), at)
  traffic.in += length * bytes
}

/** Copies a run of elements from a byte address to an array. */
export function copyOut(address: number, to: FloatArray, start: number, length: number): void {
  const bytes = to.BYTES_PER_ELEMENT
  const from = bytes === 4 ? float32 : float64
  const at = address / bytes
  if (length < shortRun) for (let i = 0; i < length; i++) to[start + i] = from[at + i] as number
  else if (isOurs(to)) copyWithin(from, at, to.byteOffset / bytes + start, length)
  else to.set(from.subarray(at, at + length), start)
  traffic.out += length * bytes
}

/** From one place of our memory to another, which takes no view. */
function copyWithin(elements: FloatArray, from: number, to: number, length: number): void {
  elements.copyWithin(to, from, from + length)
}

// Below this a loop beats the cost of a subarray.
const shortRun = 24

/** Whether a view is of the library's memory. */
export function isOurs(view: ArrayBufferView): boolean {
  return view.buffer === buffer
}

/** The user's live allocations, by address. */
const addresses: number[] = []
const lengths: number[] = []

/** The index of the first allocation whose address is above this one. */
function above(address: number): number {
  let low = 0
  let high = addresses.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((addresses[middle] as number) <= address) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether a view of our memory lies inside one live allocation. */
export function isLive({ byteOffset, byteLength }: ArrayBufferView): boolean {
  const index = above(byteOffset) - 1
  return index >= 0 && byteOffset + byteLength <= (addresses[index] as number) + (lengths[index] as number)
}

/** Enters an allocation. */
export function enter(address: number, byteLength: number): void {
  const index = above(address)
  addresses.splice(index, 0, address)
  lengths.splice(index, 0, byteLength)
}

/** Takes an allocation out again. */
export function leave(address: number): void {
  const index = above(address) - 1
  addresses.splice(index, 1)
  lengths.splice(index, 1)
}
