import { type ChildProcess, spawn } from "node:child_process"
import { stripVTControlCharacters } from "node:util"
import { environment } from "../../tools/set-up/environment.mjs"

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/** A program that failed, and all that it wrote. */
class ProgramError extends Error {
  constructor({ program, args }: Command, what: string, output: string) {
    super(`${[program.split("/").pop(), ...args].join(" ")} ${what}\n${stripVTControlCharacters(output).trim()}`)
  }
}

const patience = 300_000

// A group each, since many start others, which must not outlive them.
const live = new Set<ChildProcess>()

process.once("exit", () => {
  for (const child of live) signal(child, "SIGKILL")
})

function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, name)
  } catch {
    // It has ended.
  }
}

function start({ program, args, cwd, env }: Command) {
  const child = spawn(program, args, {
    cwd,
    env: environment({ NO_COLOR: "1", ...env }),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  })
  live.add(child)
  const written = { all: "", out: "" }
  child.stdout.setEncoding("utf8").on("data", (text) => {
    written.all += text
    written.out += text
  })
  child.stderr.setEncoding("utf8").on("data", (text) => {
    written.all += text
  })
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`does not start: ${error.message}`))
    child.once("close", (code, name) => resolve(name ? `was ended by ${name}` : code === 0 ? "" : `failed (${code})`))
  }).finally(() => live.delete(child))
  return { child, written, ended }
}

/** Runs a program to its end. Resolves to what it printed. */
export async function run(command: Command): Promise<string> {
  const { child, written, ended } = start(command)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    signal(child, "SIGKILL")
  }, patience)
  const failure = await ended
  clearTimeout(timer)
  // What it left running.
  signal(child, "SIGKILL")
  if (isLate) throw new ProgramError(command, `was not done after ${patience / 1000} s`, written.all)
  if (failure) throw new ProgramError(command, failure, written.all)
  return written.out
}

/** A program that serves. */
export interface Server extends AsyncDisposable {
  readonly url: string
  /** What it has written so far. */
  readonly output: () => string
}

/** Starts a program that serves, on a port of its own choice, which it prints in a URL. */
export async function serve(command: Command): Promise<Server> {
  const { child, written, ended } = start(command)
  const stop = async () => {
    signal(child, "SIGTERM")
    const timer = setTimeout(() => signal(child, "SIGKILL"), 3000)
    await ended
    clearTimeout(timer)
    signal(child, "SIGKILL")
  }
  let failure: string | undefined
  void ended.then((what) => {
    failure = what || "ended"
  })
  for (const from = Date.now(); failure === undefined && Date.now() - from < 120_000; ) {
    const url = /https?:\/\/(?:localhost|127\.0\.0\.1):\d+/.exec(written.all)?.[0]
    if (url) return { url, output: () => written.all, [Symbol.asyncDispose]: stop }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await stop()
  throw new ProgramError(command, failure ?? "names no URL that it serves", written.all)
}
