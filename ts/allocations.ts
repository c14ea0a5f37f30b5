// The user's live allocations. Only who allocates needs them: what does not, leaves this file out.
import { setLive } from "./memory.ts"

/** By address. */
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

function isInside({ byteOffset, byteLength }: ArrayBufferView): boolean {
  const index = above(byteOffset) - 1
  return index >= 0 && byteOffset + byteLength <= (addresses[index] as number) + (lengths[index] as number)
}

/** Enters an allocation. */
export function enter(address: number, byteLength: number): void {
  setLive(isInside)
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
