import { readFileSync } from "node:fs"
import { join } from "node:path"
import { brotliCompressSync } from "node:zlib"
import { root } from "./set-up/environment.mjs"
import { sum, verdict } from "./tally.mjs"

/** Bytes after brotli, at most, of a file as it is shipped. */
const budgets = {
  "dist/index.js": 72_500,
  "dist/slim.js": 18_500,
  "dist/kernel.wasm": 53_500,
}

/**
 * Judges the bytes that a page loads.
 * @returns {Promise<import("./tally.mjs").Tally>}
 */
export async function checkSize() {
  const tallies = []
  for (const [what, most] of Object.entries(budgets)) {
    const code = readFileSync(join(root, what))
    const size = brotliCompressSync(code).length
    tallies.push(verdict(`${what}: ${code.length} bytes, ${size} after brotli, at most ${most}`, size <= most))
  }
  return sum(tallies)
}
