import { fetched, opened } from "../answers.ts"
import { type Environment, engines, environment } from "../environment.ts"
import type { Server } from "../processes.ts"
import type { Answer } from "../program/attempt.ts"
import type { Scratch } from "../scratch.ts"

/** The application, built and started. */
function application(scratch: Scratch): Promise<Server> {
  return scratch.once("the application of Next", async () => {
    const cwd = await scratch.project("next")
    const program = "node_modules/.bin/next"
    // It would ask the registry for the builds of other platforms.
    const env = { NEXT_TELEMETRY_DISABLED: "1", NEXT_IGNORE_INCORRECT_LOCKFILE: "1" }
    await scratch.run({ program, args: ["build"], cwd, env })
    return scratch.serve({ program, args: ["start", "--port=0"], cwd, env })
  })
}

/** What a server component handed to a client component, and what that one found itself. */
async function page(scratch: Scratch): Promise<Readonly<Record<"server" | "client", Answer>>> {
  return opened(scratch, "chromium", await application(scratch))
}

export const next: readonly Environment[] = [
  environment("next-server", engines.node, async (scratch) => (await page(scratch)).server),
  environment("next-route", engines.node, async (scratch) => fetched(await application(scratch), "/api")),
  environment("next-client", engines.chromium, async (scratch) => (await page(scratch)).client),
]
