// Formatting, lints and types of Rust and TypeScript, the package and its size: npm run check
import { pathToFileURL } from "node:url"
import { checkPackage } from "./check-package.mjs"
import { checkSize } from "./check-size.mjs"
import { checkTypes } from "./check-types.mjs"
import { checkDocs } from "./docs.mjs"
import { inColour, program } from "./program.mjs"
import { one, runAll } from "./tally.mjs"
import { checkWalls } from "./walls.mjs"

/**
 * @param {string} title
 * @param {string} name
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 * @returns {import("./tally.mjs").Check}
 */
const command = (title, name, args, env = {}) => ({
  title,
  run: async () => one((await program(name, args, { env })).code === 0),
})

const clippy = ["clippy", "--locked", "--quiet"]
const deny = ["--", "-D", "warnings"]
const incremental = ["--incremental", "--tsBuildInfoFile", ".tools/types.tsbuildinfo"]
const wasm = ["--target", "wasm32-unknown-unknown", "-p", "batchnorm-wasm", "--all-features"]

/** @type {readonly import("./tally.mjs").Check[]} */
export const checks = [
  command("Rust formatting", "cargo", ["fmt", "--all", "--check"]),
  command("Rust lints", "cargo", [...clippy, "--workspace", "--all-targets", ...deny]),
  // Thread-local variables, of the build for several threads, are not stable.
  command("Rust lints, WebAssembly", "cargo", [...clippy, ...wasm, ...deny], { RUSTC_BOOTSTRAP: "batchnorm_wasm" }),
  { title: "walls", run: checkWalls },
  command("TypeScript types, everything", "tsc", ["-p", "tsconfig.json", ...incremental]),
  command("TypeScript types, the package alone", "tsc", ["-p", "tsconfig.package.json", "--noEmit"]),
  { title: "TypeScript types, as consumers see them", run: checkTypes },
  { title: "the packed package", run: checkPackage },
  { title: "the size of what a page loads", run: checkSize },
  command("TypeScript formatting and lints", "biome", [
    "ci",
    "--error-on-warnings",
    `--colors=${inColour ? "force" : "off"}`,
  ]),
  { title: "the reference and the guides", run: checkDocs },
  command("unused files, exports and packages", "knip", []),
]

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.exitCode = await runAll(checks)
