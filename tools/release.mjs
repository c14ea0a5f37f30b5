// Releases what is committed: npm run release, or all of it but what others would see: npm run release -- --dry-run
import { execFileSync } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { checkTarball } from "./check-package.mjs"
import { checkSize } from "./check-size.mjs"
import { pack } from "./pack.mjs"
import { projectNode, root } from "./set-up/environment.mjs"
import { sum, verdict } from "./tally.mjs"

const { values } = parseArgs({ options: { "dry-run": { type: "boolean", default: false } } })
const dry = values["dry-run"]

const changes = changed()
if (changes && !dry) {
  console.error(`only what is committed can be released:\n${changes}`)
  process.exit(1)
}
// The settings of the builds are files of the root; a few others lie beside them.
const builtFrom = ["crates", "ts", "tools", ":(glob)*", ":(exclude,glob)*.md", ":(exclude,glob)crates/*/tests/**"]
const unreleased = changed(...builtFrom)
if (unreleased) {
  console.error(
    `dist is built from crates, ts, tools and the settings beside them, of which this is not committed:\n${unreleased}`,
  )
  process.exit(1)
}
if (changes) console.log("Uncommitted changes are left out.")

// All happens in a clone, so that nothing stays of a run that fails.
const folder = clone()
const version = raiseVersion(folder)
console.log(`\n── batchnorm ${version}, commit ${git(root, "rev-parse", "--short", "HEAD")}`)

console.log("\n── CHANGELOG.md")
const notes = notesOf(folder, version)
console.log(notes)

console.log("\n── the tarball")
const { tarball, contents } = await pack(folder)
for (const { path, size } of contents.files) console.log(`${String(size).padStart(8)}  ${path}`)
console.log(`${String(contents.unpackedSize).padStart(8)}  in all, ${contents.size} packed, ${contents.integrity}`)

console.log("\n── checks")
const { failed } = sum([
  verdict(`CHANGELOG.md has a section for ${version}, and none above it`, notes !== ""),
  verdict(`there is no tag v${version} yet`, git(folder, "tag", "--list", `v${version}`) === ""),
  await checkTarball(tarball),
  await checkSize(),
  checkSettings(),
])
const lacking = lackingForProvenance()
for (const what of lacking) console.log(`${dry ? "·" : "✗"} to publish: ${what}`)

if (failed > 0 || (!dry && lacking.length > 0)) process.exitCode = 1
else publish()

function publish() {
  const tag = `v${version}`
  if (!dry) {
    git(folder, "add", "--all")
    if (git(folder, "status", "--porcelain")) git(folder, "commit", "--quiet", "--message", `release: ${version}`)
    // `git push --follow-tags` pushes annotated tags alone.
    git(folder, "tag", "--annotate", "--message", `batchnorm ${version}`, tag)
  }
  const settings = ["--provenance", "--access", "public", "--ignore-scripts", ...(dry ? ["--dry-run"] : [])]
  console.log(`\n── npm publish ${settings.join(" ")}`)
  try {
    execFileSync("npm", ["publish", tarball, ...settings, "--loglevel=error"], { cwd: folder, stdio: "inherit" })
  } catch {
    console.error("npm did not publish it; nothing was changed here.")
    process.exitCode = 1
    return
  }
  if (!dry) {
    git(root, "fetch", "--quiet", "--no-tags", folder, `refs/tags/${tag}:refs/tags/${tag}`)
    git(root, "merge", "--quiet", "--ff-only", tag)
  }
  console.log(dry ? "Nothing was published." : "Now: git push --follow-tags")
}

/**
 * What is not committed, of all or of some files.
 * @param {string[]} paths
 */
function changed(...paths) {
  return git(root, "status", "--porcelain", "--untracked-files=all", "--", ...paths)
}

/** @returns {string} a clone of what is committed, with what was built, until the process ends */
function clone() {
  const copy = mkdtempSync(join(tmpdir(), "batchnorm-release-"))
  process.once("exit", () => rmSync(copy, { recursive: true, force: true }))
  git(root, "clone", "--quiet", root, copy)
  for (const key of ["user.name", "user.email"]) {
    const value = git(root, "config", "--default", "", "--get", key)
    if (value) git(copy, "config", key, value)
  }
  cpSync(join(root, "dist"), join(copy, "dist"), { recursive: true })
  return copy
}

/**
 * Lets changesets write version and changelog, if there are changes to release.
 * @param {string} folder
 * @returns {string} the version that is to be released
 */
function raiseVersion(folder) {
  const pending = readdirSync(join(folder, ".changeset")).filter((file) => file.endsWith(".md") && file !== "README.md")
  const changesets = join(root, "node_modules/@changesets/cli/bin.js")
  if (pending.length > 0) execFileSync(projectNode, [changesets, "version"], { cwd: folder })
  const { version } = readJson(join(folder, "package.json"))
  const lock = readJson(join(folder, "package-lock.json"))
  lock.version = version
  lock.packages[""].version = version
  writeFileSync(join(folder, "package-lock.json"), `${JSON.stringify(lock, null, 2)}\n`)
  return version
}

/**
 * @param {string} folder
 * @param {string} version
 * @returns {string} what CHANGELOG.md says of it, if that stands first
 */
function notesOf(folder, version) {
  const [, first = ""] = readFileSync(join(folder, "CHANGELOG.md"), "utf8").split(/^(?=## )/m)
  return first.startsWith(`## ${version}\n`) ? first.trimEnd() : ""
}

function checkSettings() {
  const { publishConfig } = readJson(join(folder, "package.json"))
  const holds = publishConfig?.access === "public" && publishConfig.provenance === true
  return verdict("publishConfig: public, with provenance", holds)
}

/** What npm's provenance wants of those who publish: a repository that it can name, and a CI that vouches for the build. */
function lackingForProvenance() {
  const { repository } = readJson(join(folder, "package.json"))
  const inCi = process.env.ACTIONS_ID_TOKEN_REQUEST_URL ?? process.env.SIGSTORE_ID_TOKEN
  return [
    ...(repository ? [] : ["package.json has to name the repository"]),
    ...(inCi ? [] : ["it has to run in a CI with OpenID Connect (GitHub Actions, GitLab)"]),
  ]
}

/** @param {string} path */
function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"))
}

/**
 * @param {string} cwd
 * @param {string[]} args
 */
function git(cwd, ...args) {
  return execFileSync("git", args, { cwd, encoding: "utf8" }).trimEnd()
}
