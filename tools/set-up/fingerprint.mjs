import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join, relative, sep } from "node:path"
import { root, toolsFolder } from "./environment.mjs"

/**
 * @param {string[]} paths files and folders of the project; absent ones count as empty
 * @param {{ extra?: string, except?: (path: string) => boolean }} [options]
 * @returns {string}
 */
export function fingerprint(paths, { extra = "", except = () => false } = {}) {
  const hash = createHash("sha256").update(extra)
  for (const path of paths.flatMap((name) => files(join(root, name), except))) {
    const content = readFileSync(path)
    hash.update(`\0${relative(root, path)}\0${content.length}\0`).update(content)
  }
  return hash.digest("hex")
}

/**
 * @param {string} path
 * @param {(path: string) => boolean} except
 * @returns {string[]}
 */
function files(path, except) {
  const name = relative(root, path).split(sep).join("/")
  if (except(name) || !existsSync(path)) return []
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path)
    .sort()
    .flatMap((entry) => files(join(path, entry), except))
}

/** @param {string} name */
const stampPath = (name) => join(toolsFolder, "stamps", name)

/**
 * Whether the step was finished for these inputs, and what it made is still there.
 * @param {string} name
 * @param {string} inputs
 * @param {string[]} outputs
 */
export function isStamped(name, inputs, outputs) {
  const path = stampPath(name)
  return (
    existsSync(path) &&
    readFileSync(path, "utf8") === inputs &&
    outputs.every((output) => existsSync(join(root, output)))
  )
}

/**
 * Runs a step and remembers its inputs only when it has been finished.
 * @param {string} name
 * @param {string} inputs
 * @param {() => Promise<void>} run
 */
export async function stamped(name, inputs, run) {
  const path = stampPath(name)
  rmSync(path, { force: true })
  await run()
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, inputs)
}
