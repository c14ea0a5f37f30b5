import type { Family } from "./numerics-families.ts"

const each = (length: number, weight: (index: number) => number): number[] =>
  Array.from({ length }, (_, i) => weight(i))

/** Weights that can embarrass; some element has one in each of them. */
export const weightings: Readonly<Record<string, Family>> = {
  "all one": (_, length) => each(length, () => 1),
  // The sum of the second rounds down with each addition once there are 64.
  "all alike": (r, length) => {
    const weight = r.pick([0.1, 1 + 31 * 2 ** -52, 1 / 3, 1.9])
    return each(length, () => weight)
  },
  "a mask": (r, length) => {
    const [density, at] = [r.pick([0.9, 0.5, 0.1, 0.01]), r.below(length)]
    return each(length, (i) => (i === at || r.uniform() < density ? 1 : 0))
  },
  "a mask in runs": (r, length) => {
    const [run, first] = [r.pick([4, 64, 100, 1000, 1024]), r.below(2)]
    return each(length, (i) => (Math.floor(i / run) % 2 === first || i === length - 1 ? 1 : 0))
  },
  "the last alone": (_, length) => each(length, (i) => (i === length - 1 ? 1 : 0)),
  uniform: (r, length) => each(length, () => 1 - r.uniform()),
  "very unequal": (r, length) => each(length, () => 2 ** (120 * r.uniform() - 60)),
  "one heavy": (r, length) => {
    const [at, rest] = [r.below(length), r.pick([1e-3, 1e-9, 2 ** -60, 2 ** -120])]
    return each(length, (i) => (i === at ? 1 : rest * (1 + r.uniform())))
  },
  growing: (_, length) => each(length, (i) => 2 ** ((120 * i) / length - 60)),
}
