import { expect, test } from "vitest"
import { worst } from "./support/within.ts"

const u = 2 ** -24

test("a difference counts relative to its scale and to what may be rounded", () => {
  expect(worst([1, 2], [1 + 3 * u, 2], [1, 1], 2)).toBe(1.5)
  expect(worst([1, -2], [1, -2 - 8 * u], [1, 4], 2)).toBe(1)
})

test("equal numbers are within anything, zeros of either sign too", () => {
  expect(worst([0, -0, 3], [-0, 0, 3], [0, 0, 0], 1)).toBe(0)
})

test("a sign that differs is no rounding", () => {
  expect(worst([-1], [1], [1], 100)).toBeGreaterThan(1000)
})

test.each([
  { what: "a NaN", got: [1, Number.NaN], due: [1, 1], scale: [1, 1] },
  { what: "a NaN of the oracle", got: [1, 1], due: [Number.NaN, 1], scale: [1, 1] },
  { what: "an infinity", got: [Number.POSITIVE_INFINITY, 1], due: [1, 1], scale: [1, 1] },
  { what: "a scale that is no number", got: [2, 1], due: [1, 1], scale: [Number.NaN, 1] },
  { what: "any difference where the scale is 0", got: [1e-30], due: [0], scale: [0] },
  { what: "a missing number", got: [1], due: [1, 1], scale: [1, 1] },
])("$what is beyond all bounds", ({ got, due, scale }) => {
  expect(worst(got, due, scale, 10)).toBe(Number.POSITIVE_INFINITY)
})
