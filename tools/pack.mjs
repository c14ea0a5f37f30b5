import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { root } from "./set-up/environment.mjs"

const run = promisify(execFile)

/** @typedef {{ path: string, size: number }} PackedFile */
/** @typedef {{ filename: string, size: number, unpackedSize: number, integrity: string, files: PackedFile[] }} Contents */
/** @typedef {{ tarball: string, contents: Contents, consumer: string }} Packed */

/** @type {Promise<Packed> | undefined} */
let done

/**
 * Packs the package, once for all who ask, and unpacks it as it would be installed: into the
 * node_modules of a project that lies elsewhere, so that nothing of this one can help.
 * @returns {Promise<Packed>} until the process ends
 */
export function packed() {
  done ??= pack(root)
  return done
}

/**
 * @param {string} project whose package is packed
 * @returns {Promise<Packed>} until the process ends
 */
export async function pack(project) {
  const folder = mkdtempSync(join(tmpdir(), "batchnorm-packed-"))
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
  const args = ["pack", "--ignore-scripts", "--json", "--loglevel=error", "--pack-destination", folder]
  const { stdout } = await run("npm", args, { cwd: project })
  const [contents] = JSON.parse(stdout)
  const tarball = join(folder, contents.filename)
  const consumer = join(folder, "consumer")
  const installed = join(consumer, "node_modules", contents.name)
  mkdirSync(installed, { recursive: true })
  await run("tar", ["--extract", "--file", tarball, "--strip-components=1", "--directory", installed])
  return { tarball, contents, consumer }
}

/** @type {{ name: string, exports: Record<string, string | { types: string }> }} */
const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

/** The declarations of each entry that can be imported as a module, by the name that a consumer writes. */
export const declarations = Object.fromEntries(
  Object.entries(exports).flatMap(([path, entry]) =>
    typeof entry === "object" ? [[name + path.slice(1), entry.types]] : [],
  ),
)

/** The names of those entries. */
export const entries = Object.keys(declarations)

/** What of the exports is a file and no module, as "./kernel.wasm". */
export const files = Object.keys(exports).filter((path) => typeof exports[path] === "string")
