import { buildPackage } from "../build-package.mjs"
import { buildWasm } from "../build-wasm.mjs"
import { buildYardstick } from "../build-yardstick.mjs"
import { installChromium } from "./chromium.mjs"
import { interrupted, SetUpError } from "./command.mjs"
import { installFirefox } from "./firefox.mjs"
import { npmPackages } from "./npm-packages.mjs"
import { report } from "./report.mjs"
import { rustComponents, wasmTarget } from "./rust.mjs"
import { wasmBindgen, wasmPack } from "./wasm-tools.mjs"

/**
 * One step of the set-up. A step that is interrupted must not be taken for current afterwards.
 * @typedef {object} Step
 * @property {string} title what it does, in a line
 * @property {() => boolean | Promise<boolean>} isCurrent whether nothing is to be done
 * @property {(say: (line: string) => void) => Promise<void>} run `say` shows what it is at
 */

/** @type {Step[]} */
const run = [npmPackages, wasmTarget, wasmPack, wasmBindgen, buildWasm, buildPackage]
/** @type {Step[]} */
const check = [npmPackages, wasmTarget, rustComponents, wasmPack, wasmBindgen, buildWasm, buildPackage]
/** @type {Record<string, Step[]>} */
const modes = {
  run,
  check,
  bench: [...run, buildYardstick],
  test: [...check, buildYardstick, installChromium, installFirefox],
}

/**
 * @param {string} mode
 * @returns {Promise<number>} the exit code
 */
export async function setUp(mode) {
  const steps = modes[mode]
  if (!steps) {
    console.error(`set-up: unknown mode "${mode}", expected one of ${Object.keys(modes).join(", ")}`)
    return 1
  }
  const start = performance.now()
  let done = 0
  try {
    for (const step of steps) {
      if (await step.isCurrent()) continue
      await report(step.title, step.run)
      done += 1
      if (interrupted()) return 130
    }
  } catch (error) {
    if (interrupted()) return 130
    console.error(`set-up: ${error instanceof Error ? error.message : error}`)
    if (!(error instanceof SetUpError) && process.env.DEBUG) console.error(error)
    return 1
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(done === 0 ? `set-up: everything is up to date (${seconds} s)` : `set-up: done in ${seconds} s`)
  return 0
}
