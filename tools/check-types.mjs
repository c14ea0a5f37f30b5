import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { entries, packed } from "./pack.mjs"
import { program } from "./program.mjs"
import { projectNode, root } from "./set-up/environment.mjs"
import { fingerprint, isStamped, stamped } from "./set-up/fingerprint.mjs"
import { sum, verdict } from "./tally.mjs"

/** @typedef {{ claim: string, compiler: string, project: string, resolution: string, library: string }} Variant */

// What decides whether declarations that are right here are right elsewhere: the compiler, the way of
// resolving a package's exports, and the library without and with the types of browsers.
const compilers = { "TypeScript 5.9": "typescript59", "TypeScript 6": "typescript", "TypeScript 7": "typescript7" }
const resolutions = ["nodenext", "bundler"]
const libraries = { "without dom": "es2022", "with dom": "es2022,dom" }

const name = "consumers-types"
const judged = ["dist", "test/types", "package.json", "package-lock.json", "tools/check-types.mjs", "tools/pack.mjs"]

/**
 * Compiles test/types, the code of a consumer, against the packed package.
 * @returns {Promise<import("./tally.mjs").Tally>}
 */
export async function checkTypes() {
  const { consumer } = await packed()
  for (const resolution of resolutions) writeConsumer(join(consumer, resolution), resolution)
  /** @type {Variant[]} */
  const variants = []
  for (const [title, compiler] of Object.entries(compilers)) {
    for (const resolution of resolutions) {
      for (const [browser, library] of Object.entries(libraries)) {
        const claim = `${title}, moduleResolution ${resolution}, ${browser}`
        variants.push({ claim, compiler, project: join(consumer, resolution), resolution, library })
      }
    }
  }
  // Beside others an entry may live on what those bring along.
  for (const entry of entries) {
    const project = join(consumer, "alone", entry)
    writeProject(project, { "alone.ts": `export * from "${entry}"\n` })
    const claim = `${entry} alone, TypeScript 7, without dom`
    variants.push({ claim, compiler: compilers["TypeScript 7"], project, resolution: "nodenext", library: "es2022" })
  }
  const inputs = fingerprint(judged, { except: (path) => /\.(js|wasm)$/.test(path) })
  if (isStamped(name, inputs, [])) {
    console.log("nothing of it has changed since it last passed")
    return sum(variants.map(({ claim }) => verdict(claim, true)))
  }
  const errors = await compileAll(variants)
  if (errors.every((error) => error === "")) await stamped(name, inputs, async () => {})
  return sum(variants.map(({ claim }, index) => verdict(`${claim}${errors[index]}`, errors[index] === "")))
}

/**
 * @param {readonly Variant[]} variants
 * @returns {Promise<string[]>} what is wrong with each
 */
async function compileAll(variants) {
  const errors = variants.map(() => "")
  const waiting = variants.entries()
  const takeTurns = async () => {
    for (const [index, variant] of waiting) errors[index] = await compile(variant)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, takeTurns))
  return errors
}

/** @param {Variant} variant */
async function compile({ compiler, project, resolution, library }) {
  const tsc = join(root, "node_modules", compiler, "bin", "tsc")
  const module = resolution === "bundler" ? "esnext" : resolution
  const args = ["-p", project, "--moduleResolution", resolution, "--module", module, "--lib", library]
  const { code, output } = await program(projectNode, [tsc, ...args], { quiet: true })
  return code === 0 ? "" : `\n${output}`
}

/**
 * test/types, and each entry as a whole, whether or not anything there uses it.
 * @param {string} folder
 * @param {string} resolution
 */
function writeConsumer(folder, resolution) {
  cpSync(join(root, "test/types"), folder, { recursive: true })
  const names = entries
  const all = names.map((_, index) => `entry${index}`).join(", ")
  const imports = names.map((name, index) => `import * as entry${index} from "${name}"\n`)
  const requires = names.map((name, index) => `import entry${index} = require("${name}")\n`)
  writeProject(folder, {
    "entries.ts": `${imports.join("")}export { ${all} }\n`,
    ...(resolution === "nodenext" && { "required.cts": `${requires.join("")}export = [${all}]\n` }),
  })
}

/**
 * @param {string} folder
 * @param {Record<string, string>} files
 */
function writeProject(folder, files) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n')
  writeFileSync(join(folder, "tsconfig.json"), readFileSync(join(root, "test/types/tsconfig.json")))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
}
