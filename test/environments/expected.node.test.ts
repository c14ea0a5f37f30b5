// What judges the environments has to see a wrong answer.
import { beforeAll, describe, expect, test, vi } from "vitest"
import { faultsOf, small, vectors } from "./expected.ts"
import { type Numbers, type Report, report } from "./program/report.ts"

const node = /^Node\.js/
let right: Report

beforeAll(() => {
  vi.stubGlobal("VECTORS", vectors)
  vi.stubGlobal("SMALL", small)
  right = report()
})

test("a right answer has no faults", () => {
  expect(faultsOf(right, node)).toEqual([])
})

test("an answer of another engine is a fault", () => {
  expect(faultsOf(right, /Firefox/)[0]).toMatch(/^ran in Node\.js.* is not \/Firefox\/$/)
})

test("an error is a fault, as it is", () => {
  expect(faultsOf({ error: "TypeError: no" }, node)).toEqual(["TypeError: no"])
})

test.each(["moments", "y", "gradients", "dx"] as const)("a wrong digest of %s is a fault of its vector", (key) => {
  for (const { name } of vectors) {
    for (const place of [0, 1]) {
      const digests = right.digests[name]!.map((one, index) => (index === place ? { ...one, [key]: "0" } : one))
      const wrong = { ...right, digests: { ...right.digests, [name]: digests as [never, never] } }
      expect(faultsOf(wrong, node)).toEqual([expect.stringContaining(`${name}, ${place ? "resident" : "ordinary"}`)])
    }
  }
})

test("a vector that is missing is a fault", () => {
  const { [vectors[0]!.name]: _, ...digests } = right.digests
  expect(faultsOf({ ...right, digests }, node)).toEqual([`${vectors[0]!.name}: nothing was computed`])
})

describe.each(["mean", "variance", "y", "dx", "dgamma", "dbeta"] as const)("numbers of %s", (key) => {
  const faultsWith = (change: (values: number[]) => number[]) =>
    faultsOf({ ...right, numbers: { ...right.numbers, [key]: change([...right.numbers[key]]) } as Numbers }, node)

  test("that are wrong are a fault", () => {
    for (const index of right.numbers[key].keys()) {
      expect(faultsWith((values) => values.with(index, values[index]! + 1e-4))).toHaveLength(1)
    }
  })

  test("that are missing are faults", () => {
    expect(faultsWith(() => []).length).toBeGreaterThan(0)
  })
})
