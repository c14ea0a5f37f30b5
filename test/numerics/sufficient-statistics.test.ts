// Sufficient statistics against exact sums (docs/numerics.md), and the moments that are made of them.
//
// VITE_CONTRACT_SEED repeats a run, VITE_CONTRACT_REPORT=1 prints the worst of each.
import { normalizeMoments, sufficientStatistics } from "batchnorm"
import { afterAll, describe, expect, test } from "vitest"
import { add, divide, type Exact, exact, multiply, ratio, subtract, toNumber } from "../reference.ts"
import { dtypes, layouts, ordinary, setting } from "../support/numerics-arrays.ts"
import { exactMoments, unit } from "../support/numerics-contract.ts"
import { families } from "../support/numerics-families.ts"
import { Random } from "../support/numerics-random.ts"
import { Worst } from "../support/numerics-worst.ts"

const seed = Number(setting("VITE_CONTRACT_SEED") ?? 1)
const worst = new Worst()
afterAll(() => worst.report())

const sum = (terms: readonly Exact[]) => terms.reduce(add, exact(0))
const magnitude = (value: Exact) => Math.abs(toNumber(value))

/** Shifts of a column: none, near its mean, at its mean, and far off. */
function shiftsOf(mean: number, deviation: number, random: Random): number[] {
  return [0, mean, mean + deviation * random.normal(), mean + 1e3 * deviation, -mean]
}

describe.each(layouts.flatMap((layout) => dtypes.map((dtype) => ({ layout, dtype }))))(
  "$layout, $dtype",
  ({ layout, dtype }) => {
    test.each(Object.entries(families))(
      "%s: sums around any shift, as near as if they were added exactly",
      (name, family) => {
        const random = new Random(seed)
        for (const length of [1, 2, 63, 300]) {
          const limit = dtype === "float32" ? 2 ** 126 : 2 ** 500
          const values = family(random, length).map((value) => Math.max(-limit, Math.min(limit, value)))
          const { data } = ordinary(values, [length], dtype)
          const due = exactMoments(dtype, [...data])
          if (!due.covered) continue
          const [mean, deviation] = [toNumber(due.mean), Math.sqrt(toNumber(due.variance))]
          for (const shift of shiftsOf(mean, deviation, random)) {
            const x = { data, shape: layout === "channels-last" ? [length, 1] : [1, length] }
            const reduced = layout === "channels-last" ? 0 : 1
            const { count, meanSs, varianceSs } = sufficientStatistics(x, reduced, { shift: [shift] })
            const distances = Array.from(data, (value) => subtract(exact(value), exact(shift)))
            const dueMean = sum(distances)
            const dueSquares = sum(distances.map((distance) => multiply(distance, distance)))
            const { note, broken } = worst.notesOf(
              `${dtype}, Σ(x-shift) as`,
              `${name}, ${length}, shift ${shift}, seed ${seed}`,
            )
            expect(count.data[0]).toBe(length)
            const u = unit[dtype]
            // Half the smallest number is what any result may cost, and here each of the elements.
            const ofSum = 4 * u * length * deviation + 2 ** -50 * magnitude(dueMean) + length * 2 ** -1074
            note("mean", ratio(meanSs.data[0]!, dueMean, ofSum), `${meanSs.data[0]}`)
            const ofSquares = 24 * u * toNumber(dueSquares) + length * 2 ** -1074
            note("variance", ratio(varianceSs.data[0]!, dueSquares, ofSquares), `${varianceSs.data[0]}`)
            expect(broken).toEqual([])
          }
        }
      },
    )
  },
)

test("moments of sums are those of the very sums, to a few roundings of their terms", () => {
  const random = new Random(seed)
  const { note, broken } = worst.notesOf("normalized", `seed ${seed}`)
  for (let round = 0; round < 500; round++) {
    const count = random.pick([1, 3, 1e6, 0.1, random.uniform()])
    const meanSs = random.pick([0, 1, 1e20, random.normal() * count])
    const shift = random.pick([0, 1e9, -meanSs / count, random.normal()])
    const distance = divide(exact(meanSs), exact(count))
    const square = multiply(distance, distance)
    // Around the least that leaves a variance.
    const varianceSs = Math.abs(count * toNumber(square) * (1 + random.pick([0, 1e-15, -1e-15, 1, 1e6, 1e-6])))
    const { mean, variance } = normalizeMoments(count, meanSs, varianceSs, shift)
    const dueMean = add(distance, exact(shift))
    const meanSquare = divide(exact(varianceSs), exact(count))
    const rest = subtract(meanSquare, square)
    const due = rest.mantissa < 0n ? exact(0) : rest
    const u = 2 ** -53
    note(
      "mean",
      ratio(mean.data[0]!, dueMean, u * (magnitude(distance) + magnitude(dueMean) * 1.001)),
      `${mean.data[0]}`,
    )
    const bound = 4 * u * (magnitude(meanSquare) + magnitude(square))
    note("variance", ratio(variance.data[0]!, due, bound), `${variance.data[0]}`)
  }
  expect(broken).toEqual([])
})
