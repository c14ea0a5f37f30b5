import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, expect, test } from "vitest"
import { brokenLinks } from "../../tools/docs/links.mjs"

const folder = mkdtempSync(join(tmpdir(), "batchnorm-links-"))
mkdirSync(join(folder, "sub"))
writeFileSync(join(folder, "sub/other page.html"), '<h2 id="größe">There</h2><img src="../picture.svg">')
writeFileSync(join(folder, "picture.svg"), '<svg><g id="part"/></svg>')
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test("links that lead nowhere are named, whether it is the page or the place in it", () => {
  const good = ["#here", "sub/other%20page.html", "sub/other%20page.html#gr%C3%B6%C3%9Fe", "picture.svg#part", "./"]
  const bad = ["#there", "missing.html", "sub/other%20page.html#here", "sub/", "picture.svg#whole"]
  const elsewhere = ["https://example.org/missing", "mailto:a@example.org"]
  const links = [...good, ...bad, ...elsewhere].map((link) => `<a class="x" href="${link}">x</a>`)
  writeFileSync(join(folder, "index.html"), `<h1 id="here">Here</h1>${links.join("")}`)
  expect(brokenLinks(folder)).toEqual(bad.map((link) => `index.html: ${link}`))
})
