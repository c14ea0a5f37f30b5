import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../../tools/set-up/environment.mjs"

/** What people read, by its path. */
export const pages: readonly string[] = [
  ...["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "bench/README.md", "examples/README.md"],
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
]

/** A fenced block: ```` ```language about ````. */
export interface Block {
  readonly page: string
  readonly line: number
  readonly language: string
  /** What follows the language. */
  readonly about: string
  readonly code: string
}

export const textOf = (page: string): string => readFileSync(join(root, page), "utf8")

export const blocks: readonly Block[] = pages.flatMap((page) => {
  const text = textOf(page)
  return [...text.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map((match) => {
    const [language = "", ...about] = match[1]!.split(" ")
    const line = text.slice(0, match.index).split("\n").length
    return { page, line, language, about: about.join(" "), code: match[2]! }
  })
})

/** The blocks of some languages, with a title for a table of tests. */
export const blocksOf = (...languages: string[]): readonly (Block & { readonly title: string })[] =>
  blocks
    .filter(({ language }) => languages.includes(language))
    .map((block) => ({ ...block, title: `${block.page}:${block.line}` }))
