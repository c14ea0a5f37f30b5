import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"
import { describe, expect, test, vi } from "vitest"
import { controlCharacters, runExample } from "./run-example.ts"

// A run takes a second, and several where other tests take the processor.
vi.setConfig({ testTimeout: 60_000 })

const digits = (...args: string[]) => runExample("examples/digits/main.ts", ...args)
const short = ["--epochs", "2", "--rates", "0.1"]

describe("a bad option is one line that names it, and exit code 2", () => {
  test.each([
    [["--epochs", "ten"], '--epochs takes a positive integer, not "ten"'],
    [["--epochs", "0"], '--epochs takes a positive integer, not "0"'],
    [["--epochs", "2.5"], '--epochs takes a positive integer, not "2.5"'],
    [["--epochs", "-3"], '--epochs takes a positive integer, not "-3"'],
    [["--epochs="], '--epochs takes a positive integer, not ""'],
    [["--epochs"], "--epochs needs a value"],
    [["--rates", "fast"], '--rates takes positive numbers separated by commas, not "fast"'],
    [["--rates", "0.1,x"], '--rates takes positive numbers separated by commas, not "x" (in "0.1,x")'],
    [["--rates", "0.1,"], '--rates takes positive numbers separated by commas, not "" (in "0.1,")'],
    [["--rates", "-1"], '--rates takes positive numbers separated by commas, not "-1"'],
    [["--rates", "0"], '--rates takes positive numbers separated by commas, not "0"'],
    [["--rates", "Infinity"], '--rates takes positive numbers separated by commas, not "Infinity"'],
    [["--seed", "1.5"], '--seed takes an integer, not "1.5"'],
    [["--seed", "a\nb"], '--seed takes an integer, not "a\\nb"'],
    [["--rate", "0.1"], "unknown option --rate"],
    [["--rate=0.1"], 'unknown option --rate with the value "0.1"'],
    [["-x"], "unknown option -x"],
    [["--help=yes"], '--help takes no value, but was given "yes"'],
    [["10"], 'unexpected argument "10"'],
    [["--help", "--epochs", "0"], '--epochs takes a positive integer, not "0"'],
  ])("%j", (args, message) => {
    expect(digits(...args)).toEqual({ code: 2, stdout: "", stderr: `digits: ${message}\n` })
  })
})

test.each(["--help", "-h"])("%s names every option and trains nothing", (help) => {
  const { code, stdout, stderr } = digits(help)
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
  for (const option of ["--epochs", "--rates", "--seed", "--help"]) expect(stdout).toContain(option)
  expect(stdout).not.toContain("test accuracy")
})

test("a short run ends in a line with both accuracies, in plain lines where there is no terminal", () => {
  const { code, stdout, stderr } = digits(...short)
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
  expect(controlCharacters(stdout)).toEqual([])
  expect(stdout).toContain("1437 images to train with, 360 to test with")
  expect(stdout.trimEnd().split("\n").at(-1)).toMatch(/^with batch norm \d+(\.\d+)? % · without \d+(\.\d+)? %/)
})

test("the same seed gives the same lines, and another seed other ones", () => {
  const withoutTimes = (...args: string[]) => digits(...short, ...args).stdout.replaceAll(/\d+ ms/g, "… ms")
  const first = withoutTimes("--seed", "7")
  expect(withoutTimes("--seed", "7")).toBe(first)
  expect(withoutTimes("--seed", "8").replaceAll("seed 8", "seed 7")).not.toBe(first)
})

test("at a rate that drives the network without batch norm to NaN, the one with it learns", () => {
  const { code, stdout } = digits("--epochs", "2", "--rates", "3")
  expect(code).toBe(0)
  expect(stdout).toMatch(/rate 3 +without +diverged in epoch 1: the loss is NaN/)
  expect(stdout).toMatch(/3 +without +\d+\.\d %, diverged/)
  const [, withBatchNorm, without] = /^with batch norm (.+?) % · without (.+?) %/m.exec(stdout) ?? []
  expect(Number(withBatchNorm)).toBeGreaterThan(80)
  expect(Number(without)).toBeLessThan(20)
})

test("the data are the 1,797 images that SOURCE.md describes", () => {
  const file = readFileSync(new URL("../../examples/digits/data/digits.csv.gz", import.meta.url))
  const source = readFileSync(new URL("../../examples/digits/data/SOURCE.md", import.meta.url), "utf8")
  expect(source).toContain(createHash("sha256").update(file).digest("hex"))
  const lines = gunzipSync(file).toString().trimEnd().split("\n")
  expect(lines).toHaveLength(1797)
  for (const line of lines) expect(line).toMatch(/^((\d|1[0-6]),){64}\d$/)
})
