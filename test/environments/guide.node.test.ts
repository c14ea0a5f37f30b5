import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { root } from "../../tools/set-up/environment.mjs"
import { parse } from "./arguments.ts"
import { environments } from "./environments.ts"

const guide = readFileSync(join(root, "docs/environments.md"), "utf8")
const names = environments.map(({ name }) => name)

/** The pieces of code in the first and in the second cell of each row of the table under a heading. */
function codeUnder(heading: string): readonly (readonly [string[], string[]])[] {
  const section = guide.split(`## ${heading}\n`)[1]!.split("\n## ")[0]!
  const code = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text!)
  return [...section.matchAll(/^\| (.+?) \| (.+) \|$/gm)].map(([, first, second]) => [code(first!), code(second!)])
}

test("the lines that load the kernels are those of programs that run", () => {
  const projects = join(root, "test/environments/projects")
  const programs = readdirSync(projects, { recursive: true, encoding: "utf8" }).filter((path) =>
    /slim.*\.js$/.test(path),
  )
  const lines = programs.flatMap((path) => readFileSync(join(projects, path), "utf8").split("\n"))
  const shown = codeUnder("Without the bytes inside").flatMap(([, code]) => code)
  expect(shown.length).toBeGreaterThan(6)
  expect(lines.map((line) => line.trim())).toEqual(expect.arrayContaining(shown))
})

test("every environment stands in the guide, and no other", () => {
  const rows = codeUnder("What is run")
  const listed = rows.flatMap(([own]) => own)
  const suffixes = rows.flatMap(([, more]) => more).filter((code) => code.startsWith("-"))
  for (const name of listed) expect(() => parse([name], names)).not.toThrow()
  for (const suffix of suffixes) expect(names.some((name) => name.endsWith(suffix))).toBe(true)
  const isTold = (name: string) => listed.some((each) => name === each || suffixes.includes(name.replace(each, "")))
  const untold = names.filter((name) => !isTold(name))
  expect(untold).toEqual([])
})
