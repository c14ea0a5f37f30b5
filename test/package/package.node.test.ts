import { execFile } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { root } from "../../tools/set-up/environment.mjs"

const folder = mkdtempSync(join(tmpdir(), "batchnorm-package-"))
const installed = join(folder, "node_modules", "batchnorm")
const nodes = { "Node 20": "node20", "Node 24": "node" }

/** Runs a program in the scratch project; a failure shows what it wrote. */
async function run(program: string, args: string[], cwd = folder): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { cwd })
  return stdout
}

function node(name: string, file: string): Promise<string> {
  return run(join(root, "node_modules", name, "bin", "node"), [join(folder, file)])
}

beforeAll(async () => {
  await run("npm", ["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", folder], root)
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"))!
  writeFileSync(join(folder, "package.json"), '{ "name": "scratch", "private": true, "type": "module" }\n')
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", "--loglevel=error", join(folder, tarball)])
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test("the tarball holds the built package, its licences and nothing else", () => {
  expect(readdirSync(installed).sort()).toEqual([
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "dist",
    "package.json",
  ])
  expect(readdirSync(join(installed, "dist")).sort()).toEqual([
    "index.d.ts",
    "index.js",
    "index.workerd.js",
    "kernel.wasm",
    "no-simd.d.ts",
    "no-simd.js",
    "slim.d.ts",
    "slim.js",
    "threads.d.ts",
    "threads.js",
    "threads.workerd.js",
  ])
})

test("the package depends on nothing", () => {
  expect(readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith("."))).toEqual(["batchnorm"])
})

/** The first example of the README, and what its comments say it prints: `console.log(…) // → …`. */
function readmeExample() {
  const readme = readFileSync(join(root, "README.md"), "utf8")
  const source = /^```(?:js|ts)\n([\s\S]*?)^```$/m.exec(readme)?.[1]
  if (source === undefined) throw new Error("README.md has no example")
  const expected = [...source.matchAll(/console\.log\(.*\/\/ (?:→|->|=>)? ?(.*)$/gm)].map(([, text]) => text!.trim())
  return { source, expected }
}

describe.each(Object.entries(nodes))("in %s", (_, alias) => {
  test("the first example of the README prints what it says", async () => {
    const { source, expected } = readmeExample()
    writeFileSync(join(folder, "readme.mjs"), source)
    const output = await node(alias, "readme.mjs")
    expect(expected.length).toBeGreaterThan(0)
    expect(output.trimEnd().split("\n")).toEqual(expected)
  })

  test("it can be required", async () => {
    writeFileSync(
      join(folder, "required.cjs"),
      `const { moments } = require("batchnorm")
const { mean, variance } = moments({ data: new Float32Array([1, 2, 3, 6]), shape: [2, 2] }, [0])
console.log(JSON.stringify([[...mean.data], [...variance.data]]))`,
    )
    expect(JSON.parse(await node(alias, "required.cjs"))).toEqual([
      [2, 4],
      [1, 4],
    ])
  })

  test("the slim entry starts with the kernel that is shipped beside it", async () => {
    writeFileSync(
      join(folder, "slim.mjs"),
      `import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { initSync, moments } from "batchnorm/slim"
const path = createRequire(import.meta.url).resolve("batchnorm/kernel.wasm")
initSync({ source: readFileSync(path) })
console.log(moments({ data: new Float32Array([1, 3]), shape: [2] }).mean.data[0])`,
    )
    expect(await node(alias, "slim.mjs")).toBe("2\n")
  })
})

test("importing it starts nothing", async () => {
  const file = "idle.mjs"
  writeFileSync(
    join(folder, file),
    `const { compile, Module } = WebAssembly
const refuse = () => { throw new Error("started on import") }
WebAssembly.compile = WebAssembly.instantiate = refuse
WebAssembly.Module = WebAssembly.Instance = class { constructor() { refuse() } }
await import("batchnorm")
await import("batchnorm/no-simd")
await import("batchnorm/slim")
await import("batchnorm/threads")
console.log(typeof compile, typeof Module)`,
  )
  expect(await node("node", file)).toBe("function function\n")
})

test.each(["batchnorm", "batchnorm/no-simd", "batchnorm/slim", "batchnorm/threads"])(
  "an error of %s that nobody catches prints a few lines, not the file",
  async (entry) => {
    const source = `
      const { forward } = await import(${JSON.stringify(entry)})
      forward({ data: Float32Array.of(1, 2), shape: [2] }, { gama: [1, 2] })
    `
    const failed = run(join(root, "node_modules/node/bin/node"), ["--input-type=module", "--eval", source])
    await expect(failed).rejects.toMatchObject({ stderr: expect.stringMatching(/^[\s\S]{0,4000}$/) })
    await expect(failed).rejects.toMatchObject({ stderr: expect.stringContaining("gama") })
  },
)
