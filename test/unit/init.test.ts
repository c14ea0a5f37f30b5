import { init, initSync, moments } from "batchnorm"
import { expect, test } from "vitest"

const x = { data: Float32Array.of(1, 3), shape: [2] }

test("no call of init is needed, and later ones do nothing", async () => {
  expect(moments(x).mean.data[0]).toBe(2)
  const rubbish = { source: new Uint8Array(8) }
  expect(initSync()).toBe(undefined)
  expect(initSync(rubbish)).toBe(undefined)
  expect(await init()).toBe(undefined)
  expect(await init(rubbish)).toBe(undefined)
  expect(await init({ source: Promise.resolve("nowhere") })).toBe(undefined)
  expect(moments(x).mean.data[0]).toBe(2)
})
