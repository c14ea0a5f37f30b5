import { readFileSync } from "node:fs"
import { join } from "node:path"
import { brotliCompressSync } from "node:zlib"
import binaryen from "binaryen"
import { root } from "./set-up/environment.mjs"
import { one } from "./tally.mjs"

/** The arithmetic that the loops over elements consist of. */
const wanted = ["f32x4", "f64x2"].flatMap((lanes) => ["add", "sub", "mul"].map((verb) => `${lanes}.${verb}`))

/** Bytes after brotli. */
const budget = { "index.js": 100_000, "slim.js": 18_500, "kernel.wasm": 54_000 }

/**
 * Judges the artefacts as they are shipped.
 * @returns {Promise<import("./tally.mjs").Tally>}
 */
export async function checkWasm() {
  const wasm = readFileSync(join(root, "dist", "kernel.wasm"))
  const index = readFileSync(join(root, "dist", "index.js"))
  const { counts, missing, relaxed } = operations(wasm)
  console.log(counts.map(([operation, count]) => `${operation} ×${count}`).join("  "))
  const vectors = verdict("the kernels compute in lanes of f32 and f64", missing.length === 0)
  const strict = verdict("no relaxed SIMD", !relaxed)
  const same = verdict("dist/index.js carries dist/kernel.wasm", index.includes(wasm.toString("base64")))
  const sizes = Object.entries(budget).map(([name, most]) => {
    const bytes = readFileSync(join(root, "dist", name))
    const size = brotliCompressSync(bytes).length
    return verdict(`dist/${name}: ${bytes.length} bytes, ${size} after brotli, at most ${most}`, size <= most)
  })
  return [vectors, strict, same, ...sizes].reduce((sum, each) => ({
    passed: sum.passed + each.passed,
    failed: sum.failed + each.failed,
  }))
}

/**
 * @param {Uint8Array} wasm
 * @returns {{ counts: [string, number][], missing: string[], relaxed: boolean }} relaxed operations give other bits on
 * other machines
 */
export function operations(wasm) {
  const module = binaryen.readBinary(wasm)
  try {
    const text = module.emitText()
    /** @type {[string, number][]} */
    const counts = wanted.map((operation) => [operation, text.split(`(${operation}\n`).length - 1])
    const missing = counts.filter(([, count]) => count === 0).map(([operation]) => operation)
    return { counts, missing, relaxed: /relaxed/.test(text) }
  } finally {
    module.dispose()
  }
}

/**
 * @param {string} claim
 * @param {boolean} holds
 */
function verdict(claim, holds) {
  console.log(`${holds ? "✓" : "✗"} ${claim}`)
  return one(holds)
}
