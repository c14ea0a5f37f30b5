import { printed } from "../answers.ts"
import { type Environment, environment } from "../environment.ts"

export const runtimes: readonly Environment[] = [
  environment("bun", /^Bun\/1/, async (scratch) => {
    const cwd = await scratch.project("bun")
    return printed(scratch, { program: "node_modules/.bin/bun", args: ["print.js"], cwd })
  }),
  environment("deno", /^Deno\/2/, async (scratch) => {
    const cwd = await scratch.project("deno")
    return printed(scratch, { program: "node_modules/.bin/deno", args: ["run", "--no-remote", "print.js"], cwd })
  }),
]
