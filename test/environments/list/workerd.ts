import { join } from "node:path"
import { fetched, here, openedFiles, printed } from "../answers.ts"
import { type Environment, environment } from "../environment.ts"
import type { Answer } from "../program/attempt.ts"
import { type Scratch, writePages } from "../scratch.ts"

/** wrangler bundles a Worker and runs it in workerd, by miniflare. */
async function worker(scratch: Scratch, main: string): Promise<Answer> {
  const server = await scratch.serve({
    program: "node_modules/.bin/wrangler",
    args: ["dev", main, "--ip=127.0.0.1", "--port=0", "--inspector-port=0", "--show-interactive-dev-session=false"],
    cwd: await scratch.project("workerd"),
    // It would ask Cloudflare where the machine is.
    env: { WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" },
  })
  return fetched(server)
}

/** An environment that is given the condition of workerd by mistake: it has to say so. */
function leak(name: string, run: Environment["run"]): Environment {
  return {
    name,
    run,
    faults(answer) {
      if (!("error" in answer)) return ["computed something, without kernels"]
      const says = /the condition "workerd", which chose this file, is for Cloudflare's workerd/.test(answer.error)
      return says && answer.code === "unsupported" ? [] : [`says nothing of the condition: ${answer.error}`]
    },
  }
}

export const workerd: readonly Environment[] = [
  environment("workerd", /^Cloudflare-Workers/, (scratch) => worker(scratch, "inline.js")),
  environment("workerd-slim", /^Cloudflare-Workers/, (scratch) => worker(scratch, "slim.js")),
  environment("workerd-threads", /^Cloudflare-Workers/, (scratch) => worker(scratch, "threads.js")),
  leak("workerd-leak-node", async (scratch) => {
    const cwd = await scratch.project("plain")
    return printed(scratch, { program: here, args: ["--conditions=workerd", "print.js"], cwd })
  }),
  leak("workerd-leak-esbuild", async (scratch) => {
    const cwd = await scratch.project("esbuild")
    const folder = join(scratch.folder, "bundles", "leak")
    const args = ["page.js", "--bundle", "--conditions=workerd", "--loader:.wasm=file", `--outdir=${folder}`]
    await scratch.run({ program: "node_modules/.bin/esbuild", args, cwd })
    writePages(folder, "page.js")
    return openedFiles(scratch, "chromium", folder)
  }),
]
