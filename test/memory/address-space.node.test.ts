import { freemem } from "node:os"
import { expect, test } from "vitest"
import { allocate, moments, OutOfMemoryError, type ResidentArray } from "../../ts/entry/index.ts"

// All that WebAssembly can address, for real: it takes 4 GiB, for a moment.
test.skipIf(freemem() < 7 * 2 ** 30)(
  "4 GiB can be allocated, no more, and all of it again",
  { timeout: 60_000 },
  () => {
    const exhaust = () => {
      const arrays: ResidentArray[] = []
      expect(() => {
        for (;;) arrays.push(allocate([2 ** 26]))
      }).toThrow(OutOfMemoryError)
      return arrays
    }
    const arrays = exhaust()
    expect(arrays.length).toBe(15) // of 256 MiB each; the last is ours
    const [first] = arrays
    const last = arrays.reduce((a, b) => (a.data.byteOffset > b.data.byteOffset ? a : b))
    expect(last.data.byteOffset).toBeGreaterThan(2 ** 31)
    last.data.fill(3)
    // Addresses above 2 GiB are not negative.
    expect(moments(last).mean.data[0]).toBe(3)
    expect(first!.data[0]).toBe(0)
    for (const array of arrays) array.dispose()
    const again = allocate([2 ** 28])
    expect(again.data.buffer.byteLength).toBeLessThanOrEqual(2 ** 32)
    again.dispose()
  },
)
