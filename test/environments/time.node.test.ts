import { expect, test } from "vitest"
import { judgeTime } from "./time.ts"

test("a run may take 25 minutes, and says how long it took", () => {
  expect(judgeTime(0.2)).toEqual({ line: "✓ in 0 min 1 s, at most 25 min", failed: 0 })
  expect(judgeTime(754.5)).toEqual({ line: "✓ in 12 min 35 s, at most 25 min", failed: 0 })
  expect(judgeTime(1500)).toEqual({ line: "✓ in 25 min 0 s, at most 25 min", failed: 0 })
})

test("a run that takes longer has failed, and says why", () => {
  expect(judgeTime(1500.1)).toEqual({ line: "✗ in 25 min 1 s: a run may take 25 min at most", failed: 1 })
  expect(judgeTime(6000)).toEqual({ line: "✗ in 100 min 0 s: a run may take 25 min at most", failed: 1 })
})
