import binaryen from "binaryen"
import { expect, test } from "vitest"
import { hasVectors, operations } from "../../tools/check-wasm.mjs"

/** A module of one function for each operation, of this many vectors. */
function wasm(verbs: readonly string[], vectors = 2): Uint8Array {
  const parameters = "v128 ".repeat(vectors)
  const operands = Array.from({ length: vectors }, (_, index) => `(local.get ${index})`).join(" ")
  const functions = verbs.map(
    (verb) => `(func (export "${verb}") (param ${parameters}) (result v128) (${verb} ${operands}))`,
  )
  const module = binaryen.parseText(`(module ${functions.join("\n")})`)
  module.setFeatures(binaryen.Features.All)
  return module.emitBinary()
}

const all = ["f32x4.add", "f32x4.sub", "f32x4.mul", "f64x2.add", "f64x2.sub", "f64x2.mul"]

test("finds all that is there", () => {
  expect(operations(wasm(all))).toEqual({ counts: all.map((verb) => [verb, 1]), missing: [], relaxed: false })
})

test.each(all)("misses %s", (verb) => {
  expect(operations(wasm(all.filter((each) => each !== verb))).missing).toEqual([verb])
})

test("finds relaxed operations", () => {
  expect(operations(wasm(["f32x4.relaxed_madd"], 3)).relaxed).toBe(true)
})

test("tells vectors from none", () => {
  expect(hasVectors(wasm(["f32x4.add"]))).toBe(true)
  expect(hasVectors(binaryen.parseText("(module (func (param f32)))").emitBinary())).toBe(false)
})
