import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it, test } from "vitest"
import { root } from "../../tools/set-up/environment.mjs"
import { blocksOf, pages, textOf } from "./pages.ts"

const { name, scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

/** Why a command is not run here. */
const notRun: Readonly<Record<string, string>> = {
  [`npm install ${name}`]: "test/package installs the tarball itself",
  "npm run bench": "takes ten minutes; test/bench runs it on small arrays",
  "npm run bench -- C D --modes resident --quick": "takes a minute; test/bench runs it on small arrays",
  "npm run bench -- --native --record": "takes ten minutes, and writes a record to check in",
  "npm run bench -- --chart": "writes into the pages; test/bench/record holds them to the record",
}

const commands = [
  ...new Set(
    blocksOf("sh").flatMap(({ code }) =>
      code
        .split("\n")
        .map((line) => line.replace(/\s+#.*$/, "").trim())
        .filter((line) => line !== ""),
    ),
  ),
]

/** The arguments of Node behind a command, without the set-up before it: that was run for these tests already. */
function nodeArguments(command: string): string[] {
  const [program, ...rest] = command.split(" ")
  if (program === "npx" && rest[0] === "node") return rest.slice(1)
  const script = scripts[rest[0] === "run" ? rest[1]! : rest[0]!]
  const own = /(?:^|&& )node tools\/node\.mjs (.*)$/.exec(script ?? "")?.[1]
  if (program !== "npm" || own === undefined) throw new Error(`not known how to run: ${command}`)
  const given = rest.indexOf("--")
  return [...own.split(" "), ...(given < 0 ? [] : rest.slice(given + 1))]
}

/** What each command has printed, which blocks of output share. */
const printed = new Map<string, string>()

function run(command: string): string {
  if (!printed.has(command)) printed.set(command, execute(command))
  return printed.get(command)!
}

const execute = (command: string) =>
  execFileSync(process.execPath, nodeArguments(command), {
    cwd: root,
    encoding: "utf8",
    stdio: "pipe",
    env: { ...process.env, NO_COLOR: "1", CI: "true" },
  })

describe("a command in a block", () => {
  it.each(commands.filter((command) => !(command in notRun)))("%s works", { timeout: 120_000 }, (command) => {
    expect(run(command)).not.toBe("")
  })

  it.each(commands.filter((command) => command in notRun && command.startsWith("npm run ")))(
    "%s gives options that its program knows",
    (command) => {
      const [start, given = ""] = command.split(" -- ")
      const help = run(`${start} -- --help`)
      for (const option of given.match(/--\w+/g) ?? []) expect(help).toContain(option)
    },
  )
})

test("what is said not to be run is there", () => {
  expect(commands).toEqual(expect.arrayContaining(Object.keys(notRun)))
})

describe("a block of output", () => {
  it.each(blocksOf("text"))("$title is what its command prints", { timeout: 300_000 }, ({ about, code }) => {
    const command = /^output of (.+)$/.exec(about)![1]!
    // Times are not the same twice.
    const lines = (text: string) =>
      text.split("\n").map((line) =>
        line
          .replace(/\d+ ms/g, "… ms")
          .replace(/ +/g, " ")
          .trim(),
      )
    expect(lines(run(command)).join("\n")).toContain(lines(code.trimEnd()).join("\n"))
  })
})

test("every script of npm that a page names is one", () => {
  for (const page of pages) {
    for (const [, script] of textOf(page).matchAll(/npm run ([\w:-]+)/g)) expect(scripts, page).toHaveProperty(script!)
  }
})
