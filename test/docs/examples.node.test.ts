import { execFileSync } from "node:child_process"
import { expect, it } from "vitest"
import { root } from "../../tools/set-up/environment.mjs"
import { blocksOf } from "./pages.ts"

it.each(blocksOf("js", "ts"))("$title prints what its comments say", ({ language, code }) => {
  const said = [...code.matchAll(/console\.log\(.*\/\/ → (.*)$/gm)].map(([, text]) => text!)
  expect(said).not.toHaveLength(0)
  const type = language === "ts" ? "module-typescript" : "module"
  const args = [`--input-type=${type}`, "--eval", code]
  const printed = execFileSync(process.execPath, args, { cwd: root, encoding: "utf8", stdio: "pipe" })
  expect(printed.trimEnd().split("\n")).toEqual(said)
})
