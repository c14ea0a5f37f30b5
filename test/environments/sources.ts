import { join } from "node:path"
import { rolldown } from "rolldown"
import { root } from "../../tools/set-up/environment.mjs"
import { small, vectors } from "./expected.ts"

const programs = ["print", "page", "worker", "page-of-worker", "attempt"] as const

/**
 * The programs as a consumer would write them: JavaScript, a file each, that imports the package and nothing else.
 *
 * @param entry what they import the package by
 * @returns the code by the name of the file
 */
export async function sources(entry: string, format: "esm" | "cjs"): Promise<ReadonlyMap<string, string>> {
  const extension = format === "esm" ? "js" : "cjs"
  const made = programs.map(async (name) => {
    const build = await rolldown({
      input: join(root, `test/environments/program/${name}.ts`),
      external: "batchnorm",
      platform: "neutral",
      logLevel: "warn",
      transform: { define: { VECTORS: JSON.stringify(vectors), SMALL: JSON.stringify(small) } },
    })
    try {
      const { output } = await build.generate({ format, paths: { batchnorm: entry } })
      return [`${name}.${extension}`, output[0].code] as const
    } finally {
      await build.close()
    }
  })
  return new Map(await Promise.all(made))
}
