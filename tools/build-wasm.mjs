import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { encodePrintable } from "./printable.mjs"
import { command } from "./set-up/command.mjs"
import { environment, projectNode, root, toolsFolder } from "./set-up/environment.mjs"
import { fingerprint, isStamped, stamped } from "./set-up/fingerprint.mjs"
import { compiler } from "./set-up/rust.mjs"

const name = "wasm"
const generated = "ts/generated"
const outputs = ["kernel.js", "kernel.d.ts", "kernel_bg.wasm", "kernel-text.ts"].map((file) => `${generated}/${file}`)

// Without reference types and multiple results the glue has no table and no start call. The features
// are named to the linker too: else those of the precompiled core library would be taken for ours.
const features = ["simd128", "bulk-memory", "sign-ext", "mutable-globals", "nontrapping-fptoint"]
const rustFlags = [
  // What is worth lanes is in lanes: the compiler's own only make scalar rests longer.
  "-Cno-vectorize-loops",
  "-Ctarget-feature=+simd128,-reference-types,-multivalue",
  "-Clink-arg=--no-check-features",
  `-Clink-arg=--features=${features.join(",")}`,
].join(" ")

async function inputs() {
  const { version } = await compiler()
  const tools = ["build-wasm.mjs", "printable.mjs", "set-up/wasm-tools.mjs"].map((file) => `tools/${file}`)
  return fingerprint(
    ["crates", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml", ...tools, "node_modules/binaryen/package.json"],
    {
      extra: version,
      except: (path) => /^crates\/[^/]+\/tests$/.test(path),
    },
  )
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
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })

  const env = environment({ RUSTFLAGS: rustFlags })
  delete env.CARGO_ENCODED_RUSTFLAGS // it would replace them
  const pack = ["-q", "build", "crates/batchnorm-wasm", "--target", "web", "--out-dir", folder, "--out-name", "kernel"]
  await command("wasm-pack", [...pack, "--mode", "no-install", "--no-opt", "--no-pack", "--", "--locked"], {
    say,
    env,
    log: name,
    isBuild: true,
  })

  const wasm = join(folder, "kernel_bg.wasm")
  const wasmOpt = join(root, "node_modules", "binaryen", "bin", "wasm-opt")
  // The stack lies lowest in memory, so that no array begins in the first kilobyte: what --low-memory-unused asks for.
  const options = ["-O2", "--low-memory-unused", "--enable-simd", "--strip-producers", "--strip-target-features"]
  await command(projectNode, [wasmOpt, wasm, ...options, "-o", wasm], { say, log: name })

  const text = encodePrintable(readFileSync(wasm))
  writeFileSync(join(folder, "kernel-text.ts"), `export const kernelText: string = "${text}"\n`)

  rmSync(join(root, generated), { recursive: true, force: true })
  renameSync(folder, join(root, generated))
}
