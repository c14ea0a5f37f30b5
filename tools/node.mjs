// Runs a script on the project's own Node: node tools/node.mjs SCRIPT [ARGS]
//
// A shell looks a command up once per line. In "node tools/set-up.mjs && node SCRIPT" it would go on
// with the machine's Node on the very run that installs the project's own.
import { spawn } from "node:child_process"
import { environment, projectNode } from "./set-up/environment.mjs"

const child = spawn(projectNode, process.argv.slice(2), { stdio: "inherit", env: environment() })
child.once("error", (error) => {
  console.error(`the project's Node does not start (${error.message}): run node tools/set-up.mjs`)
  process.exitCode = 1
})
child.once("close", (code) => {
  process.exitCode = code ?? 1
})
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.on(signal, () => child.kill(signal))
}
