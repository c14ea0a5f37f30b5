// Takes the picture of the page that stands in the README: npm run demo:picture

import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { chromium } from "playwright"
import UPNG from "upng-js"
import { preview } from "vite"
import { findChromium } from "../tools/chromium.mjs"

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** A picture of few hues; the file is a third of the size. */
const colours = 128

const server = await preview({ configFile: path("vite.config.ts"), preview: { port: 0 }, logLevel: "error" })
const executablePath = findChromium()
const browser = await chromium.launch({ ...(executablePath && { executablePath }), args: ["--no-sandbox"] })
try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 1560 }, colorScheme: "light" })
  await page.goto(server.resolvedUrls?.local[0] ?? "")
  // Where the difference shows, and yet both learn.
  await page.getByRole("button", { name: "eight layers" }).click()
  await page.waitForFunction(() => document.querySelector("#state")?.textContent?.startsWith("Finished"))
  await page.mouse.move(0, 0)
  const sections = page.locator("section")
  const end = await sections.nth(2).boundingBox()
  if (!end) throw new Error("the page has no histograms")
  const clip = { x: 0, y: 0, width: 1200, height: Math.ceil(end.y + end.height) + 20 }
  const shot = new Uint8Array(await page.screenshot({ fullPage: true, clip }))
  const image = UPNG.decode(shot.buffer)
  const few = UPNG.encode([UPNG.toRGBA8(image)[0]!], image.width, image.height, colours)
  writeFileSync(path("../docs/demo.png"), Buffer.from(few))
} finally {
  await browser.close()
  await server.close()
}
console.log("docs/demo.png is written")
