import { describe, expect, test } from "vitest"
import {
  add,
  Channel,
  divide,
  exact,
  Gradients,
  moments,
  multiply,
  placesOf,
  ratio,
  sameBits,
  squareRoot,
  subtract,
  toNumber,
} from "../reference.ts"

describe("the comparator", () => {
  const one = exact(1)
  const nothing = exact(0)

  test("measures the error in units of the bound", () => {
    expect(ratio(1.5, one, 0.5)).toBe(1)
    expect(ratio(0.5, one, 0.25)).toBe(2)
    expect(ratio(-1, one, 1)).toBe(2)
  })

  test("sees an error of the last place, and smaller ones than a number can hold", () => {
    expect(ratio(1 + 2 ** -52, one, 2 ** -52)).toBe(1)
    const third = divide(one, exact(3))
    expect(ratio(1 / 3, third, 2 ** -54)).toBeCloseTo(1 / 3, 12)
  })

  test("finds no error in what is right, though the bound be zero", () => {
    expect(ratio(1, one, 0)).toBe(0)
    expect(ratio(0, nothing, 0)).toBe(0)
  })

  test("lets no error pass where the bound is zero", () => {
    expect(ratio(Number.MIN_VALUE, nothing, 0)).toBe(Number.POSITIVE_INFINITY)
    expect(ratio(-1, one, 0)).toBe(Number.POSITIVE_INFINITY)
  })

  test("does not let every comparison with zero pass", () => {
    expect(ratio(1e-300, nothing, 1e-301)).toBeCloseTo(10)
    expect(ratio(0, exact(1e-300), 1e-301)).toBeCloseTo(10)
    expect(ratio(Number.MIN_VALUE, nothing, Number.MIN_VALUE)).toBe(1)
  })

  test("takes a zero of either sign for zero", () => {
    expect(ratio(-0, nothing, 0)).toBe(0)
    expect(sameBits(-0, 0)).toBe(false)
    expect(sameBits(-0, -0)).toBe(true)
  })

  test("lets no NaN and no infinity pass", () => {
    for (const got of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(ratio(got, one, 1)).toBe(Number.POSITIVE_INFINITY)
      expect(ratio(got, nothing, Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY)
    }
    expect(ratio(1, nothing, Number.NaN)).toBe(Number.POSITIVE_INFINITY)
    expect(sameBits(Number.NaN, Number.NaN)).toBe(true)
    expect(sameBits(Number.NaN, 1)).toBe(false)
  })
})

describe("the oracle", () => {
  test("holds every finite number", () => {
    const numbers = [0, 1, -1, 0.1, -1 / 3, Number.MIN_VALUE, -(2 ** -1022), 2 ** -1022 - 2 ** -1074, Number.MAX_VALUE]
    for (const number of numbers) expect(toNumber(exact(number))).toBe(number)
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) expect(() => exact(value)).toThrow(RangeError)
  })

  test("loses nothing in sums, differences and products", () => {
    const sum = subtract(add(exact(1e300), exact(1e-300)), exact(1e300))
    expect(toNumber(sum)).toBe(1e-300)
    const error = subtract(multiply(exact(0.1), exact(10)), exact(1))
    expect(toNumber(error)).toBe(2 ** -54)
    expect(toNumber(multiply(exact(1e-200), multiply(exact(1e-200), exact(1e250))))).toBeCloseTo(1e-150, 160)
  })

  test("divides and takes roots to three hundred bits", () => {
    for (const number of [2, 3, 0.1, 1e-310, Number.MIN_VALUE, 1e300, 12345.678]) {
      const root = squareRoot(exact(number))
      expect(Math.abs(toNumber(divide(subtract(multiply(root, root), exact(number)), exact(number))))).toBeLessThan(
        2 ** -280,
      )
      const inverse = divide(exact(1), exact(number))
      expect(Math.abs(toNumber(subtract(multiply(inverse, exact(number)), exact(1))))).toBeLessThan(2 ** -280)
    }
    expect(toNumber(squareRoot(exact(49)))).toBe(7)
  })

  test("finds the moments of a million and one sixteenth among millions", () => {
    const x = Array.from({ length: 1000 }, () => 1e6)
    x[500] = 1e6 + 1 / 16
    const { mean, variance } = moments(x)
    expect(ratio(1e6 + 1 / 16000, mean, 2 ** -33)).toBeLessThan(1)
    expect(toNumber(subtract(mean, exact(1e6)))).toBeCloseTo(1 / 16000, 18)
    expect(toNumber(variance)).toBeCloseTo(999 / 1e6 / 256, 18)
  })

  test("normalizes as on paper", () => {
    const { mean, variance } = moments([1, 2, 3, 6])
    expect([toNumber(mean), toNumber(variance)]).toEqual([3, 3.5])
    const channel = new Channel(mean, variance, 2, 10, 0.5)
    expect([1, 2, 3, 6].map((x) => toNumber(channel.forward(x)))).toEqual([8, 9, 10, 13])
    const gradients = new Gradients(channel, [1, 2, 3, 6], [1, 0, -1, 4])
    expect(toNumber(gradients.dbeta)).toBe(4)
    expect(toNumber(gradients.dgamma)).toBe(5)
    expect([gradients.dbetaTerms, gradients.dgammaTerms]).toEqual([6, 7])
    // γ·r·(dy - dβ/m - x̂·dγ/m) = 1·(4 - 1 - 1.5·1.25)
    expect(toNumber(gradients.dx(6, 4, false))).toBe(1.125)
    expect(toNumber(gradients.dx(6, 4, true))).toBe(4)
  })

  test("takes whole weights for elements that come more often", () => {
    const { total, mean, variance } = moments([1, 2, 6], [3, 1, 2])
    const repeated = moments([1, 1, 1, 2, 6, 6])
    expect(toNumber(total)).toBe(6)
    expect(Math.abs(toNumber(subtract(mean, repeated.mean)))).toBeLessThan(2 ** -200)
    expect(toNumber(variance)).toBeCloseTo(toNumber(repeated.variance), 14)
    const light = moments([3, 5], [1e-40, 1])
    expect(toNumber(light.variance) / 4e-40).toBeCloseTo(1, 14)
    const channel = new Channel(exact(3), exact(3.5), 2, 0, 0.5)
    const gradients = new Gradients(channel, [1, 6], [1, 4], exact(8))
    // γ·r·(dy - (w/W)·(dβ + x̂·dγ)), dγ = -1 + 6: 1·(4 - 2/8·(5 + 1.5·5))
    expect(toNumber(gradients.dx(6, 4, false, 2))).toBe(0.875)
  })

  test("gives beta for a constant channel without epsilon", () => {
    const { mean, variance } = moments([0.1, 0.1, 0.1])
    expect(variance.mantissa).toBe(0n)
    expect(ratio(7, new Channel(mean, variance, 3, 7, 0).forward(0.1), 0)).toBe(0)
  })

  test("finds the elements of each channel", () => {
    expect(placesOf([2, 3], [1])).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ])
    expect(placesOf([2, 2, 2], [2, 0])).toEqual([
      [0, 2],
      [1, 3],
      [4, 6],
      [5, 7],
    ])
    expect(placesOf([2, 2], [])).toEqual([[0, 1, 2, 3]])
    expect(placesOf([], [])).toEqual([[0]])
    expect(placesOf([0, 2], [1])).toEqual([[], []])
  })
})
