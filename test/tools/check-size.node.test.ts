import { expect, test } from "vitest"
import { bundle } from "../../tools/check-size.mjs"

test("weighs what is used", async () => {
  expect(`${await bundle("const unused = 1; export const used = 2")}`).toMatch(/^const \w=2;export\{\w as used\};\s*$/)
})

test("weighs all that an import needs", async () => {
  const [part, whole] = await Promise.all(
    ["init", "init, BatchNorm"].map((names) => bundle(`export { ${names} } from "batchnorm/slim"`)),
  )
  expect(part!.length).toBeGreaterThan(100)
  expect(whole!.length).toBeGreaterThan(2 * part!.length)
})

test("does not take an import that it cannot resolve for one that weighs nothing", async () => {
  await expect(bundle('export { a } from "not-installed"')).rejects.toThrow(/not-installed/)
})
