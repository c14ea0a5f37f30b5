import { findChromium, isProgram } from "../chromium.mjs"
import { command, SetUpError } from "./command.mjs"
import { installFromDebian } from "./debian.mjs"
import { projectNode } from "./environment.mjs"

const advice =
  "no Chromium, which the browser tests run in: install one (Debian: apt-get install chromium) or name one in CHROMIUM_PATH"

/** @type {import("./steps.mjs").Step} */
export const installChromium = {
  title: "installing a Chromium for the browser tests",
  async isCurrent() {
    const given = process.env.CHROMIUM_PATH
    if (given && !isProgram(given)) throw new SetUpError(`CHROMIUM_PATH names no program: ${given}`)
    return findChromium() !== undefined || isProgram(await downloaded())
  },
  async run(say) {
    await installFromDebian("chromium", say).catch((error) => say(String(error)))
    if (findChromium()) return
    try {
      await command(projectNode, ["node_modules/playwright/cli.js", "install", "chromium"], { say, log: "chromium" })
    } catch {
      throw new SetUpError(advice)
    }
  },
}

/** @returns {Promise<string>} where the test runner's own download lies, or would lie */
async function downloaded() {
  const { chromium } = await import("playwright")
  return chromium.executablePath()
}
