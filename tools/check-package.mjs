import { readFileSync } from "node:fs"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { files, packed } from "./pack.mjs"
import { program } from "./program.mjs"
import { sum, verdict } from "./tally.mjs"

/**
 * Judges the package as it would be published.
 * @returns {Promise<import("./tally.mjs").Tally>}
 */
export async function checkPackage() {
  return checkTarball((await packed()).tarball)
}

/**
 * @param {string} tarball
 * @returns {Promise<import("./tally.mjs").Tally>}
 */
export async function checkTarball(tarball) {
  return sum([await checkManifest(tarball), await checkEntries(tarball)])
}

/** @param {string} tarball */
async function checkManifest(tarball) {
  const bytes = Uint8Array.from(readFileSync(tarball))
  const { messages, pkg } = await publint({ pack: { tarball: bytes.buffer }, strict: true })
  for (const message of messages) console.log(`${message.type}: ${formatMessage(message, pkg)}`)
  return verdict(
    "publint has nothing to say of package.json and the files, not even a suggestion",
    messages.length === 0,
  )
}

/** @param {string} tarball */
async function checkEntries(tarball) {
  const excluded = files.flatMap((path) => ["--exclude-entrypoints", path])
  const args = [tarball, "--profile", "esm-only", "--no-definitely-typed", "--format", "ascii", ...excluded]
  const { code, output } = await program("attw", args, { quiet: true })
  if (code !== 0) console.log(output)
  return verdict("attw finds every entry's types, and of the kind that its code is", code === 0)
}
