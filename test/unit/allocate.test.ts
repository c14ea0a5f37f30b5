import { allocate, forward, infer, moments } from "batchnorm"
import { describe, expect, test } from "vitest"
import { keep, numbers, sharedBuffer, types } from "./support/arrays.ts"

const names = ["float32", "float64"] as const

describe.each(names)("an allocated %s array", (type) => {
  const make = (shape: readonly number[]) => keep(allocate(shape, type as "float64"))

  test("is of its type and shape, and zero", () => {
    for (const shape of [[2, 3], [], [0], [5, 0, 2], [1000]]) {
      const array = make(shape)
      expect(array.shape).toEqual(shape)
      expect(array.data).toBeInstanceOf(types[type])
      expect(array.data).toHaveLength(shape.reduce((size, axis) => size * axis, 1))
      expect(array.data.every((value) => Object.is(value, 0))).toBe(true)
    }
  })

  test("keeps a shape of its own, which cannot be changed", () => {
    const shape = [2, 3]
    const array = make(shape)
    shape[0] = 9
    expect(array.shape).toEqual([2, 3])
    expect(Object.isFrozen(array.shape)).toBe(true)
  })

  test("is zero again on memory that was used before", () => {
    const first = allocate([64], type as "float64")
    first.data.fill(7)
    const address = first.data.byteOffset
    first.dispose()
    const second = make([64])
    expect(second.data.byteOffset).toBe(address)
    expect(second.data.every((value) => value === 0)).toBe(true)
  })

  test("keeps its numbers when the memory grows, though views taken before are detached", () => {
    const array = make([3])
    array.data.set([1, 2, 3])
    const view = array.data
    expect(array.data).toBe(view)
    keep(allocate([view.buffer.byteLength / 4]))
    expect(view).toHaveLength(0)
    expect([...array.data]).toEqual([1, 2, 3])
    expect(array.data).not.toBe(view)
    expect(moments(array).mean.data[0]).toBe(2)
  })

  test("shares its memory with no other", () => {
    const arrays = Array.from({ length: 20 }, (_, index) => make([index]))
    for (const [index, array] of arrays.entries()) array.data.fill(index)
    arrays[7]!.dispose()
    arrays[12]!.dispose()
    make([7]).data.fill(-1)
    make([3]).data.fill(-2)
    for (const [index, array] of arrays.entries()) {
      if (index !== 7 && index !== 12) expect(array.data.every((value) => value === index)).toBe(true)
    }
  })
})

test("without a type it is float32", () => {
  expect(keep(allocate([2])).data).toBeInstanceOf(Float32Array)
  expect(keep(allocate([2], undefined)).data).toBeInstanceOf(Float32Array)
})

describe("dispose", () => {
  test("may be called twice, and frees once", () => {
    const array = allocate([4])
    array.dispose()
    array.dispose()
    const [a, b] = [keep(allocate([4])), keep(allocate([4]))]
    a.data.fill(1)
    b.data.fill(2)
    expect([...a.data]).toEqual([1, 1, 1, 1])
  })

  test("is what `using` calls at the end of a block, thrown or not", () => {
    let kept = keep(allocate([1]))
    {
      using array = allocate([2])
      kept = array
      expect(array.data).toHaveLength(2)
    }
    expect(() => kept.data).toThrow(/disposed/)
    expect(() => {
      using array = allocate([2])
      kept = array
      throw new Error("on the way")
    }).toThrow("on the way")
    expect(() => kept.data).toThrow(/disposed/)
  })

  test("is Symbol.dispose", () => {
    const array = allocate([2])
    expect(array[Symbol.dispose]).toBe(array.dispose)
    array[Symbol.dispose]()
    expect(() => array.data).toThrow(/disposed/)
    expect(Object.keys(array)).toEqual(["shape"])
  })

  test("gives the memory back: a hundred thousand arrays fit where one does", () => {
    const { buffer } = keep(allocate([1])).data
    for (let count = 0; count < 100_000; count++) {
      using array = allocate([64, 64])
      array.shape.length satisfies number
    }
    expect(keep(allocate([1])).data.buffer).toBe(buffer)
  })
})

test("a call into arrays of the library's memory copies nothing into others", () => {
  const x = keep(allocate([4, 3]))
  const y = keep(allocate([4, 3]))
  x.data.set(numbers(12))
  const before = y.data.byteOffset
  const result = forward(x, { out: { y } })
  expect(result.y).toBe(y)
  expect(y.data.byteOffset).toBe(before)
  expect([...y.data]).toEqual([...forward({ data: Float32Array.from(numbers(12)), shape: [4, 3] }).y.data])
})

describe("views of shared memory", () => {
  const buffers = () => {
    const shared: { SharedArrayBuffer?: typeof SharedArrayBuffer } = globalThis
    return [sharedBuffer(), ...(shared.SharedArrayBuffer ? [new shared.SharedArrayBuffer(1024)] : [])]
  }

  test("are read and written like others, and results are not shared", () => {
    const options = { mean: [1, 2, 3], variance: [4, 1, 0.25], epsilon: 0 }
    const due = infer({ data: Float32Array.from(numbers(12)), shape: [4, 3] }, options)
    for (const buffer of buffers()) {
      expect(Object.prototype.toString.call(buffer)).toBe("[object SharedArrayBuffer]")
      const data = new Float32Array(buffer as unknown as ArrayBuffer, 8, 12)
      data.set(numbers(12))
      const x = { data, shape: [4, 3] }
      const fresh = infer(x, options)
      expect(fresh).toEqual(due)
      expect(fresh.data.buffer).toBeInstanceOf(ArrayBuffer)
      infer(x, { ...options, out: x })
      expect([...data]).toEqual([...due.data])
      expect(new Float32Array(buffer as unknown as ArrayBuffer, 0, 2)).toEqual(new Float32Array(2))
    }
  })
})
