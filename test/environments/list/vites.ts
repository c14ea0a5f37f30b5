import { join } from "node:path"
import { opened, openedFiles } from "../answers.ts"
import { type Environment, engines, environment } from "../environment.ts"

const program = "node_modules/.bin/vite"

/** A page of the project by the dev server, and built. */
function vite(project: string, name: string, folder: string): Environment[] {
  return [
    environment(`${name}-dev`, engines.chromium, async (scratch) => {
      const server = await scratch.serve({ program, args: [folder, "--port=0"], cwd: await scratch.project(project) })
      return opened(scratch, "chromium", server)
    }),
    environment(`${name}-build`, engines.chromium, async (scratch) => {
      const cwd = await scratch.project(project)
      await scratch.run({ program, args: ["build", folder], cwd })
      return openedFiles(scratch, "chromium", join(cwd, folder, "dist"))
    }),
  ]
}

export const vites: readonly Environment[] = [
  ...vite("vite7", "vite7", "."),
  ...vite("vite8", "vite8", "."),
  ...vite("vite8", "vite8-slim", "slim"),
]
