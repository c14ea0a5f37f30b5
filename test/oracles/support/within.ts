import { expect } from "vitest"

/** Half a unit in the last place of float32 numbers from 1 to 2: what one rounding costs at most, relatively. */
const u = 2 ** -24

/**
 * The largest difference as a multiple of what is allowed: `roundings` times u times the element's scale. A NaN, and any
 * difference where the scale is 0, is infinite.
 */
export function worst(
  got: ArrayLike<number>,
  due: ArrayLike<number>,
  scale: ArrayLike<number>,
  roundings: number,
): number {
  if (got.length !== due.length || got.length !== scale.length) return Number.POSITIVE_INFINITY
  let most = 0
  for (let index = 0; index < got.length; index++) {
    const difference = Math.abs(got[index]! - due[index]!)
    const ratio = difference === 0 ? 0 : difference / (roundings * u * scale[index]!)
    most = ratio <= most ? most : Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio
  }
  return most
}

/** That results differ from an oracle's by no more than what its arithmetic and the package's may round. */
export function expectWithin(
  what: string,
  got: ArrayLike<number>,
  due: ArrayLike<number>,
  scale: ArrayLike<number>,
  roundings: number,
): void {
  const ratio = worst(got, due, scale, roundings)
  expect(ratio, `${what}: the largest difference as a multiple of what is allowed`).toBeLessThanOrEqual(1)
}
