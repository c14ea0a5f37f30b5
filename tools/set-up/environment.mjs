import { homedir } from "node:os"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** Everything that the set-up installs or remembers; git-ignored. */
export const toolsFolder = join(root, ".tools")

/** The Node that the tools run on: some of them want a newer one than the package does. */
export const projectNode = join(root, "node_modules", "node", "bin", "node")

const cargoHome = process.env.CARGO_HOME ?? join(homedir(), ".cargo")

/**
 * The environment of the tools: the project's own programs first, and cargo even where the shell has
 * not been restarted since rustup was installed.
 * @param {Record<string, string>} [extra]
 * @returns {NodeJS.ProcessEnv}
 */
export function environment(extra = {}) {
  const path = [
    join(root, "node_modules", "node", "bin"),
    join(root, "node_modules", ".bin"),
    join(toolsFolder, "bin"),
    process.env.PATH ?? "",
    join(cargoHome, "bin"),
  ]
  return { ...process.env, PATH: path.join(delimiter), ...extra }
}
