import { program } from "./program.mjs"
import { one } from "./tally.mjs"

// What decides whether declarations that are right here are right elsewhere: the library without and
// with the types of browsers, and both ways of resolving a package's exports.
const variants = [
  ["nodenext", "es2022"],
  ["nodenext", "es2022,dom"],
  ["bundler", "es2022"],
  ["bundler", "esnext,dom"],
]

/**
 * Compiles test/types, the code of a consumer, against the built declarations.
 * @returns {Promise<import("./tally.mjs").Tally>}
 */
export async function checkTypes() {
  const tally = { passed: 0, failed: 0 }
  for (const [resolution, lib] of variants) {
    const module = resolution === "bundler" ? "esnext" : "nodenext"
    const args = ["--module", module, "--moduleResolution", `${resolution}`, "--lib", `${lib}`]
    const { code } = await program("tsc", ["-p", "test/types/tsconfig.json", ...args])
    const { passed, failed } = one(code === 0)
    console.log(`${failed ? "✗" : "✓"} moduleResolution ${resolution}, lib ${lib}`)
    tally.passed += passed
    tally.failed += failed
  }
  return tally
}
