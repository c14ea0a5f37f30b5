import { join } from "node:path"
import { here, openedFiles, printed } from "../answers.ts"
import { type Environment, engines, environment } from "../environment.ts"
import { type Scratch, writePages } from "../scratch.ts"

interface Bundler {
  /** The project, and the program in it. */
  readonly program: string
  /** Makes one file of another and of what that imports. */
  readonly args: (input: string, folder: string, file: string) => readonly string[]
  readonly forWeb: readonly string[]
  readonly forNode: readonly string[]
}

/** Each by its command line, as its own documentation has it. */
const all: Readonly<Record<string, Bundler>> = {
  webpack: {
    program: "webpack",
    args: (input, folder, file) => [`--entry=./${input}`, `--output-path=${folder}`, `--output-filename=${file}`],
    forWeb: ["--mode=production"],
    forNode: ["--mode=production", "--target=node"],
  },
  esbuild: {
    program: "esbuild",
    args: (input, folder, file) => [input, "--bundle", "--minify", `--outfile=${folder}/${file}`],
    forWeb: [],
    forNode: ["--platform=node"],
  },
  rollup: {
    program: "rollup",
    args: (input, folder, file) => [input, `--file=${folder}/${file}`, "--plugin=node-resolve"],
    forWeb: ["--format=es"],
    forNode: ["--format=cjs"],
  },
  rolldown: {
    program: "rolldown",
    args: (input, folder, file) => [input, `--file=${folder}/${file}`, "--minify"],
    forWeb: ["--format=esm"],
    forNode: ["--format=cjs", "--platform=node"],
  },
  "bun-build": {
    program: "bun",
    args: (input, folder, file) => ["build", input, `--outfile=${folder}/${file}`, "--minify"],
    forWeb: [],
    forNode: ["--target=node", "--format=cjs"],
  },
}

/** Bundles into a folder beside the project: there an import that was left in the bundle finds nothing. */
async function bundle(scratch: Scratch, name: string, input: string, file: string, where: "forWeb" | "forNode") {
  const { program, args, [where]: more } = all[name]!
  const folder = join(scratch.folder, "bundles", name, input)
  await scratch.run({
    program: `node_modules/.bin/${program}`,
    args: [...args(input, folder, file), ...more],
    cwd: await scratch.project(program),
  })
  return folder
}

async function inChromium(scratch: Scratch, name: string, input: string) {
  const folder = await bundle(scratch, name, input, "bundle.js", "forWeb")
  writePages(folder, "bundle.js")
  return openedFiles(scratch, "chromium", folder)
}

export const bundlers: readonly Environment[] = [
  ...Object.keys(all).flatMap((name) => [
    environment(name, engines.chromium, (scratch) => inChromium(scratch, name, "page.js")),
    environment(`${name}-node`, engines.node, async (scratch) => {
      const cwd = await bundle(scratch, name, "print.js", "print.cjs", "forNode")
      return printed(scratch, { program: here, args: ["print.cjs"], cwd })
    }),
  ]),
  environment("webpack-slim", engines.chromium, (scratch) => inChromium(scratch, "webpack", "slim.js")),
]
