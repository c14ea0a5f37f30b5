import { isProgram } from "../chromium.mjs"
import { findFirefox } from "../firefox.mjs"
import { SetUpError } from "./command.mjs"
import { installFromDebian } from "./debian.mjs"

const advice =
  "no Firefox, which browser tests run in: install one (Debian: apt-get install firefox-esr) or name one in FIREFOX_PATH"

/** @type {import("./steps.mjs").Step} */
export const installFirefox = {
  title: "installing a Firefox for the browser tests",
  isCurrent() {
    const given = process.env.FIREFOX_PATH
    if (given && !isProgram(given)) throw new SetUpError(`FIREFOX_PATH names no program: ${given}`)
    return findFirefox() !== undefined
  },
  async run(say) {
    await installFromDebian("firefox-esr", say).catch((error) => say(String(error)))
    if (!findFirefox()) throw new SetUpError(advice)
  },
}
