import { spawn } from "node:child_process"
import { environment, root } from "./set-up/environment.mjs"

export const inColour = Boolean(process.stdout.isTTY) && !process.env.CI
const colours = inColour ? { CARGO_TERM_COLOR: "always", FORCE_COLOR: "1" } : { NO_COLOR: "1" }

/**
 * Runs a program in the root of the project, its output shown as it comes unless it is quiet.
 * @param {string} name
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, cwd?: string, quiet?: boolean }} [options]
 * @returns {Promise<{ code: number, output: string }>} the output without colours
 */
export function program(name, args, { env = {}, cwd = root, quiet = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(name, args, {
      cwd,
      env: environment({ ...colours, ...env }),
      stdio: ["ignore", "pipe", "pipe"],
    })
    let output = ""
    child.stdout.on("data", (chunk) => {
      if (!quiet) process.stdout.write(chunk)
      output += chunk
    })
    child.stderr.on("data", (chunk) => {
      if (!quiet) process.stderr.write(chunk)
      output += chunk
    })
    child.once("error", (error) => {
      console.error(`${name} does not start: ${error.message}`)
      resolve({ code: 1, output })
    })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
    child.once("close", (code) => resolve({ code: code ?? 1, output: output.replace(/\x1b\[[0-9;]*m/g, "") }))
  })
}
