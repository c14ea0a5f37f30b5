import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { command } from "./command.mjs"
import { environment, toolsFolder } from "./environment.mjs"

export const wasmPack = installed("wasm-pack", "0.15.1", "wasm-pack")
// The same number as that of the crate in Cargo.toml: the two speak a private protocol.
export const wasmBindgen = installed("wasm-bindgen-cli", "0.2.129", "wasm-bindgen")

/**
 * @param {string} crate
 * @param {string} version
 * @param {string} program
 * @returns {import("./steps.mjs").Step}
 */
function installed(crate, version, program) {
  return {
    title: `building ${crate} ${version} into .tools (takes some minutes, once)`,
    isCurrent() {
      const list = join(toolsFolder, ".crates.toml")
      return (
        existsSync(join(toolsFolder, "bin", program)) &&
        existsSync(list) &&
        readFileSync(list, "utf8").includes(`"${crate} ${version} (`)
      )
    },
    async run(say) {
      // A folder that outlives an interruption: the next run goes on where this one stopped.
      const target = join(toolsFolder, "build", "cargo-install")
      await command("cargo", ["install", "--locked", "--force", "--root", toolsFolder, "--version", version, crate], {
        say,
        env: environment({ CARGO_TARGET_DIR: target }),
        log: crate,
        missing: "cargo is missing: install rustup and its stable toolchain (https://rustup.rs)",
      })
      rmSync(target, { recursive: true, force: true })
    },
  }
}
