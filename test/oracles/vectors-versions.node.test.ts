import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { versions } from "../support/framework-vectors.ts"

const requirements = readFileSync(new URL("../vectors/frameworks/requirements.txt", import.meta.url), "utf8")
const pinned = Object.fromEntries(
  requirements
    .trim()
    .split("\n")
    .map((line) => line.split("==")),
)

test.each(Object.entries(versions))(
  "%s.json was made with the packages of requirements.txt",
  (_, { python, ...used }) => {
    expect(python).toMatch(/^3\.\d+\.\d+$/)
    expect(pinned).toMatchObject(used)
    expect(Object.keys(used).length).toBeGreaterThan(0)
  },
)

test("requirements.txt asks for no package that no vectors were made with", () => {
  const used = Object.values(versions).flatMap((each) => Object.keys(each).filter((name) => name !== "python"))
  expect([...new Set(used)].sort()).toEqual(Object.keys(pinned).sort())
})
