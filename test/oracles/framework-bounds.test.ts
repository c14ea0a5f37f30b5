import { describe, expect, test } from "vitest"
import { ChannelBounds, Verdict } from "../support/framework-bounds.ts"

describe("the verdict", () => {
  const judged = (got: readonly number[], due: readonly number[]) => () => {
    const verdict = new Verdict()
    verdict.near("y", got, due, (index) => [0.5, 0][index]!)
    verdict.close()
  }

  test("passes what is within its bound", () => {
    expect(judged([1.5, 2], [1, 2])).not.toThrow()
    expect(judged([], [])).not.toThrow()
  })

  test("names what is out of its bound, what it is and what was due", () => {
    expect(judged([1.75, 2], [1, 2])).toThrow("y[0]: 1.75 for 1, error / bound 1.5")
    expect(judged([1, 2 + 2 ** -51], [1, 2])).toThrow("y[1]: 2.0000000000000004 for 2, error / bound Infinity")
    expect(judged([Number.NaN, 2], [1, 2])).toThrow("y[0]: NaN for 1")
  })

  test("passes no result that is too short or too long", () => {
    expect(judged([1], [1, 2])).toThrow("y: expected 1 to be 2")
    expect(judged([1, 2], [])).toThrow("y: expected 2 to be +0")
  })
})

test("the bounds of a channel are those of the table of docs/numerics.md, and what the errors of the statistics add", () => {
  const accuracy = { u: 2 ** -10, batchLoss: 0, givenLoss: 0 }
  const numbers = { mean: 1, variance: 3, gamma: -2, beta: 1, epsilon: 1 }
  const given = new ChannelBounds(accuracy, numbers, "given")
  // x̂ = 3: 8u·|γ|·|x̂|, in a batch twice that.
  expect(given.y(7)).toBe((8 * 6) / 1024)
  expect(new ChannelBounds(accuracy, numbers, "batch").y(7)).toBe((16 * 6) / 1024)
  expect(given.y(7, -4)).toBe((8 * 10) / 1024)
  // γ·r = -1, x̂ = 3 and 0, Σ|dy| = 3, Σ|dy·x̂| = 6
  const gradients = given.gradients([7, 1], [2, -1])
  expect(gradients.dbeta).toBe((8 * 3) / 1024)
  expect(gradients.dgamma).toBe((16 * 6) / 1024)
  expect([gradients.dx(0), gradients.dx(1)]).toEqual([(24 * (2 + 1.5 + 9)) / 1024, (24 * (1 + 1.5)) / 1024])
  // An error of the variance of 8/1024 is half of that times r² of r, which is ½; one of the mean is r times that of x̂.
  const running = new ChannelBounds(accuracy, numbers, { mean: 2 / 1024, variance: 8 / 1024 })
  expect(running.y(7)).toBe((8 * 6 + 2 * (1 + 3)) / 1024)
  expect(running.gradients([7, 1], [2, -1]).dgamma).toBe((16 * 6 + 2 * (1 + 3) + 1) / 1024)
})
