import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "../../tools/set-up/environment.mjs"

const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => join("docs", name))]

/** The js blocks of a page. */
function examples(page: string): string[] {
  return [...readFileSync(join(root, page), "utf8").matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, code]) => code!)
}

describe.each(pages.filter((page) => examples(page).length > 0))("%s", (page) => {
  it.each(examples(page).map((code, index) => ({ number: index + 1, code })))(
    "example $number prints what its comments say",
    ({ code }) => {
      const said = [...code.matchAll(/console\.log\(.*\/\/ → (.*)$/gm)].map(([, text]) => text!)
      expect(said).not.toHaveLength(0)
      const args = ["--input-type=module", "--eval", code]
      const printed = execFileSync(process.execPath, args, { cwd: root, encoding: "utf8", stdio: "pipe" })
      expect(printed.trimEnd().split("\n")).toEqual(said)
    },
  )
})
