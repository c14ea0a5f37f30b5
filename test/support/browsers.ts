import { chromium } from "playwright"
import puppeteer, { type Browser } from "puppeteer-core"
import { findChromium } from "../../tools/chromium.mjs"
import { findFirefox } from "../../tools/firefox.mjs"

/** The real browsers that pages are tested in, by one interface. */
export const browsers: Readonly<Record<string, () => Promise<Browser>>> = {
  Chromium: () =>
    puppeteer.launch({
      browser: "chrome",
      executablePath: findChromium() ?? chromium.executablePath(),
      args: ["--no-sandbox", "--disable-background-networking", "--disable-quic"],
    }),
  Firefox: () => {
    const executablePath = findFirefox()
    if (!executablePath) throw new Error("no Firefox: run node tools/set-up.mjs test")
    return puppeteer.launch({
      browser: "firefox",
      executablePath,
      // Dark, where a page asks; Chromium is told page by page.
      extraPrefsFirefox: { "layout.css.prefers-color-scheme.content-override": 0 },
    })
  },
}
