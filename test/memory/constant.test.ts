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

test("so do 64 MB with a mask and a residual", () => {
  const shape = [2 ** 18, 64]
  const x = { data: new Float32Array(2 ** 24), shape }
  for (let i = 0; i < x.data.length; i++) x.data[i] = (i % 1021) - 510
  const y = { data: x.data.slice(), shape }
  const weights = { data: Uint8Array.from({ length: 2 ** 18 }, (_, row) => row % 3), shape: [2 ** 18, 1] }
  const operands = { weights, residual: x }
  const before = memoryBytes()
  const { saved } = forward(x, { ...operands, activation: "relu", out: { y } })
  const { dx } = backward(y, x, saved, { ...operands, need: ["dx", "dresidual"], out: { dx: y, dresidual: x } })
  expect(memoryBytes()).toBe(before)
  const sample = Array.from({ length: 64 }, (_, i) => dx.data[i * 1_009]!)
  expect(sample.every(Number.isFinite)).toBe(true)
  expect(saved.count.every((count) => count === 2 ** 18 - 1)).toBe(true)
})
