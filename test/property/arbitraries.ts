// What the properties are tried on. Data come from a seed and a family, so that shapes and axes shrink.
// VITE_PROPERTY_RUNS multiplies how often each is tried.
import type { FloatArray, NdArray } from "batchnorm"
import fc from "fast-check"
import { placesOf } from "../reference.ts"
import { type Dtype, dtypes, inBrowser, ordinary, product, setting } from "../support/numerics-arrays.ts"
import { type Family, families } from "../support/numerics-families.ts"
import { Random } from "../support/numerics-random.ts"

const times = Number(setting("VITE_PROPERTY_RUNS") ?? 1)

/** What a property may take at most, in milliseconds. */
export const timeout = 60_000 * times

/** How often a property is tried: fewer times in a browser. */
export function runs(count: number): { numRuns: number } {
  return { numRuns: Math.ceil((inBrowser ? count / 4 : count) * times) }
}

export const dtype: fc.Arbitrary<Dtype> = fc.constantFrom(...dtypes)

export const seed: fc.Arbitrary<number> = fc.nat()

/** Families whose results are far from the ends of either type's range. */
const moderate = [
  "normal",
  "offset to 1e7",
  "first rows outliers",
  "ramp",
  "two clusters",
  "sparse ReLU",
  "one differing",
  "neighbouring floats",
  "prime periods",
  "steps",
]

export const family: fc.Arbitrary<string> = fc.constantFrom(...moderate)

/** Sizes of axes: small ones mostly, and some around lanes, blocks and tiles. */
const size = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 5 }) },
  { weight: 2, arbitrary: fc.integer({ min: 6, max: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(63, 64, 65, 255, 257, 511, 513, 1023, 1025, 2047, 2049) },
)

/** A shape of up to seven axes and 4,000 elements. */
const shape: fc.Arbitrary<number[]> = fc.array(size, { maxLength: 7 }).filter((sizes) => product(sizes) <= 4_000)

/** A shape and a set of its axes, in any order and counted from either end. */
export const shapeAndAxes: fc.Arbitrary<{ shape: number[]; axes: number[] }> = shape.chain((sizes) =>
  fc
    .tuple(
      fc.shuffledSubarray([...sizes.keys()]),
      fc.array(fc.boolean(), { minLength: sizes.length, maxLength: sizes.length }),
    )
    .map(([axes, negative]) => ({
      shape: sizes,
      axes: axes.map((axis) => (negative[axis] ? axis - sizes.length : axis)),
    })),
)

/** The axes that are not among some, from the first on. */
export function others(shape: readonly number[], axes: readonly number[]): number[] {
  const counted = axes.map((axis) => (axis < 0 ? axis + shape.length : axis))
  return [...shape.keys()].filter((axis) => !counted.includes(axis))
}

/** How weights may lie beside an array of up to seven axes, and what they are. */
export const weighting: fc.Arbitrary<{ varies: boolean[]; kind: "mask" | "whole" | "real"; short: boolean }> =
  fc.record({
    varies: fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
    kind: fc.constantFrom("mask", "whole", "real"),
    short: fc.boolean(),
  })

/** Weights that broadcast to a shape and leave each channel some, and what each element's is. */
export function weightsOf(
  shape: readonly number[],
  channels: readonly number[],
  { varies, kind, short }: { varies: readonly boolean[]; kind: "mask" | "whole" | "real"; short: boolean },
  seed: number,
): { weights: { data: (number | boolean)[]; shape: number[] }; each: number[] } {
  const random = new Random(seed + 2000)
  const axes = [...shape.keys()]
  const sizes = shape.map((size, axis) => (varies[axis] ? size : 1))
  const draw = {
    mask: () => random.below(2),
    whole: () => random.below(4),
    real: () => random.pick([0, random.uniform()]),
  }
  const values = Array.from({ length: product(sizes) }, draw[kind])
  const each = new Array<number>(product(shape)).fill(0)
  for (const [at, places] of placesOf(
    shape,
    axes.filter((axis) => varies[axis]),
  ).entries()) {
    for (const place of places) each[place] = values[at]!
  }
  if (placesOf(shape, channels).some((places) => places.every((place) => each[place] === 0))) {
    values.fill(1)
    each.fill(1)
  }
  const data = kind === "mask" ? values.map(Boolean) : values
  const first = sizes.findIndex((size) => size > 1)
  return { weights: { data, shape: short ? sizes.slice(first === -1 ? sizes.length : first) : sizes }, each }
}

/** An ordinary array of a family's numbers. */
export function arrayOf(
  name: string | Family,
  shape: readonly number[],
  dtype: Dtype,
  seed: number,
): NdArray<FloatArray> {
  const make = typeof name === "string" ? families[name]! : name
  return ordinary(make(new Random(seed), product(shape)), shape, dtype)
}

/** Numbers per channel. */
export function vectorOf(length: number, seed: number, value: (random: Random) => number): number[] {
  const random = new Random(seed + 1000)
  return Array.from({ length }, () => value(random))
}
