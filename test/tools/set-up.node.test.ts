import { spawn } from "node:child_process"
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { root } from "../../tools/set-up/environment.mjs"

let folder = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "batchnorm-set-up-"))
  cpSync(join(root, "tools"), join(folder, "tools"), { recursive: true })
  writeFileSync(join(folder, "Cargo.toml"), 'rust-version = "1.89"\n')
  writeFileSync(join(folder, "package-lock.json"), "{}\n")
  mkdirSync(join(folder, "bin"))
  // Scripts of sh find the few programs that they need themselves.
  for (const name of ["sh", "mkdir", "touch", "sleep"]) stub(name, `exec /bin/${name} "$@"`)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A program of this name, in the place of the real one. */
function stub(name: string, script: string) {
  const path = join(folder, "bin", name)
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
}

const installs = "mkdir -p node_modules/node/bin && touch node_modules/.package-lock.json node_modules/node/bin/node"

function start(mode: string, onOutput: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => {}) {
  return new Promise<{ code: number | null; output: string; errors: string }>((resolve) => {
    const child = spawn(process.execPath, ["tools/set-up.mjs", mode], {
      cwd: folder,
      env: { PATH: join(folder, "bin"), HOME: folder, CI: "true" },
    })
    let output = ""
    let errors = ""
    child.stdout.on("data", (chunk) => {
      output += chunk
      onOutput(output, (signal) => child.kill(signal))
    })
    child.stderr.on("data", (chunk) => {
      errors += chunk
    })
    child.on("close", (code) => resolve({ code, output, errors }))
  })
}

test("no npm is one line that says what to install", async () => {
  const { code, errors } = await start("run")
  expect(code).toBe(1)
  expect(errors).toMatch(/^set-up: npm is missing: install it .*\n$/)
})

test("no Rust is one line that says what to install", async () => {
  stub("npm", installs)
  const { code, errors } = await start("run")
  expect(code).toBe(1)
  expect(errors).toMatch(/^set-up: Rust is missing: install rustup .*\n$/)
})

test("a Rust that is too old is one line", async () => {
  stub("npm", installs)
  stub("rustc", 'case "$1" in -vV) echo "release: 1.70.0";; *) echo /nowhere;; esac')
  const { code, errors } = await start("run")
  expect(code).toBe(1)
  expect(errors).toMatch(/^set-up: Rust 1\.89 or newer is needed, this is 1\.70: run `rustup update stable`.*\n$/)
})

test("no rustup is one line that says what to install", async () => {
  stub("npm", installs)
  stub("rustc", 'case "$1" in -vV) echo "release: 1.95.0";; *) echo /nowhere;; esac')
  const { code, errors } = await start("run")
  expect(code).toBe(1)
  expect(errors).toMatch(/^set-up: rustup is missing, .*install it .*\n$/)
})

test("no network is one line, and the log is named", async () => {
  stub("npm", 'echo "npm error code ENOTFOUND" >&2; exit 1')
  const { code, errors } = await start("run")
  expect(code).toBe(1)
  expect(errors).toMatch(/^set-up: the network .* cannot be reached: .*\.tools\/log\/npm-packages\.log\)\n$/)
})

test("an unknown mode is named", async () => {
  const { code, errors } = await start("everything")
  expect(code).toBe(1)
  expect(errors).toBe('set-up: unknown mode "everything", expected one of run, check, bench, test\n')
})

test("a step is skipped when its inputs have not changed, and done again when they have", async () => {
  stub("npm", installs)
  expect((await start("run")).output).toContain("npm packages")
  expect((await start("run")).output).not.toContain("npm packages")
  writeFileSync(join(folder, "package-lock.json"), "{ }\n")
  expect((await start("run")).output).toContain("npm packages")
})

test("an interrupted step is no finished one", async () => {
  stub("npm", `${installs}; exec sleep 30`)
  const { code, errors } = await start("run", (text, kill) => {
    if (text.includes("npm packages")) setTimeout(kill, 300, "SIGINT")
  })
  expect(code).toBe(130)
  expect(errors).toMatch(/^set-up: interrupted while installing the npm packages .*\n$/)
  expect(existsSync(join(folder, ".tools/stamps/npm-packages"))).toBe(false)
  stub("npm", installs)
  expect((await start("run")).output).toContain("npm packages")
})

const browsers = [
  { name: "Chromium", step: "installChromium", file: "chromium", debian: "chromium" },
  { name: "Firefox", step: "installFirefox", file: "firefox", debian: "firefox-esr" },
]

/** The step alone: what comes before it has nothing to do with it. */
function install({ step, file }: (typeof browsers)[number]) {
  const script = `const { ${step} } = await import("./tools/set-up/${file}.mjs"); await ${step}.run(() => {})`
  return new Promise<{ code: number | null; errors: string }>((resolve) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      cwd: folder,
      env: { PATH: join(folder, "bin"), HOME: folder },
    })
    let errors = ""
    child.stderr.on("data", (chunk) => {
      errors += chunk
    })
    child.on("close", (code) => resolve({ code, errors }))
  })
}

describe.each(browsers)("$name", (browser) => {
  const { name, debian } = browser

  test.runIf(process.getuid?.() === 0)("root gets Debian's", async () => {
    stub("apt-get", `case "$*" in *install*${debian}*) touch bin/${debian} && /bin/chmod +x bin/${debian};; esac`)
    expect(await install(browser)).toEqual({ code: 0, errors: "" })
    expect(existsSync(join(folder, "bin", debian))).toBe(true)
  })

  test("none to be had is said with what to do", async () => {
    stub("apt-get", "exit 100")
    const { code, errors } = await install(browser)
    expect(code).toBe(1)
    expect(errors).toMatch(new RegExp(`no ${name}, which .*browser tests run in: install one`))
  })
})

test("set-up is made of Node's own modules", async () => {
  const { default: ts } = await import("typescript")
  const { readFileSync } = await import("node:fs")
  const seen = new Set<string>()
  const foreign: string[] = []
  const visit = (path: string) => {
    if (seen.has(path)) return
    seen.add(path)
    for (const { fileName } of ts.preProcessFile(readFileSync(path, "utf8"), true, true).importedFiles) {
      if (fileName.startsWith(".")) visit(join(dirname(path), fileName))
      else if (!fileName.startsWith("node:")) foreign.push(fileName)
    }
  }
  visit(join(root, "tools/set-up.mjs"))
  expect(seen.size).toBeGreaterThan(5)
  // Asked for once the packages are there: to break lines, to make exports plain, and where the test runner's own browser lies.
  expect(foreign).toEqual(["rolldown/parseAst", "binaryen", "playwright"])
})
