// The five walls of docs/architecture.md, kept by a tool: node tools/walls.mjs
import { pathToFileURL } from "node:url"
import { root } from "./set-up/environment.mjs"
import { publicEntries } from "./walls/imports.mjs"
import { judgedInOptions, memoryBuffer } from "./walls/package.mjs"
import { noInstructionSet, unsafeHasItsPlace } from "./walls/rust.mjs"

/** @typedef {{ path: string, line: number, what: string }} Violation */
/** @typedef {{ title: string, find: (root: string) => Violation[] }} Wall */

/** @type {readonly Wall[]} */
export const walls = [
  { title: "unsafe only in batchnorm-wasm, each block with its proof", find: unsafeHasItsPlace },
  { title: "no instruction set is named, and of wide only what keeps the bits is used", find: noInstructionSet },
  { title: "memory.buffer only in ts/memory.ts", find: memoryBuffer },
  { title: "user input is judged only in ts/options", find: judgedInOptions },
  { title: "the package is imported by its public entries, and depends downwards", find: publicEntries },
]

/** @returns {Promise<import("./tally.mjs").Tally>} */
export async function checkWalls() {
  let failed = 0
  for (const { title, find } of walls) {
    const violations = find(root)
    console.log(`${violations.length > 0 ? "✗" : "✓"} ${title}`)
    for (const { path, line, what } of violations) console.log(`  ${path}:${line}: ${what}`)
    if (violations.length > 0) failed += 1
  }
  return { passed: walls.length - failed, failed }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  process.exitCode = (await checkWalls()).failed > 0 ? 1 : 0
}
