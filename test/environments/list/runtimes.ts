import { printed } from "../answers.ts"
import { type Environment, environment } from "../environment.ts"

const bun = (name: string, file: string) =>
  environment(name, /^Bun\/1/, async (scratch) => {
    const cwd = await scratch.project("bun")
    return printed(scratch, { program: "node_modules/.bin/bun", args: [file], cwd })
  })

const deno = (name: string, file: string) =>
  environment(name, /^Deno\/2/, async (scratch) => {
    const cwd = await scratch.project("deno")
    return printed(scratch, { program: "node_modules/.bin/deno", args: ["run", "--no-remote", file], cwd })
  })

export const runtimes: readonly Environment[] = [
  bun("bun", "print.js"),
  bun("bun-require", "print.cjs"),
  bun("bun-threads", "print-threads.js"),
  deno("deno", "print.js"),
  deno("deno-threads", "print-threads.js"),
]
