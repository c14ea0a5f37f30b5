import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { command, SetUpError } from "./command.mjs"
import { root } from "./environment.mjs"

const target = "wasm32-unknown-unknown"
const noRust =
  "Rust is missing: install rustup and its stable toolchain (https://rustup.rs), then run the same command again"
const noRustup =
  "rustup is missing, which adds the parts of Rust that are needed: install it (https://rustup.rs), then run the same command again"

/** @typedef {{ sysroot: string, version: string }} Compiler */

/** @type {Promise<Compiler> | undefined} */
let found

/** @returns {Promise<Compiler>} where the compiler lies, and all that it says of its version */
export function compiler() {
  found ??= ask()
  return found
}

/** @returns {Promise<Compiler>} */
async function ask() {
  const [version, sysroot] = await Promise.all([
    command("rustc", ["-vV"], { missing: noRust }),
    command("rustc", ["--print", "sysroot"], { missing: noRust }),
  ])
  const release = /^release: (\d+)\.(\d+)/m.exec(version)
  const wanted = /^rust-version = "(\d+)\.(\d+)/m.exec(readFileSync(join(root, "Cargo.toml"), "utf8"))
  if (!release) throw new SetUpError(noRust)
  if (wanted && Number(release[1]) === Number(wanted[1]) && Number(release[2]) < Number(wanted[2])) {
    const numbers = `Rust 1.${wanted[2]} or newer is needed, this is 1.${release[2]}`
    throw new SetUpError(`${numbers}: run \`rustup update stable\`, then the same command again`)
  }
  return { sysroot: sysroot.trim(), version }
}

/** @type {import("./steps.mjs").Step} */
export const wasmTarget = {
  title: `adding the target ${target} to Rust`,
  isCurrent: async () => existsSync(join((await compiler()).sysroot, "lib", "rustlib", target, "lib")),
  run: async (say) => {
    await command("rustup", ["target", "add", target], { say, log: "rustup", missing: noRustup })
  },
}

/** @type {import("./steps.mjs").Step} */
export const rustComponents = {
  title: "adding rustfmt and clippy to Rust",
  isCurrent: async () => {
    const { sysroot } = await compiler()
    return ["rustfmt", "cargo-clippy"].every((name) => existsSync(join(sysroot, "bin", name)))
  },
  run: async (say) => {
    await command("rustup", ["component", "add", "rustfmt", "clippy"], { say, log: "rustup", missing: noRustup })
  },
}
