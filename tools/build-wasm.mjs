import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { encodePrintable } from "./printable.mjs"
import { command } from "./set-up/command.mjs"
import { environment, projectNode, root, toolsFolder } from "./set-up/environment.mjs"
import { fingerprint, isStamped, stamped } from "./set-up/fingerprint.mjs"
import { compiler } from "./set-up/rust.mjs"

const name = "wasm"
const generated = "ts/generated"
const outputs = ["kernel_bg.wasm", "kernel_bg.wasm.d.ts", "kernel-text.ts"].map((file) => `${generated}/${file}`)

// Without reference types and multiple results the module has no table and no start call, and so asks for no import.
// The features are named to the linker too: else those of the precompiled core library would be taken for ours.
const wasmFeatures = ["simd128", "bulk-memory", "sign-ext", "mutable-globals", "nontrapping-fptoint"]
const rustFlags = [
  // What is worth lanes is in lanes: the compiler's own only make scalar rests longer.
  "-Cno-vectorize-loops",
  "-Ctarget-feature=+simd128,-reference-types,-multivalue",
  "-Clink-arg=--no-check-features",
  `-Clink-arg=--features=${wasmFeatures.join(",")}`,
].join(" ")

/**
 * The fingerprint of all that a build of the kernels depends on.
 * @param {readonly string[]} [more] files of the project
 */
export async function inputs(more = []) {
  const { version } = await compiler()
  const tools = ["build-wasm.mjs", "printable.mjs", "set-up/wasm-tools.mjs"].map((file) => `tools/${file}`)
  const kept = ["crates", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "node_modules/binaryen/package.json"]
  return fingerprint([...kept, ...tools, ...more], {
    extra: version,
    except: (path) => /^crates\/[^/]+\/tests$/.test(path),
  })
}

/** @type {import("./set-up/steps.mjs").Step} */
export const buildWasm = {
  title: "building the kernels: crates → ts/generated",
  isCurrent: async () => isStamped(name, await inputs(), outputs),
  run: async (say) => stamped(name, await inputs(), () => build(say)),
}

/** @param {(line: string) => void} say */
async function build(say) {
  const folder = join(toolsFolder, "build", "kernel")
  const wasm = await buildKernel(folder, { say, log: name })
  const text = encodePrintable(readFileSync(wasm))
  writeFileSync(join(folder, "kernel-text.ts"), `export const kernelText: string = "${text}"\n`)

  rmSync(join(root, generated), { recursive: true, force: true })
  renameSync(folder, join(root, generated))
}

/**
 * Builds the kernels, as they are shipped, into an empty folder.
 * @param {string} folder
 * @param {{ say: (line: string) => void, log: string, features?: readonly string[] }} options of the crate's features, those to add
 * @returns {Promise<string>} the path of the wasm
 */
export async function buildKernel(folder, { say, log, features = [] }) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })

  const env = environment({ RUSTFLAGS: rustFlags })
  delete env.CARGO_ENCODED_RUSTFLAGS // it would replace them
  const more = features.map((feature) => `--features=${feature}`)
  const pack = ["-q", "build", "crates/batchnorm-wasm", "--target", "web", "--out-dir", folder, "--out-name", "kernel"]
  await command("wasm-pack", [...pack, "--mode", "no-install", "--no-opt", "--no-pack", "--", "--locked", ...more], {
    say,
    env,
    log,
    isBuild: true,
  })

  const wasm = join(folder, "kernel_bg.wasm")
  const wasmOpt = join(root, "node_modules", "binaryen", "bin", "wasm-opt")
  // The stack lies lowest in memory, so that no array begins in the first kilobyte: what --low-memory-unused asks for.
  const options = ["-O2", "--low-memory-unused", "--enable-simd", "--strip-producers", "--strip-target-features"]
  await command(projectNode, [wasmOpt, wasm, ...options, "-o", wasm], { say, log })
  return wasm
}
