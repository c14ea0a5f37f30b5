import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { preview } from "vite"
import { root, toolsFolder } from "../../tools/set-up/environment.mjs"
import { type BrowserName, type OpenBrowser, open } from "./browser.ts"
import { type Command, run, type Server, serve } from "./processes.ts"
import { sources } from "./sources.ts"

const page = (script: string) =>
  `<!doctype html>\n<html lang="en"><head><title>${script}</title><link rel="icon" href="data:,"></head><body><script type="module" src="${script}"></script></body></html>\n`

/** A folder outside of the clone, so that nothing in it is found by accident, and all that runs there. */
export class Scratch implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "batchnorm-environments-"))
  readonly #stack = new AsyncDisposableStack()
  readonly #made = new Map<string, Promise<unknown>>()

  constructor() {
    // What is being ended may still write.
    const remove = () => rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    // With an exit what runs is ended (processes.ts); a signal alone would leave it.
    const exit = () => process.exit(130)
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const
    process.once("exit", remove)
    for (const signal of signals) process.once(signal, exit)
    this.#stack.defer(() => {
      process.off("exit", remove)
      for (const signal of signals) process.off(signal, exit)
      remove()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  /** What several environments share is made by the first of them; if it fails, it fails for all. */
  once<T>(what: string, make: () => Promise<T>): Promise<T> {
    if (!this.#made.has(what)) this.#made.set(what, make())
    return this.#made.get(what) as Promise<T>
  }

  /** Runs a program of a project, given from its folder. */
  run(command: Command): Promise<string> {
    return run({ ...command, env: { ...this.#apart(), ...command.env } })
  }

  /** The same with one that serves, to the end of all environments. */
  async serve(command: Command): Promise<Server> {
    return this.#stack.use(await serve({ ...command, env: { ...this.#apart(), ...command.env } }))
  }

  /** Caches and settings of tools stay out of the home of who runs this. */
  #apart() {
    return { XDG_CONFIG_HOME: join(this.folder, "config"), XDG_CACHE_HOME: join(this.folder, "cache") }
  }

  browser(name: BrowserName): Promise<OpenBrowser> {
    return this.once(name, async () => this.#stack.use(await open(name)))
  }

  /** Serves the files of a folder as they are. */
  async files(folder: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const server = await preview({
      root: folder,
      configFile: false,
      appType: "mpa",
      logLevel: "silent",
      build: { outDir: "." },
      preview: { port: 0, headers },
    })
    this.#stack.defer(() => server.close())
    return server.resolvedUrls!.local[0]!
  }

  /**
   * The project of this name in test/environments/projects: its packages, then the package from its tarball, and the
   * programs, which import it as `entry`.
   */
  project(name: string, entry = "batchnorm"): Promise<string> {
    return this.once(`the project ${name}, by ${entry}`, async () => {
      const cwd = join(this.folder, name, entry.replaceAll("/", "-"))
      cpSync(join(root, "test/environments/projects", name), cwd, { recursive: true })
      await this.#npm(cwd, "ci", "--prefer-offline")
      await this.#npm(cwd, "install", "--offline", await this.tarball())
      const programs = await this.once(`the programs, by ${entry}`, () => sources(entry))
      for (const [file, code] of programs) writeFileSync(join(cwd, file), code)
      writePages(cwd, "page.js", "page-of-worker.js", "page-threads.js")
      return cwd
    })
  }

  /** What is published. */
  tarball(): Promise<string> {
    return this.once("the tarball", async () => {
      await this.#npm(root, "pack", "--ignore-scripts", "--pack-destination", this.folder)
      return join(this.folder, readdirSync(this.folder).find((file) => file.endsWith(".tgz"))!)
    })
  }

  async #npm(cwd: string, ...args: readonly string[]): Promise<void> {
    const quiet = ["--loglevel=error", "--no-audit", "--no-fund"]
    // Downloads outlive the scratch.
    const cache = join(toolsFolder, "npm")
    await run({ program: "npm", args: [...args, ...quiet, "--cache", cache], cwd })
  }
}

/** A page beside each of the scripts, index.html for the first. */
export function writePages(folder: string, ...scripts: readonly string[]): void {
  mkdirSync(folder, { recursive: true })
  for (const [index, script] of scripts.entries()) {
    const file = index === 0 ? "index.html" : script.replace(/\.js$/, ".html")
    writeFileSync(join(folder, file), page(`./${script}`))
  }
}
