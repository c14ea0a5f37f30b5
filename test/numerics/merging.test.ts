// Moments of parts, in any grouping, are held to what the contract (docs/numerics.md) grants one reduction of all data.
//
// VITE_CONTRACT_SEED repeats a run, VITE_CONTRACT_ROUNDS runs more of them, VITE_CONTRACT_REPORT=1 prints the worst of each.
import { Moments, type NdArray } from "batchnorm"
import { afterAll, describe, expect, test } from "vitest"
import { type Dtype, dtypes, inBrowser, ordinary, setting } from "../support/numerics-arrays.ts"
import { exactMoments, judgeMoments } from "../support/numerics-contract.ts"
import { type Family, families } from "../support/numerics-families.ts"
import { Random } from "../support/numerics-random.ts"
import { weightings } from "../support/numerics-weights.ts"
import { Worst } from "../support/numerics-worst.ts"

const seed = Number(setting("VITE_CONTRACT_SEED") ?? 1)
const rounds = Number(setting("VITE_CONTRACT_ROUNDS") ?? 1) * (inBrowser ? 2 : 8)
const repeat = `VITE_CONTRACT_SEED=${seed}`

const worst = new Worst()
afterAll(() => worst.report())

/** Columns of elements, and of weights. */
interface Data {
  readonly x: readonly (readonly number[])[]
  readonly weights: readonly (readonly number[])[] | undefined
}

/** Rows of columns, as an array. */
function rows(columns: readonly (readonly number[])[], from: number, to: number, dtype: Dtype): NdArray {
  const width = columns.length
  const values = Array.from(
    { length: (to - from) * width },
    (_, at) => columns[at % width]![from + Math.floor(at / width)]!,
  )
  return ordinary(values, [to - from, width], dtype)
}

/** All rows in parts, each pushed somewhere, or to one of its own, which merge in some order. */
function gather({ x, weights }: Data, dtype: Dtype, random: Random): Moments {
  const [width, length] = [x.length, x[0]!.length]
  const trees = [new Moments(width)]
  const most = random.pick([1, 3, 40, 600, length])
  for (let row = 0; row < length; ) {
    const end = Math.min(length, row + 1 + random.below(most))
    if (random.below(2) === 0) trees.push(new Moments(width))
    const own = weights && rows(weights, row, end, "float64")
    random.pick([trees.at(-1)!, random.pick(trees)]).push(rows(x, row, end, dtype), { weights: own })
    row = end
  }
  while (trees.length > 1) {
    const taken = trees.splice(random.below(trees.length), 1)[0]!
    random.pick([trees[0]!, random.pick(trees)]).merge(taken)
  }
  return trees[0]!
}

/** The elements of a family as they are stored. */
function elements(family: Family, random: Random, length: number, dtype: Dtype): number[] {
  const limit = dtype === "float32" ? 2 ** 126 : 2 ** 1022
  const values = family(random, length).map((value) => Math.max(-limit, Math.min(limit, value)))
  return dtype === "float32" ? values.map(Math.fround) : values
}

const all: Readonly<Record<string, Family>> = {
  ...families,
  "1e9 + N(0, 1000)": (r, length) => Array.from({ length }, () => 1e9 + 1000 * r.normal()),
  "1e15 + N(0, 1)": (r, length) => Array.from({ length }, () => 1e15 + r.normal()),
}
const names = Object.keys(all)

/** One case: two columns of a family, with weights or without. */
function check(name: string, dtype: Dtype, caseSeed: number, isWeighted: boolean): readonly string[] {
  const random = new Random(caseSeed)
  const length = random.pick([1, 2, 5, 64, 65, 300, isWeighted ? 500 : 1500])
  const kind = random.pick(Object.keys(weightings))
  const columns = (make: () => number[]) => [make(), make()]
  const data = {
    x: columns(() => elements(all[name]!, random, length, dtype)),
    weights: isWeighted ? columns(() => weightings[kind]!(random, length)) : undefined,
  }
  const merged = gather(data, dtype, random)
  const what = `${name}, ${length} rows, weights ${isWeighted && kind}, seed ${caseSeed}, ${repeat}`
  const { note, broken } = worst.notesOf(`${dtype}, weights ${isWeighted}:`, what)
  for (const [column, x] of data.x.entries()) {
    const due = exactMoments(dtype, x, data.weights?.[column])
    if (!isWeighted) expect(merged.count[column]).toBe(length)
    if (due.covered) judgeMoments(dtype, due, merged.mean[column]!, merged.variance[column]!, note)
  }
  return broken
}

describe.each(dtypes)("%s", (dtype) => {
  test.each(names)("%s: any grouping of pushes and merges keeps the contract", (name) => {
    for (let round = 0; round < rounds; round++) {
      const caseSeed = (seed * 1000 + round) * 100 + names.indexOf(name)
      expect(check(name, dtype, caseSeed, false)).toEqual([])
      expect(check(name, dtype, caseSeed, true)).toEqual([])
    }
  })

  test("ten thousand pushes of one weight keep the contract, though each addition to the count rounds the same way", () => {
    const random = new Random(seed)
    for (const weight of [1 / 3, 1 + 31 * 2 ** -52]) {
      const merged = new Moments(1)
      const x = Array.from({ length: inBrowser ? 2000 : 10_000 }, (_, i) => Math.fround(i + random.normal()))
      for (const value of x) merged.push(ordinary([value], [1, 1], dtype), { weights: [weight] })
      const due = exactMoments(dtype, x)
      const { note, broken } = worst.notesOf(`${dtype}, one weight:`, `weight ${weight}, ${repeat}`)
      judgeMoments(dtype, due, merged.mean[0]!, merged.variance[0]!, note)
      expect(broken).toEqual([])
      expect(Math.abs(merged.count[0]! / weight - x.length)).toBeLessThanOrEqual(2 ** -52 * x.length)
    }
  })

  test("the same grouping gives the same bits, and another one that goes through bytes or JSON midway", () => {
    for (const [index, name] of names.entries()) {
      const data = { x: [elements(all[name]!, new Random(index), 700, dtype)], weights: undefined }
      const [one, other] = [0, 1].map(() => gather(data, dtype, new Random(seed + index))) as [Moments, Moments]
      expect(one.toBytes()).toEqual(other.toBytes())
      const copies = [Moments.fromBytes(one.toBytes()), Moments.fromJSON(JSON.parse(JSON.stringify(one)))]
      const more = rows(data.x, 3, 500, dtype)
      one.push(more, { weights: [1 / 3] }).merge(other)
      for (const copy of copies) {
        expect(
          copy
            .push(more, { weights: [1 / 3] })
            .merge(other)
            .toBytes(),
          name,
        ).toEqual(one.toBytes())
      }
    }
  })

  test("a NaN or infinity stays in its channel, pushed or merged, and the others keep their bits", () => {
    const random = new Random(seed)
    const x = [0, 1, 2].map(() => elements(all.normal!, random, 300, dtype))
    for (const poison of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const sick = x.map((column, index) => (index === 1 ? column.with(137, poison) : column))
      const [healthy, poisoned] = [x, sick].map((x) => gather({ x, weights: undefined }, dtype, new Random(seed + 5)))
      expect(poisoned!.count).toEqual(healthy!.count)
      for (const name of ["mean", "m2", "variance"] as const) {
        expect(poisoned![name][1]).toBeNaN()
        expect(poisoned![name].with(1, 0)).toEqual(healthy![name].with(1, 0))
      }
    }
  })

  test("with the moments of nothing, on either side, moments keep their bits", () => {
    for (const [index, name] of names.entries()) {
      const data = { x: [elements(all[name]!, new Random(index), 300, dtype)], weights: undefined }
      const some = gather(data, dtype, new Random(index))
      const bytes = some.toBytes()
      expect(new Moments(1).merge(some).toBytes(), name).toEqual(bytes)
      expect(some.merge(new Moments(1)).toBytes(), name).toEqual(bytes)
    }
  })

  test("one element is the mean of itself, without variance", () => {
    const values = [0.1, -1e7, 1e-30, 1e38, 0].map((value) => (dtype === "float32" ? Math.fround(value) : value))
    const one = new Moments(values.length).push(ordinary(values, [1, values.length], dtype))
    expect(one.mean).toEqual(Float64Array.from(values))
    expect(one.variance).toEqual(new Float64Array(values.length))
    expect(one.unbiasedVariance).toEqual(new Float64Array(values.length).fill(Number.NaN))
  })

  test.each(names)("%s: forty doublings, beyond any 32-bit count, keep count and moments exactly", (name) => {
    const x = elements(all[name]!, new Random(seed), 100, dtype)
    const moments = new Moments(1).push(rows([x], 0, 100, dtype))
    const [mean, variance] = [moments.mean[0], moments.variance[0]]
    for (let doubling = 0; doubling < 40; doubling++) {
      moments.merge(doubling % 2 === 0 ? moments : Moments.fromBytes(moments.toBytes()))
    }
    expect(moments.count[0]).toBe(100 * 2 ** 40)
    expect(moments.mean[0]).toBe(mean)
    expect(moments.variance[0]).toBe(variance)
  })

  test.each(names)("%s: a few elements and ten to the ninth merge to the moments of all, in either order", (name) => {
    for (const few of [1, 7]) {
      const random = new Random(seed + few)
      const many = elements(all[name]!, random, 50, dtype)
      // Two more of the kind, or far off.
      for (const far of [0, 1, -1e6]) {
        const others = elements(all[name]!, random, few, dtype).map((value) => Math.fround(value + far))
        const push = (values: readonly number[]) => new Moments(1).push(rows([values], 0, values.length, dtype))
        const doubled = () => {
          const moments = push(many)
          for (let doubling = 0; doubling < 25; doubling++) moments.merge(moments)
          return moments
        }
        const due = exactMoments(dtype, [...many, ...others], [...many.map(() => 2 ** 25), ...others.map(() => 1)])
        for (const [first, second] of [
          [doubled(), push(others)],
          [push(others), doubled()],
        ] as const) {
          first.merge(second)
          const { note, broken } = worst.notesOf(`${dtype}, unequal:`, `${name}, ${few}, ${far}, ${repeat}`)
          expect(first.count[0]).toBe(50 * 2 ** 25 + few)
          if (due.covered) judgeMoments(dtype, due, first.mean[0]!, first.variance[0]!, note)
          expect(broken).toEqual([])
        }
      }
    }
  })
})
