import { delimiter, join } from "node:path"
import { isProgram } from "./chromium.mjs"

const names = ["firefox-esr", "firefox"]
const places = ["/Applications/Firefox.app/Contents/MacOS/firefox"]

/** @returns {string | undefined} the Firefox of this machine: FIREFOX_PATH, else one on the PATH */
export function findFirefox() {
  const given = process.env.FIREFOX_PATH
  if (given) return given
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean)
  return [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...places].find(isProgram)
}
