import { join } from "node:path"
import { root } from "../../tools/set-up/environment.mjs"
import { faultsOf } from "./expected.ts"
import type { Answer } from "./program/attempt.ts"
import type { Scratch } from "./scratch.ts"

export interface Environment {
  /** As one names it on the command line. */
  readonly name: string
  /** Runs the program there. */
  readonly run: (scratch: Scratch) => Promise<Answer>
  /** What is wrong with its answer. */
  readonly faults: (answer: Answer) => string[]
}

const here = process.execPath

/** An environment whose answer has to be right, and to come from the engine named. */
function environment(name: string, engine: RegExp, run: Environment["run"]): Environment {
  return { name, run, faults: (answer) => faultsOf(answer, engine) }
}

/** The last line that a program prints. */
async function printed(scratch: Scratch, cwd: string, program: string, ...args: string[]): Promise<Answer> {
  const output = await scratch.run({ program, args, cwd })
  return JSON.parse(output.trimEnd().split("\n").pop()!)
}

const nodes = [
  { version: 20, project: "plain", program: () => join(root, "node_modules/node20/bin/node") },
  { version: 22, project: "node22", program: (cwd: string) => join(cwd, "node_modules/node/bin/node") },
  { version: 24, project: "plain", program: () => here },
  { version: 26, project: "node26", program: (cwd: string) => join(cwd, "node_modules/node/bin/node") },
].flatMap(({ version, project, program }) =>
  [`node${version}`, `node${version}-require`].map((name) =>
    environment(name, new RegExp(`^Node\\.js/${version}`), async (scratch) => {
      const cwd = await scratch.project(project)
      return printed(scratch, cwd, program(cwd), name.endsWith("require") ? "print.cjs" : "print.js")
    }),
  ),
)

const engines = { chromium: /Chrome\/.* Window$/, firefox: /Firefox\/.* Window$/ }
const workers = {
  chromium: /Chrome\/.* DedicatedWorkerGlobalScope$/,
  firefox: /Firefox\/.* DedicatedWorkerGlobalScope$/,
}

/** The files of the package as they are, imported by their URL: an import map does not reach into workers. */
const unbundled = (scratch: Scratch) => scratch.project("unbundled", "/node_modules/batchnorm/dist/index.js")

const policy = (scripts: string) => ({
  "Content-Security-Policy": `default-src 'none'; script-src ${scripts}; connect-src 'self'; base-uri 'none'`,
})

const browsers = (["chromium", "firefox"] as const).flatMap((name) => [
  environment(name, engines[name], async (scratch) => {
    const url = await scratch.files(await unbundled(scratch))
    return (await scratch.browser(name)).answer(url)
  }),
  environment(`${name}-worker`, workers[name], async (scratch) => {
    const url = await scratch.files(await unbundled(scratch))
    return (await scratch.browser(name)).answer(`${url}page-of-worker.html`)
  }),
  environment(`${name}-csp`, engines[name], async (scratch) => {
    const browser = await scratch.browser(name)
    const cwd = await unbundled(scratch)
    const refused = await browser.answer(await scratch.files(cwd, policy("'self'")))
    if (!("error" in refused))
      throw new Error("the browser does not keep to the policy: the kernels compiled without 'wasm-unsafe-eval'")
    return browser.answer(await scratch.files(cwd, policy("'self' 'wasm-unsafe-eval'")))
  }),
])

const runtimes = [
  environment("bun", /^Bun\/1/, async (scratch) => {
    const cwd = await scratch.project("bun")
    return printed(scratch, cwd, join(cwd, "node_modules/.bin/bun"), "print.js")
  }),
  environment("deno", /^Deno\/2/, async (scratch) => {
    const cwd = await scratch.project("deno")
    return printed(scratch, cwd, join(cwd, "node_modules/.bin/deno"), "run", "--no-remote", "print.js")
  }),
  environment("workerd", /^Cloudflare-Workers/, async (scratch) => {
    const cwd = await scratch.project("workerd")
    const { url, output } = await scratch.serve({
      program: "node_modules/.bin/wrangler",
      args: ["dev", "--ip=127.0.0.1", "--port=0", "--show-interactive-dev-session=false"],
      cwd,
      env: { WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" },
    })
    const response = await fetch(url)
    if (!response.ok) throw new Error(`status ${response.status}\n${await response.text()}\n${output()}`)
    return (await response.json()) as Answer
  }),
]

export const environments: readonly Environment[] = [...nodes, ...runtimes, ...browsers]
