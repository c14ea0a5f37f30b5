import { readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import binaryen from "binaryen"
import { root } from "./set-up/environment.mjs"
import { sum, verdict } from "./tally.mjs"

/** The arithmetic that the loops over elements consist of. */
const wanted = ["f32x4", "f64x2"].flatMap((lanes) => ["add", "sub", "mul"].map((verb) => `${lanes}.${verb}`))

/**
 * Judges the kernels as they are shipped.
 * @returns {Promise<import("./tally.mjs").Tally>}
 */
export async function checkWasm() {
  const wasm = readFileSync(join(root, "dist", "kernel.wasm"))
  const { counts, missing, relaxed } = operations(wasm)
  console.log(counts.map(([operation, count]) => `${operation} ×${count}`).join("  "))
  return sum([
    verdict("the kernels compute in lanes of f32 and f64", missing.length === 0),
    verdict("no relaxed SIMD", !relaxed),
    verdict("dist/index.js starts dist/kernel.wasm", wasm.equals(await startedBy("dist/index.js"))),
    verdict("dist/no-simd.js starts kernels without SIMD", !hasVectors(await startedBy("dist/no-simd.js"))),
  ])
}

/**
 * The kernels that an entry starts: what it has the engine compile last, after what decodes them.
 * @param {string} entry
 * @returns {Promise<Buffer>}
 */
export async function startedBy(entry) {
  const { initSync } = await import(pathToFileURL(join(root, entry)).href)
  const { Module } = WebAssembly
  let compiled = Buffer.alloc(0)
  WebAssembly.Module = new Proxy(Module, {
    construct(target, [bytes]) {
      compiled = Buffer.from(bytes)
      return new target(bytes)
    },
  })
  try {
    initSync()
  } finally {
    WebAssembly.Module = Module
  }
  return compiled
}

/**
 * Whether there is a vector in a module.
 * @param {Uint8Array} wasm
 */
export function hasVectors(wasm) {
  const module = binaryen.readBinary(wasm)
  try {
    return /\bv128\b/.test(module.emitText())
  } finally {
    module.dispose()
  }
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
