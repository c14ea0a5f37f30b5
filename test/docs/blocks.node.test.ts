import { expect, test } from "vitest"
import { blocks, pages, textOf } from "./pages.ts"

// js and ts: examples.node.test.ts; sh and text: commands.node.test.ts; python: python.node.test.ts.
test("every fenced block is of a language that is run, or is the output of one", () => {
  const languages = ["js", "ts", "sh", "text", "python"]
  const others = blocks.filter(({ language }) => !languages.includes(language))
  expect(others.map(({ page, line, language }) => `${page}:${line}: ${language}`)).toEqual([])
  expect(blocks.length).toBeGreaterThan(20)
})

test("no fence is left over, be it indented or of another kind", () => {
  for (const page of pages) {
    const fences = textOf(page).match(/^\s*(```|~~~)/gm) ?? []
    expect(fences, page).toHaveLength(2 * blocks.filter((block) => block.page === page).length)
  }
})

test("an indented block holds formulas, which nothing can run", () => {
  for (const page of pages) {
    const prose = textOf(page).replace(/^```[\s\S]*?^```$/gm, "")
    for (const [, line] of prose.matchAll(/\n\n {4}(\S.*)/g)) expect(line, page).toMatch(/ = .*[α-ωΣ√]/)
  }
})
