import { expect, test } from "vitest"
import {
  allocate,
  backward,
  forward,
  initSync,
  moments,
  OutOfMemoryError,
  type ResidentArray,
} from "../../ts/entry/index.ts"
import { kernelText } from "../../ts/generated/kernel-text.ts"
import { decodePrintable } from "../../ts/printable.ts"
import { withMemoryLimit } from "./memory-limit.ts"

// An engine that has 16 MiB to give, in place of all that WebAssembly can address.
const limit = 2 ** 24
const bytes = decodePrintable(kernelText)
initSync({ source: withMemoryLimit(bytes, limit / 2 ** 16) })

const bytesOf = (array: ResidentArray) => array.data.buffer.byteLength

/** Allocates until the engine refuses. */
function exhaust(length: number): { arrays: ResidentArray[]; error: unknown } {
  const arrays: ResidentArray[] = []
  for (;;) {
    try {
      arrays.push(allocate([length]))
    } catch (error) {
      return { arrays, error }
    }
  }
}

function expectAllToWork() {
  const x = { data: Float32Array.of(1, 2, 3, 6), shape: [4, 1] }
  expect(moments(x, 0).mean.data).toEqual(Float64Array.of(3))
  const { y, saved } = forward(x, { epsilon: 0.5 })
  expect([...y.data]).toEqual([-1, -0.5, 0, 1.5])
  expect([...backward(y, x, saved).dbeta]).toEqual([0])
}

test("what the engine refuses is an OutOfMemoryError, after which everything works on", () => {
  const { arrays, error } = exhaust(2 ** 18)
  expect(error).toBeInstanceOf(OutOfMemoryError)
  expect(error).toMatchObject({ code: "out-of-memory", message: expect.stringContaining(`${2 ** 20}`) })
  expect(arrays.length).toBeGreaterThan(8)
  expectAllToWork()
  for (const [i, array] of arrays.entries()) array.data.fill(i)
  for (const [i, array] of arrays.entries()) expect(array.data.every((value) => value === i)).toBe(true)

  // Smaller ones may still fit, until they do not.
  const rest = exhaust(1000)
  expect(rest.error).toBeInstanceOf(OutOfMemoryError)
  expectAllToWork()
  for (const array of [...arrays, ...rest.arrays]) array.dispose()
})

test("memory that was given back is there again, whole", () => {
  const first = exhaust(2 ** 18)
  const size = bytesOf(first.arrays[0]!)
  for (const array of first.arrays) array.dispose()
  const second = exhaust(2 ** 18)
  expect(second.arrays.length).toBe(first.arrays.length)
  expect(bytesOf(second.arrays[0]!)).toBe(size)
  for (const array of second.arrays.reverse()) array.dispose()
  // What was many pieces is one again.
  const whole = allocate([first.arrays.length * 2 ** 18])
  expect(bytesOf(whole)).toBe(size)
  whole.dispose()
  expectAllToWork()
})

test.each([2 ** 24, 2 ** 28, 2 ** 29 - 1, 2 ** 29, 2 ** 30 - 1, 2 ** 30, 2 ** 40, 2 ** 53 - 1])(
  "%i elements are refused at once, and nothing is lost",
  (length) => {
    const before = exhaust(2 ** 18)
    for (const array of before.arrays) array.dispose()
    expect(() => allocate([length])).toThrow(OutOfMemoryError)
    if (length < 2 ** 53 - 1) expect(() => allocate([length], "float64")).toThrow(OutOfMemoryError)
    const after = exhaust(2 ** 18)
    expect(after.arrays.length).toBe(before.arrays.length)
    for (const array of after.arrays) array.dispose()
    expectAllToWork()
  },
)
