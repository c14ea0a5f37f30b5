import fc from "fast-check"
import { expect, test } from "vitest"
import { allocate, type ResidentArray } from "../../ts/entry/index.ts"

const step = fc.record({
  length: fc.integer({ min: 1, max: 60_000 }),
  release: fc.double({ min: 0, max: 1, noNaN: true }),
})

test("whatever the order, no array is written by another's use, and in the end all is one block again", () => {
  const property = fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
    const held: { array: ResidentArray; mark: number }[] = []
    const release = (index: number) => {
      const [{ array, mark }] = held.splice(index, 1) as [{ array: ResidentArray; mark: number }]
      expect(array.data.every((value) => value === mark)).toBe(true)
      array.dispose()
    }
    for (const [mark, { length, release: where }] of steps.entries()) {
      const array = allocate([length])
      expect(array.data.every((value) => value === 0)).toBe(true)
      array.data.fill(mark + 1)
      held.push({ array, mark: mark + 1 })
      if (where < 0.5) release(Math.floor(where * 2 * held.length))
    }
    while (held.length > 0) release(held.length >> 1)
  })
  fc.assert(property, { numRuns: 40 })

  const all = allocate([2_000_000])
  const bytes = all.data.buffer.byteLength
  all.dispose()
  const halves = [allocate([1_000_000]), allocate([1_000_000])]
  for (const half of halves) half.dispose()
  const again = allocate([2_000_000])
  expect(again.data.buffer.byteLength).toBe(bytes)
  again.dispose()
})
