import { spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { environment, root, toolsFolder } from "./environment.mjs"
import { explain } from "./explain.mjs"

/** What is wrong and what to do about it, in one line. */
export class SetUpError extends Error {}

/** @type {Set<import("node:child_process").ChildProcess>} */
const children = new Set()

let stopped = false

export const interrupted = () => stopped

/** Ends what runs and lets nothing start any more. */
export function interrupt() {
  stopped = true
  for (const child of children) child.kill("SIGTERM")
}

/**
 * Runs a program, keeps its output for a log and shows its last line. Resolves to its output.
 * @param {string} program
 * @param {string[]} args
 * @param {object} [options]
 * @param {(line: string) => void} [options.say]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {string} [options.log] name of the log that is written when the program fails
 * @param {boolean} [options.isBuild] whether a failure is one of the sources, to be shown as the program tells it
 * @param {string} [options.missing] what to say when there is no such program
 * @returns {Promise<string>}
 */
export function command(program, args, { say = () => {}, env = environment(), log, isBuild = false, missing } = {}) {
  const line = [program.split("/").pop(), ...args].join(" ")
  if (stopped) return Promise.reject(new SetUpError("interrupted"))
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] })
    children.add(child)
    let output = ""
    /** @param {string} text */
    const take = (text) => {
      output += text
      const last = text.trimEnd().split("\n").pop()?.trim()
      if (last) say(last)
    }
    child.stdout.setEncoding("utf8").on("data", take)
    child.stderr.setEncoding("utf8").on("data", take)
    child.once("error", (error) => {
      children.delete(child)
      const absent = "code" in error && error.code === "ENOENT"
      reject(new SetUpError(absent && missing ? missing : `\`${line}\` could not be started: ${error.message}`))
    })
    child.once("close", (code, signal) => {
      children.delete(child)
      if (code === 0) resolve(output)
      else {
        if (isBuild && !stopped) console.error(`\n${output.trim()}\n`)
        reject(new SetUpError(failure(line, output, signal ? `was ended by ${signal}` : "failed", log)))
      }
    })
  })
}

/**
 * @param {string} line
 * @param {string} output
 * @param {string} what
 * @param {string | undefined} log
 */
function failure(line, output, what, log) {
  const reason = explain(output)
  if (!log) return reason ?? `\`${line}\` ${what}: ${output.trim().split("\n").pop()}`
  mkdirSync(join(toolsFolder, "log"), { recursive: true })
  const path = join(toolsFolder, "log", `${log}.log`)
  writeFileSync(path, output)
  return `${reason ?? `\`${line}\` ${what}`} (its output is in ${relative(root, path)})`
}
