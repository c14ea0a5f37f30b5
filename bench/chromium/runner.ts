import { chromium } from "playwright"
import { createServer } from "vite"
import { findChromium } from "../../tools/chromium.mjs"
import type { Runner } from "../node.ts"
import { root } from "../report/record.ts"
import type { Page } from "./page.ts"

/** A headless Chromium. Vite serves it the sources as they are, from a page with the finest clock that there is. */
export async function inChromium(): Promise<Runner> {
  const server = await createServer({
    root,
    configFile: false,
    logLevel: "error",
    cacheDir: ".tools/vite",
    server: {
      // performance.now() has steps of 5 µs where the page is isolated, else 100.
      headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
      hmr: false,
      watch: null,
    },
    resolve: {
      alias: [
        { find: /^batchnorm$/, replacement: "/dist/index.js" },
        { find: /^batchnorm\/threads$/, replacement: "/dist/threads.js" },
        { find: /^@tensorflow\/(tfjs-[a-z-]+)$/, replacement: "@tensorflow/$1/dist/index.js" },
      ],
    },
    optimizeDeps: {
      entries: ["bench/chromium/page.ts"],
      exclude: ["onnxruntime-web"],
    },
  })
  await server.listen(0)
  const executablePath = findChromium()
  const browser = await chromium.launch({ ...(executablePath && { executablePath }), args: ["--no-sandbox"] })
  const page = await browser.newPage()
  const faults: Error[] = []
  page.on("pageerror", (error) => faults.push(error))
  await page.goto(`${server.resolvedUrls?.local[0]}bench/chromium/index.html`)
  await page
    .waitForFunction(() => "bench" in globalThis, undefined, { timeout: 120_000 })
    .catch((error: Error) => {
      throw faults[0] ?? error
    })
  return {
    engine: { name: "Chromium", version: browser.version() },
    async *run(study, ...args) {
      await page.evaluate(([study, args]) => (globalThis as unknown as { bench: Page }).bench.start(study, args), [
        study,
        args,
      ] as const)
      for (;;) {
        const { done, value } = await page.evaluate(() => (globalThis as unknown as { bench: Page }).bench.next())
        if (done) return
        yield value as never
      }
    },
    async close() {
      await browser.close()
      await server.close()
    },
  }
}
