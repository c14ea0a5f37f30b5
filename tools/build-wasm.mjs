import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { encodePrintable } from "./printable.mjs"
import { command } from "./set-up/command.mjs"
import { environment, projectNode, root, toolsFolder } from "./set-up/environment.mjs"
import { fingerprint, isStamped, stamped } from "./set-up/fingerprint.mjs"
import { compiler } from "./set-up/rust.mjs"

const name = "wasm"
const generated = "ts/generated"

/**
 * A build of the kernels: the same crates, compiled for some set of engines.
 * @typedef {object} Variant
 * @property {string} targetFeatures what the compiler may use
 * @property {readonly string[]} wasmFeatures the same by the names of the linker
 * @property {readonly string[]} wasmOpt its options for these
 * @property {readonly string[]} [features] of the crate batchnorm-wasm
 * @property {readonly string[]} [linker] more of its arguments
 * @property {boolean} [isShared] whether several instances share a memory, which they are given
 */

// The features are named to the linker too: else those of the precompiled core library would be taken for ours.
const wasmFeatures = ["bulk-memory", "sign-ext", "mutable-globals", "nontrapping-fptoint"]

// Without reference types and multiple results a module has no table and no start call, and so asks for no import.
const targetFeatures = "-reference-types,-multivalue"

// wasm-opt reads them from a section that has gone where exports were made plain.
const allFeatures = ["bulk-memory", "sign-ext", "mutable-globals", "nontrapping-float-to-int"].map(
  (name) => `--enable-${name}`,
)
const threadGlobals = ["__stack_pointer", "__tls_base", "__tls_size"].map((name) => `--export=${name}`)

/** @type {Variant} */
export const kernel = {
  targetFeatures: `+simd128,${targetFeatures}`,
  wasmFeatures: ["simd128", ...wasmFeatures],
  wasmOpt: ["--enable-simd"],
}

/** @type {Variant} */
export const threads = {
  targetFeatures: `+simd128,+atomics,${targetFeatures}`,
  wasmFeatures: ["simd128", "atomics", ...wasmFeatures],
  // A fresh memory is zero; if it is imported, wasm-opt has to be told. What goes into it is packed once it is simple.
  wasmOpt: ["--enable-simd", "--enable-threads", ...allFeatures, "--zero-filled-memory", "--memory-packing"],
  features: ["threads"],
  // 4 GiB: how much there is is the importer's choice.
  linker: ["--import-memory", "--shared-memory", "--max-memory=4294967296", ...threadGlobals],
  isShared: true,
}

/**
 * The builds that are shipped, each with the file that its bytes are written into as text.
 * @type {Record<string, Variant>}
 */
const variants = {
  kernel,
  "no-simd": { targetFeatures, wasmFeatures, wasmOpt: [] },
  threads,
}

const texts = Object.keys(variants).map((variant) => `${variant}-text.ts`)
const outputs = ["kernel_bg.wasm", "kernel_bg.wasm.d.ts", ...texts, "decoder.ts"].map((file) => `${generated}/${file}`)

/**
 * The fingerprint of all that a build of the kernels depends on.
 * @param {readonly string[]} [more] files of the project
 */
export async function inputs(more = []) {
  const { version } = await compiler()
  const tools = ["build-wasm.mjs", "decoder.wat", "plain-exports.mjs", "printable.mjs", "set-up/wasm-tools.mjs"].map(
    (file) => `tools/${file}`,
  )
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
  const folder = join(toolsFolder, "build", "generated")
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [id, variant] of Object.entries(variants)) {
    const own = join(toolsFolder, "build", id)
    const { wasm, pages } = await buildKernel(own, { say, log: `${name}-${id}`, variant })
    // All of them have these exports.
    if (variant === kernel) {
      for (const file of ["kernel_bg.wasm", "kernel_bg.wasm.d.ts"]) copyFileSync(join(own, file), join(folder, file))
    }
    const lines = [`export const kernelText: string = "${encodePrintable(readFileSync(wasm))}"`]
    if (variant.isShared) lines.push(`export const kernelPages: number = ${pages}`)
    writeFileSync(join(folder, `${id}-text.ts`), `${lines.join("\n")}\n`)
  }
  await buildDecoder(folder, { say, log: name })
  rmSync(join(root, generated), { recursive: true, force: true })
  renameSync(folder, join(root, generated))
}

const wasmOpt = join(root, "node_modules", "binaryen", "bin", "wasm-opt")

/**
 * Assembles what decodes the text of the kernels.
 * @param {string} folder
 * @param {{ say: (line: string) => void, log: string }} options
 */
async function buildDecoder(folder, options) {
  const wasm = join(folder, "decoder.wasm")
  await command(projectNode, [wasmOpt, join(root, "tools", "decoder.wat"), "-Oz", "-o", wasm], options)
  writeFileSync(join(folder, "decoder.ts"), `export const decoder: readonly number[] = [${[...readFileSync(wasm)]}]\n`)
}

/**
 * Builds the kernels, as they are shipped, into an empty folder.
 * @param {string} folder
 * @param {object} options
 * @param {(line: string) => void} options.say
 * @param {string} options.log
 * @param {Variant} [options.variant] the default build unless given
 * @param {readonly string[]} [options.features] of the crate's features, those to add
 * @returns {Promise<{ wasm: string, pages: number }>} the path of the wasm, and pages of a memory that it is to be given
 */
export async function buildKernel(folder, { say, log, variant = kernel, features = [] }) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })

  const all = [...(variant.features ?? []), ...features].map((feature) => `--features=${feature}`)
  const compile = variant.isShared ? compileShared : compileAlone
  const pages = await compile(folder, { say, log, isBuild: true, env: compilerEnvironment(variant) }, all)
  const wasm = join(folder, "kernel_bg.wasm")
  // The stack lies lowest in memory, so that no array begins in the first kilobyte: what --low-memory-unused asks for.
  const options = ["-O2", "--low-memory-unused", ...variant.wasmOpt, "--strip-producers", "--strip-target-features"]
  await command(projectNode, [wasmOpt, wasm, ...options, "-o", wasm], { say, log })
  return { wasm, pages }
}

/**
 * @param {string} folder
 * @param {Parameters<typeof command>[2]} options
 * @param {readonly string[]} features
 */
async function compileAlone(folder, options, features) {
  const pack = ["-q", "build", "crates/batchnorm-wasm", "--target", "web", "--out-dir", folder, "--out-name", "kernel"]
  const modes = ["--mode", "no-install", "--no-opt", "--no-pack", "--", "--locked", ...features]
  await command("wasm-pack", [...pack, ...modes], options)
  return 0
}

/**
 * @param {string} folder
 * @param {Parameters<typeof command>[2]} options
 * @param {readonly string[]} features
 */
async function compileShared(folder, options, features) {
  const target = join(toolsFolder, "build", "target")
  const build = ["build", "-q", "--release", "--locked", "-p", "batchnorm-wasm", "--target", "wasm32-unknown-unknown"]
  await command("cargo", [...build, "--target-dir", target, ...features], options)
  const compiled = join(target, "wasm32-unknown-unknown", "release", "batchnorm_wasm.wasm")
  // It needs a package, which is there by now.
  const { plainExports } = await import("./plain-exports.mjs")
  const { wasm, pages } = plainExports(readFileSync(compiled))
  writeFileSync(join(folder, "kernel_bg.wasm"), wasm)
  return pages
}

/** @param {Variant} variant */
function compilerEnvironment(variant) {
  const env = environment({ RUSTFLAGS: rustFlags(variant) })
  delete env.CARGO_ENCODED_RUSTFLAGS // it would replace them
  // What instances that share a memory need is not stable: thread-local variables without the standard library.
  if (variant.isShared) env.RUSTC_BOOTSTRAP = "batchnorm_wasm"
  return env
}

/** @param {Variant} variant */
function rustFlags({ targetFeatures, wasmFeatures, linker = [] }) {
  return [
    // What is worth lanes is in lanes: the compiler's own only make scalar rests longer.
    "-Cno-vectorize-loops",
    // What is called from several places is hardly ever in a hot loop, where what has to be inlined says so itself.
    "-Cllvm-args=-inline-threshold=50",
    // Hot loops are written as long as they should be; others would be unrolled too.
    "-Cllvm-args=-unroll-runtime=false",
    `-Ctarget-feature=${targetFeatures}`,
    "-Clink-arg=--no-check-features",
    `-Clink-arg=--features=${wasmFeatures.join(",")}`,
    ...linker.map((argument) => `-Clink-arg=${argument}`),
  ].join(" ")
}
