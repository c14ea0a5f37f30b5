import { join } from "node:path"
import { root } from "../../../tools/set-up/environment.mjs"
import { here, printed } from "../answers.ts"
import { type Environment, engines, environment } from "../environment.ts"

const own = (cwd: string) => join(cwd, "node_modules/node/bin/node")

const versions = [
  { version: 20, project: "plain", program: () => join(root, "node_modules/node20/bin/node") },
  { version: 22, project: "node22", program: own },
  { version: 24, project: "plain", program: () => here },
  { version: 26, project: "node26", program: own },
]

const ways = [
  { suffix: "", file: "print.js" },
  { suffix: "-require", file: "print.cjs" },
]

export const nodes: readonly Environment[] = [
  ...versions.flatMap(({ version, project, program }) =>
    ways.map(({ suffix, file }) =>
      environment(`node${version}${suffix}`, new RegExp(`^Node\\.js/${version}`), async (scratch) => {
        const cwd = await scratch.project(project)
        return printed(scratch, { program: program(cwd), args: [file], cwd })
      }),
    ),
  ),
  ...versions.map(({ version, project, program }) =>
    environment(`node${version}-threads`, new RegExp(`^Node\\.js/${version}`), async (scratch) => {
      const cwd = await scratch.project(project)
      return printed(scratch, { program: program(cwd), args: ["print-threads.js"], cwd })
    }),
  ),
  environment("node24-slim", engines.node, async (scratch) => {
    return printed(scratch, { program: here, args: ["slim.js"], cwd: await scratch.project("plain") })
  }),
  environment("node24-no-simd", engines.node, async (scratch) => {
    const cwd = await scratch.project("plain", "batchnorm/no-simd")
    return printed(scratch, { program: here, args: ["--no-enable-sse4-1", "print.js"], cwd })
  }),
]
