import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { blanked } from "./rust-source.mjs"
import { sourceFiles } from "./source-files.mjs"

/** @typedef {import("../walls.mjs").Violation} Violation */

const arithmetic = "crates/batchnorm/"
const exports = "crates/batchnorm-wasm/"

/**
 * @param {string} root
 * @returns {Violation[]}
 */
export function unsafeHasItsPlace(root) {
  /** @type {Violation[]} */
  const violations = []
  for (const path of sourceFiles(root, "crates", /\.rs$/)) {
    const source = readFileSync(join(root, path), "utf8")
    const code = blanked(source).split("\n")
    const lines = source.split("\n")
    code.forEach((text, index) => {
      if (!/\bunsafe\b/.test(text)) return
      if (!path.startsWith(exports)) {
        violations.push({ path, line: index + 1, what: "unsafe outside of batchnorm-wasm" })
      } else if (/\bunsafe\s*(\{|impl\b|$)/.test(text) && !isProven(lines, code, index)) {
        violations.push({ path, line: index + 1, what: "unsafe without a // SAFETY: comment above it" })
      }
    })
  }
  const library = `${arithmetic}src/lib.rs`
  const source = existsSync(join(root, library)) ? readFileSync(join(root, library), "utf8") : ""
  if (!/#!\[forbid\([^)]*\bunsafe_code\b[^)]*\)\]/.test(blanked(source))) {
    violations.push({ path: library, line: 1, what: "#![forbid(unsafe_code)] is missing" })
  }
  return violations
}

/**
 * Whether the comment above the statement that holds the line begins a proof.
 * @param {string[]} lines
 * @param {string[]} code the same without comments
 * @param {number} index
 */
function isProven(lines, code, index) {
  let above = index - 1
  const isComment = () => /^\s*\/\//.test(lines[above] ?? "")
  while (above >= 0 && !isComment() && !/[;{}]\s*$/.test(code[above] ?? "") && lines[above]?.trim()) above -= 1
  for (; above >= 0 && isComment(); above -= 1) {
    if (/^\s*\/\/ SAFETY: \S/.test(lines[above] ?? "")) return true
  }
  return false
}

/** @type {readonly (readonly [RegExp, string])[]} */
const instructionSets = [
  [/\b(core|std)\s*::\s*arch\b/, "an instruction set's module"],
  [/\btarget_feature\b|\bis_\w+_feature_detected\b/, "a feature of a target"],
  [/\b_mm\d*_\w+|\bv128\w*|\b[fiu]\d+x\d+_\w+/, "an instruction"],
  [/\b(sse|avx|neon|simd128|altivec|sve)\w*\b/i, "an instruction set"],
]
/** Not arithmetic: how a panic ends, and the size of the memory. */
const allowedInExports = /\bcore::arch::wasm32::(unreachable|memory_size|memory_grow)\b/g

// max and min are numbers' own words too: clippy, which knows types, forbids them on lanes (clippy.toml).
const unlikeBits =
  /\b(fast_max|fast_min|mul_add|mul_sub|mul_neg_add|mul_neg_sub|reduce_\w+|recip|recip_sqrt)\b|\bf\d+x\d+\s*::\s*(max|min)\b/

/**
 * @param {string} root
 * @returns {Violation[]}
 */
export function noInstructionSet(root) {
  /** @type {Violation[]} */
  const violations = []
  for (const path of sourceFiles(root, "crates", /\.rs$/)) {
    const code = blanked(readFileSync(join(root, path), "utf8")).split("\n")
    code.forEach((text, index) => {
      const judged = path.startsWith(exports) ? text.replace(allowedInExports, "") : text
      for (const [pattern, what] of instructionSets) {
        const found = pattern.exec(judged)
        if (found) violations.push({ path, line: index + 1, what: `${found[0]} names ${what}` })
      }
      const found = path.startsWith(`${arithmetic}src/`) && unlikeBits.exec(judged)
      if (found) violations.push({ path, line: index + 1, what: `${found[0]} gives other bits on other targets` })
    })
  }
  return violations
}
