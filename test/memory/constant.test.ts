import { expect, test } from "vitest"
import { allocate, backward, forward } from "../../ts/entry/index.ts"
import type { FloatArray } from "../../ts/types.ts"
import { zeros } from "../support/numerics-arrays.ts"

const memoryBytes = () => {
  const probe = allocate([0])
  const { byteLength } = probe.data.buffer
  probe.dispose()
  return byteLength
}

test.each(["float32", "float64"] as const)("64 MB of %s go through memory that stays as small as it was", (dtype) => {
  const bytes = dtype === "float32" ? 4 : 8
  const shape = [2 ** 26 / bytes / 64, 64]
  const { data } = zeros(shape, dtype)
  for (let i = 0; i < data.length; i++) data[i] = (i % 1021) - 510
  const before = memoryBytes()
  expect(before).toBeLessThan(2 ** 23)
  const x = { data, shape }
  const { y, saved } = forward<FloatArray>(x, { out: { y: { data: data.slice(), shape } } })
  const { dx } = backward<FloatArray>(y, x, saved, { out: { dx: y } })
  expect(memoryBytes()).toBe(before)
  const sample = Array.from({ length: 64 }, (_, i) => dx.data[i * 1_009]!)
  expect(sample.every(Number.isFinite)).toBe(true)
  expect(saved.mean.every((mean) => Math.abs(mean) < 1)).toBe(true)
})
