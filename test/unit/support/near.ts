import type { NdArray } from "batchnorm"
import { expect } from "vitest"

/** What rounding to an element type may cost numbers of ordinary size. */
export const tolerance = { float32: 2e-5, float64: 1e-12 } as const

/** That numbers are those that are due, but for this much of the larger of their size and 1. */
export function expectNear(got: ArrayLike<number>, due: ArrayLike<number>, within: number, hint: string): void {
  expect(got.length, hint).toBe(due.length)
  const far: string[] = []
  for (let at = 0; at < due.length && far.length < 3; at++) {
    const [value, expected] = [got[at]!, due[at]!]
    const isNear =
      Math.abs(value - expected) <= within * Math.max(1, Math.abs(expected)) || Object.is(value + 0, expected + 0)
    if (!isNear) far.push(`element ${at}: ${value} for ${expected}`)
  }
  expect(far, hint).toEqual([])
}

/** The bytes of the elements. */
export const bits = ({ data }: NdArray): number[] => [...new Uint8Array(data.slice().buffer)]
