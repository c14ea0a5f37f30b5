import { readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"
import { expect, test } from "vitest"
import { controlCharacters, runExample } from "./run-example.ts"

const { code, stdout, stderr } = runExample("examples/tf-nn/main.ts")

const file = readFileSync(new URL("../../examples/digits/data/digits.csv.gz", import.meta.url))
const rows = gunzipSync(file)
  .toString()
  .trimEnd()
  .split("\n")
  .map((line) => line.split(",").slice(0, 64).map(Number))

/** Mean and variance as a textbook defines them. */
function textbook(values: readonly number[]): { mean: number; variance: number } {
  const average = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length
  const mean = average(values)
  return { mean, variance: average(values.map((value) => (value - mean) ** 2)) }
}

test("it runs and prints plain lines", () => {
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
  expect(controlCharacters(stdout)).toEqual([])
})

test("mean and variance of each column shown, before and after, are the textbook's", () => {
  const shown = [...stdout.matchAll(/^ +(\d+)((?: +\d+\.\d{4}){4})$/gm)]
  expect(shown).toHaveLength(4)
  for (const [, pixel, numbers] of shown) {
    const { mean, variance } = textbook(rows.map((row) => row[Number(pixel)]!))
    const expected = [mean, variance, 0, variance / (variance + 1e-3)].map((value) => value.toFixed(4))
    expect(numbers!.trim().split(/ +/), `pixel ${pixel}`).toEqual(expected)
  }
})

test("the first image is shown before and after", () => {
  const expected = rows[0]!.map((value, pixel) => {
    const { mean, variance } = textbook(rows.map((row) => row[pixel]!))
    return Number(((value - mean) / Math.sqrt(variance + 1e-3)).toFixed(2))
  })
  const lines = [...stdout.matchAll(/^((?: +\d+){8})((?: +-?\d+\.\d\d){8})$/gm)]
  const numbers = (group: number) => lines.flatMap((line) => line[group]!.trim().split(/ +/).map(Number))
  expect(numbers(1)).toEqual(rows[0])
  expect(numbers(2)).toEqual(expected.map((value) => value + 0))
})

test("the columns' means become 0, constant columns too", () => {
  const [, largest] = /at most (\S+) away from 0/.exec(stdout) ?? []
  expect(Number(largest)).toBeLessThan(1e-6)
  expect(stdout).toContain("Pixels 0, 32, 39 never do: they are 0 in all images after.")
})

test("over axes [0, 1] there is one mean and one variance", () => {
  const { mean, variance } = textbook(rows.flat())
  expect(stdout).toContain(`Moments over axes [0, 1]: mean ${mean.toFixed(4)}, variance ${variance.toFixed(4)}\n`)
  expect(stdout).toMatch(/After: +mean 0\.0000, variance 1\.0000\n/)
})
