// Completes package-lock.json after `npm install`: node tools/complete-lock.mjs [FOLDER]
//
// Some registries hold a package's builds for some platforms only. npm then leaves the others out of
// the lock file, and `npm ci` refuses it as incomplete. Entered without their hash they are passed
// over where the platform differs, which is all that is known of them here.
import { readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { root } from "./set-up/environment.mjs"

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const processors = ["arm", "arm64", "ia32", "loong64", "ppc64", "riscv64", "s390x", "wasm32", "x64"]
/** @type {Record<string, string>} */
const aliases = { 64: "x64", windows: "win32" }

/** @typedef {{ version: string, dev?: boolean, optional?: boolean, os?: string[], cpu?: string[], libc?: string[], optionalDependencies?: Record<string, string> }} Entry */

const path = resolve(root, process.argv[2] ?? "", "package-lock.json")
/** @type {{ packages: Record<string, Entry> }} */
const lock = JSON.parse(readFileSync(path, "utf8"))

for (const [owner, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const place = `node_modules/${name}`
    if (lock.packages[place] || lock.packages[`${owner}/${place}`]) continue
    const words = name.split(/[-/]/).map((word) => aliases[word] ?? word)
    const os = systems.filter((system) => words.includes(system))
    const cpu = processors.filter((processor) => words.includes(processor))
    // WebAssembly is a processor without a system.
    if (os.length !== (cpu[0] === "wasm32" ? 0 : 1) || cpu.length !== 1 || !/^\d/.test(version)) {
      console.error(`${name}@${version}, which ${owner} names, is not in the registry, and its platform is not known`)
      process.exitCode = 1
      continue
    }
    const libc = words.some((word) => word.startsWith("musl")) ? ["musl"] : os[0] === "linux" ? ["glibc"] : undefined
    lock.packages[place] = {
      version,
      cpu,
      ...(entry.dev && { dev: true }),
      ...(libc && { libc }),
      optional: true,
      ...(os.length && { os }),
    }
    console.log(`entered ${name}@${version}`)
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
