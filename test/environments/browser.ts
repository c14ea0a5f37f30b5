import { launch } from "puppeteer-core"
import { findChromium } from "../../tools/chromium.mjs"
import { findFirefox } from "../../tools/firefox.mjs"
import { installChromium } from "../../tools/set-up/chromium.mjs"
import { installFirefox } from "../../tools/set-up/firefox.mjs"
import type { Answer } from "./program/attempt.ts"

export type BrowserName = "chromium" | "firefox"

export interface OpenBrowser extends AsyncDisposable {
  /** Opens a page, and waits for what its program leaves in `globalThis.answer`. */
  answer<T = Answer>(url: string): Promise<T>
}

const steps = { chromium: installChromium, firefox: installFirefox }

const patience = 60_000
// After an error of the page: a dev server may load it anew.
const patienceAfterError = 5_000

/** Opens a browser of this machine; where there is none, it is installed first. */
export async function open(name: BrowserName): Promise<OpenBrowser> {
  const step = steps[name]
  if (!(await step.isCurrent())) await step.run(() => {})
  const browser = await launch({
    browser: name === "chromium" ? "chrome" : "firefox",
    executablePath: await pathOf(name),
    args: name === "chromium" ? ["--no-sandbox", "--disable-background-networking", "--disable-quic"] : [],
    timeout: patience,
  })
  return {
    async answer<T>(url: string): Promise<T> {
      const page = await browser.newPage()
      const said: string[] = []
      let until = Date.now() + patience
      page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`))
      page.on("pageerror", (error) => {
        said.push(error instanceof Error ? (error.stack ?? error.message) : `${error}`)
        until = Math.min(until, Date.now() + patienceAfterError)
      })
      try {
        await page.goto(url)
        while (Date.now() < until) {
          // A dev server may load the page anew meanwhile, and what is evaluated then fails. No `waitForFunction`: it
          // makes a function of a text, which a content security policy forbids.
          const answer = await page.evaluate(() => Reflect.get(globalThis, "answer")).catch(() => undefined)
          if (answer !== undefined) return answer as T
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      } finally {
        await page.close()
      }
      throw new Error(`${url} answers nothing\n${said.join("\n")}`)
    },
    async [Symbol.asyncDispose]() {
      await browser.close()
    },
  }
}

async function pathOf(name: BrowserName): Promise<string> {
  const found = name === "chromium" ? findChromium() : findFirefox()
  return found ?? (await import("playwright")).chromium.executablePath()
}
