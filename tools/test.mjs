// Every test and check there is: npm test [-- --environments]
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { checks } from "./check.mjs"
import { checkWasm } from "./check-wasm.mjs"
import { program } from "./program.mjs"
import { toolsFolder } from "./set-up/environment.mjs"
import { runAll } from "./tally.mjs"

const { values } = parseArgs({ options: { environments: { type: "boolean", default: false } } })

process.exitCode = await runAll([
  ...checks,
  { title: "Rust tests", run: cargoTest },
  { title: "the shipped wasm", run: checkWasm },
  { title: "TypeScript tests, in Node and Chromium", run: vitest },
  ...(values.environments ? [{ title: "the packed package in each environment", run: environments }] : []),
])

/** @returns {Promise<import("./tally.mjs").Tally>} */
async function cargoTest() {
  const args = ["test", "--workspace", "--locked", "--release", "--no-fail-fast"]
  // Optimized as what is shipped is, and yet with what the code asserts of itself.
  const env = { CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS: "true", CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS: "true" }
  const { code, output } = await program("cargo", args, { env })
  const tally = { passed: 0, failed: 0 }
  for (const [, passed, failed] of output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed;/gm)) {
    tally.passed += Number(passed)
    tally.failed += Number(failed)
  }
  return atLeastOneFailed(tally, code)
}

/** @returns {Promise<import("./tally.mjs").Tally>} */
async function vitest() {
  const report = join(toolsFolder, "vitest.json")
  rmSync(report, { force: true })
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`]
  const { code } = await program("vitest", ["run", ...reporters])
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8"))
    return atLeastOneFailed({ passed: numPassedTests, failed: numFailedTests }, code)
  } catch {
    return { passed: 0, failed: 1 }
  }
}

/** @returns {Promise<import("./tally.mjs").Tally>} */
async function environments() {
  const { runEnvironments } = await import("../test/environments/run.ts")
  return runEnvironments()
}

/**
 * What breaks outside of any test (a file that does not compile) is counted too.
 * @param {import("./tally.mjs").Tally} tally
 * @param {number} code
 */
function atLeastOneFailed(tally, code) {
  const ran = tally.passed + tally.failed > 0
  return { ...tally, failed: code === 0 && ran ? tally.failed : Math.max(1, tally.failed) }
}
