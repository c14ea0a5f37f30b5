import { command } from "./command.mjs"
import { fingerprint, isStamped, stamped } from "./fingerprint.mjs"

const name = "npm-packages"
// npm writes the first when it has finished; the second is put there by an install script.
const outputs = ["node_modules/.package-lock.json", "node_modules/node/bin/node"]
const inputs = () => fingerprint(["package-lock.json"])

/** @type {import("./steps.mjs").Step} */
export const npmPackages = {
  title: "installing the npm packages of the lock file",
  isCurrent: () => isStamped(name, inputs(), outputs),
  run: (say) =>
    stamped(name, inputs(), async () => {
      // Its own patience with a network that is not there is more than a minute.
      const retries = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
      const args = ["ci", "--loglevel=error", "--no-audit", "--no-fund", ...retries]
      // npm tells its scripts where it is itself; the name alone is for a set-up started by hand.
      const npm = process.env.npm_execpath
      const script = npm !== undefined && /\.[cm]?js$/.test(npm)
      await command(script ? process.execPath : "npm", script ? [npm, ...args] : args, {
        say,
        env: process.env,
        log: name,
        missing: "npm is missing: install it (Debian: apt-get install npm), then run the same command again",
      })
    }),
}
