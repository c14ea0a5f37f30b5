import { join } from "node:path"
import { root } from "../../tools/set-up/environment.mjs"
import { faultsOf } from "./expected.ts"
import type { Answer } from "./program/attempt.ts"
import { type Scratch, writePages } from "./scratch.ts"

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

const vites = [7, 8].flatMap((version) => {
  const vite = "node_modules/.bin/vite"
  const name = `vite${version}`
  return [
    environment(`${name}-dev`, engines.chromium, async (scratch) => {
      const { url } = await scratch.serve({ program: vite, args: ["--port=0"], cwd: await scratch.project(name) })
      return (await scratch.browser("chromium")).answer(url)
    }),
    environment(`${name}-build`, engines.chromium, async (scratch) => {
      const cwd = await scratch.project(name)
      await scratch.run({ program: vite, args: ["build"], cwd })
      return (await scratch.browser("chromium")).answer(await scratch.files(join(cwd, "dist")))
    }),
  ]
})

// Bundles go to folders that lie beside the project: there an import that was left in them finds nothing.
const bundlers = [
  bundler("webpack", "webpack", (input, folder, file, isForNode) => [
    ...["--mode=production", `--entry=./${input}`, `--output-path=${folder}`, `--output-filename=${file}`],
    ...(isForNode ? ["--target=node"] : []),
  ]),
  bundler("esbuild", "esbuild", (input, folder, file, isForNode) => [
    ...[input, "--bundle", "--minify", `--outfile=${folder}/${file}`],
    ...(isForNode ? ["--platform=node"] : []),
  ]),
  bundler("rollup", "rollup", (input, folder, file, isForNode) => [
    ...[input, `--file=${folder}/${file}`, "--plugin=node-resolve"],
    `--format=${isForNode ? "cjs" : "es"}`,
  ]),
  bundler("rolldown", "rolldown", (input, folder, file, isForNode) => [
    ...[input, `--file=${folder}/${file}`, "--minify"],
    ...(isForNode ? ["--platform=node", "--format=cjs"] : ["--format=esm"]),
  ]),
  bundler("bun", "bun-build", (input, folder, file, isForNode) => [
    ...["build", input, `--outfile=${folder}/${file}`, "--minify"],
    ...(isForNode ? ["--target=node", "--format=cjs"] : []),
  ]),
].flat()

/** A bundler on the command line: its bundle of the page in Chromium, and that of the program that prints in Node. */
function bundler(
  project: string,
  name: string,
  args: (input: string, folder: string, file: string, isForNode: boolean) => string[],
): Environment[] {
  const bundle = async (scratch: Scratch, input: string, file: string, isForNode: boolean) => {
    const cwd = await scratch.project(project)
    const folder = join(scratch.folder, "bundles", name, isForNode ? "node" : "web")
    await scratch.run({
      program: join(cwd, "node_modules/.bin", project),
      args: args(input, folder, file, isForNode),
      cwd,
    })
    return folder
  }
  return [
    environment(name, engines.chromium, async (scratch) => {
      const folder = await bundle(scratch, "page.js", "bundle.js", false)
      writePages(folder, "bundle.js")
      return (await scratch.browser("chromium")).answer(await scratch.files(folder))
    }),
    environment(`${name}-node`, /^Node\.js\/24/, async (scratch) => {
      const folder = await bundle(scratch, "print.js", "print.cjs", true)
      return printed(scratch, folder, here, "print.cjs")
    }),
  ]
}

/** Next, built and started. */
function nextServer(scratch: Scratch) {
  return scratch.once("Next", async () => {
    const cwd = await scratch.project("next")
    const program = "node_modules/.bin/next"
    const env = { NEXT_TELEMETRY_DISABLED: "1", NEXT_IGNORE_INCORRECT_LOCKFILE: "1" }
    await scratch.run({ program, args: ["build"], cwd, env })
    return scratch.serve({ program, args: ["start", "--port=0"], cwd, env })
  })
}

async function nextPage(scratch: Scratch): Promise<Record<"server" | "client", Answer>> {
  const { url } = await nextServer(scratch)
  return (await scratch.browser("chromium")).answer(url)
}

const next = [
  environment("next-server", /^Node\.js\/24/, async (scratch) => (await nextPage(scratch)).server),
  environment("next-route", /^Node\.js\/24/, async (scratch) => {
    const { url } = await nextServer(scratch)
    return (await (await fetch(`${url}/api`)).json()) as Answer
  }),
  environment("next-client", engines.chromium, async (scratch) => (await nextPage(scratch)).client),
]

// Where the condition is set by mistake.
const leaks: Environment[] = [
  {
    name: "workerd-leak-node",
    async run(scratch) {
      return printed(scratch, await scratch.project("plain"), here, "--conditions=workerd", "print.js")
    },
    faults: faultsOfLeak,
  },
  {
    name: "workerd-leak-esbuild",
    async run(scratch) {
      const cwd = await scratch.project("esbuild")
      const folder = join(scratch.folder, "bundles", "leak")
      const args = ["page.js", "--bundle", "--conditions=workerd", "--loader:.wasm=file", `--outdir=${folder}`]
      await scratch.run({ program: "node_modules/.bin/esbuild", args, cwd })
      writePages(folder, "page.js")
      return (await scratch.browser("chromium")).answer(await scratch.files(folder))
    },
    faults: faultsOfLeak,
  },
]

function faultsOfLeak(answer: Answer): string[] {
  if (!("error" in answer)) return ["computed something, without kernels"]
  const says = answer.error.includes('the condition "workerd", which chose this file, is for Cloudflare\'s workerd')
  return says && answer.code === "unsupported" ? [] : [`says nothing of the condition: ${answer.error}`]
}

export const environments: readonly Environment[] = [
  ...nodes,
  ...runtimes,
  ...leaks,
  ...browsers,
  ...vites,
  ...bundlers,
  ...next,
]
