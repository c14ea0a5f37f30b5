// A page of real Chromium: isolated or not, with blobs as workers or a script of its own.
import { workerSource } from "batchnorm/threads"
import { type Browser, chromium } from "playwright"
import { afterAll, beforeAll, expect, test } from "vitest"
import { findChromium } from "../../tools/chromium.mjs"
import { servePage } from "./page.ts"

const blobs = "script-src 'self' 'wasm-unsafe-eval'; worker-src blob:"
const scripts = "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'"

let browser: Browser

beforeAll(async () => {
  const executablePath = findChromium()
  const args = ["--no-sandbox", "--disable-background-networking", "--disable-quic"]
  browser = await chromium.launch({ ...(executablePath && { executablePath }), args })
}, 60_000)
afterAll(() => browser.close())

async function visit(isIsolated: boolean, policy: string, workerUrl?: string): Promise<unknown> {
  const { url, close } = await servePage(isIsolated, policy, workerSource)
  const page = await browser.newPage()
  try {
    await page.goto(url)
    await page.waitForFunction("globalThis.ready")
    return await page.evaluate(`run(${JSON.stringify(workerUrl)})`)
  } finally {
    await page.close()
    close()
  }
}

test.each([
  ["blobs", blobs, undefined],
  ["a script of its own, under a policy without blobs", scripts, "/worker.js"],
])("an isolated page computes with threads, from %s", { timeout: 60_000 }, async (_, policy, workerUrl) => {
  expect(await visit(true, policy, workerUrl)).toEqual({
    first: { count: 3, areSame: true, warnings: 0 },
    after: { count: 1, areSame: true },
    again: 2,
    isolated: true,
  })
})

test("any other page computes alone, says why, and warns who asked for a number", { timeout: 60_000 }, async () => {
  expect(await visit(false, blobs)).toEqual({
    first: {
      count: 1,
      reason: expect.stringMatching(/^the page is not cross-origin isolated: serve it with Cross-Origin-Opener-Policy/),
      areSame: true,
      warnings: 1,
    },
    after: { count: 1, areSame: true },
    again: 1,
    isolated: false,
  })
})

test("a policy that allows no worker leaves one thread, and says why", { timeout: 60_000 }, async () => {
  expect(await visit(true, scripts)).toMatchObject({
    first: { count: 1, reason: expect.stringMatching(/^(a thread failed|of 3 threads 1 started)/), areSame: true },
    after: { count: 1, areSame: true },
  })
})
