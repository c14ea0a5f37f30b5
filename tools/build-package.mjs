import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { command, SetUpError } from "./set-up/command.mjs"
import { projectNode, root, toolsFolder } from "./set-up/environment.mjs"
import { fingerprint, isStamped, stamped } from "./set-up/fingerprint.mjs"

const name = "package"
const entries = ["index", "no-simd", "slim", "threads"]
const outputs = [
  "kernel.wasm",
  "index.workerd.js",
  "threads.workerd.js",
  ...entries.flatMap((entry) => [`${entry}.js`, `${entry}.d.ts`]),
].map((file) => `dist/${file}`)
const inputs = () =>
  fingerprint([
    "ts",
    "tsdown.config.ts",
    "tsconfig.json",
    "tsconfig.package.json",
    "tools/build-package.mjs",
    "tools/break-lines.mjs",
    "package-lock.json",
  ])

/** @type {import("./set-up/steps.mjs").Step} */
export const buildPackage = {
  title: "building the package: ts → dist",
  isCurrent: () => isStamped(name, inputs(), outputs),
  run: (say) => stamped(name, inputs(), () => build(say)),
}

/** @param {(line: string) => void} say */
async function build(say) {
  const folder = join(toolsFolder, "build", "dist")
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  await command(projectNode, ["node_modules/tsdown/dist/run.mjs", "--out-dir", folder], {
    say,
    log: name,
    isBuild: true,
  })
  // It needs a package, and this file is read before they are installed.
  const { breakLines } = await import("./break-lines.mjs")
  copyFileSync(join(root, "ts/generated/kernel_bg.wasm"), join(folder, "kernel.wasm"))

  for (const file of readdirSync(folder).filter((entry) => entry.endsWith(".js"))) {
    const code = readFileSync(join(folder, file), "utf8")
    // webpack and Next trip over it, and nothing in the bundle needs it (docs/architecture.md).
    if (code.includes("import.meta")) {
      throw new SetUpError(`dist/${file} would contain import.meta, which some bundlers cannot take`)
    }
    // One such character makes engines keep the whole file with two bytes per character, and breaks where a charset is wrong.
    const other = [...code].find((character) => character > "~")
    if (other) throw new SetUpError(`dist/${file} would contain ${other}, which is not ASCII`)
    writeFileSync(join(folder, file), breakLines(code))
  }
  rmSync(join(root, "dist"), { recursive: true, force: true })
  renameSync(folder, join(root, "dist"))
}
