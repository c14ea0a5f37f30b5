import { join } from "node:path"
import { rolldown } from "rolldown"
import { root } from "../../tools/set-up/environment.mjs"
import { small, vectors } from "./expected.ts"

const programs = ["print", "page", "worker", "page-of-worker", "attempt"] as const

/**
 * The programs as a consumer would write them: a file each, that imports the package and nothing else.
 *
 * @param entry what they import the package by
 * @returns the code by the name of the file
 */
export async function sources(entry: string): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ...(await Promise.all(programs.map((name) => source(name, entry, "esm")))),
    await source("print", entry, "cjs"),
    await source("slim-attempt", "batchnorm/slim", "esm"),
    await source("print-threads", "batchnorm/threads", "esm"),
    await source("one-thread", "batchnorm/threads", "esm"),
    await source("page-threads", entry.replace("index.js", "threads.js"), "esm"),
  ])
}

async function source(name: string, entry: string, format: "esm" | "cjs"): Promise<[file: string, code: string]> {
  const build = await rolldown({
    input: join(root, `test/environments/program/${name}.ts`),
    external: ["batchnorm", "batchnorm/threads"],
    platform: "neutral",
    logLevel: "warn",
    transform: { define: { VECTORS: JSON.stringify(vectors), SMALL: JSON.stringify(small) } },
  })
  try {
    const { output } = await build.generate({ format, paths: { batchnorm: entry, "batchnorm/threads": entry } })
    return [`${name}.${format === "esm" ? "js" : "cjs"}`, output[0].code]
  } finally {
    await build.close()
  }
}
