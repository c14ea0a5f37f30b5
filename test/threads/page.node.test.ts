// A page of real Chromium and Firefox: isolated or not, with blobs as workers or a script of its own.
import { workerSource } from "batchnorm/threads"
import type { Browser } from "puppeteer-core"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { browsers } from "../support/browsers.ts"
import { servePage } from "./page.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const blobs = "script-src 'self' 'wasm-unsafe-eval'; worker-src blob:"
const scripts = "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'"

describe.each(Object.entries(browsers))("%s", (_, launch) => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())

  async function visit(isIsolated: boolean, policy: string, workerUrl = ""): Promise<unknown> {
    const { url, close } = await servePage(isIsolated, policy, workerSource)
    const page = await browser.newPage()
    try {
      await page.goto(url + workerUrl.replace("/", "#"))
      await page.waitForSelector("output", { timeout: 50_000 })
      return JSON.parse(await page.$eval("output", (output) => output.textContent ?? ""))
    } finally {
      await page.close()
      close()
    }
  }

  test.each([
    ["blobs", blobs, undefined],
    ["a script of its own, under a policy without blobs", scripts, "/worker.js"],
  ])("an isolated page computes with threads, from %s", async (_, policy, workerUrl) => {
    expect(await visit(true, policy, workerUrl)).toEqual({
      first: { count: 3, areSame: true, warnings: 0 },
      background: { count: 3, areSame: true, hasGoneOn: true },
      after: { count: 1, areSame: true },
      again: 2,
      isolated: true,
    })
  })

  test("any other page computes alone, says why, and warns who asked for a number", async () => {
    expect(await visit(false, blobs)).toEqual({
      first: {
        count: 1,
        reason: expect.stringMatching(
          /^the page is not cross-origin isolated: serve it with Cross-Origin-Opener-Policy/,
        ),
        areSame: true,
        warnings: 1,
      },
      background: { count: 1, areSame: true, hasGoneOn: true },
      after: { count: 1, areSame: true },
      again: 1,
      isolated: false,
    })
  })

  test("a policy that allows no worker leaves one thread, and says why", async () => {
    expect(await visit(true, scripts)).toMatchObject({
      first: { count: 1, reason: expect.stringMatching(/^(a thread failed|of 3 threads 1 started)/), areSame: true },
      after: { count: 1, areSame: true },
    })
  })
})
