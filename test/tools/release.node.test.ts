import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { root } from "../../tools/set-up/environment.mjs"

const folder = mkdtempSync(join(tmpdir(), "batchnorm-release-test-"))
const [project, remote, bin] = ["project", "remote.git", "bin"].map((name) => join(folder, name)) as [
  string,
  string,
  string,
]

// Whoever works here may have settings of their own; CI has none.
const { ACTIONS_ID_TOKEN_REQUEST_URL: _, SIGSTORE_ID_TOKEN: __, ...rest } = process.env
const env = { ...rest, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" }
const gitIn = (cwd: string, ...args: string[]) => execFileSync("git", args, { cwd, encoding: "utf8", env })
const git = (...args: string[]) => gitIn(project, ...args)

function release(args: readonly string[], more: Record<string, string> = {}) {
  const options = { cwd: project, encoding: "utf8", env: { ...env, ...more } } as const
  return spawnSync(process.execPath, ["tools/release.mjs", ...args], options)
}

/** A release in a CI that vouches for it, where `npm publish` only ends with this exit code. */
function releaseInCi(published: number) {
  return release([], {
    PATH: bin + delimiter + process.env.PATH,
    REAL_PATH: `${process.env.PATH}`,
    PUBLISHED: `${published}`,
    ACTIONS_ID_TOKEN_REQUEST_URL: "https://example.org",
  })
}

const read = (path: string) => readFileSync(join(project, path), "utf8")
const state = () => [git("status", "--porcelain"), git("rev-parse", "HEAD"), git("tag"), read("CHANGELOG.md")]

beforeAll(() => {
  const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root })
  for (const path of `${files}`.split("\0").filter((path) => /^(\.|tools\/|[^/]+$)/.test(path) && path !== "")) {
    cpSync(join(root, path), join(project, path))
  }
  cpSync(join(root, "dist"), join(project, "dist"), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(project, "node_modules"))
  writeFileSync(join(project, ".gitignore"), "/dist/\n/node_modules\n")
  writeFileSync(join(project, ".changeset/one.md"), '---\n"batchnorm": minor\n---\n\nA change that users notice.\n')
  const repository = { type: "git", url: "git+https://github.com/example/batchnorm.git" }
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ ...JSON.parse(read("package.json")), repository }, null, 2),
  )
  mkdirSync(bin)
  const npm = '#!/bin/sh\n[ "$1" = publish ] && exit "$PUBLISHED"\nPATH="$REAL_PATH" exec npm "$@"\n'
  writeFileSync(join(bin, "npm"), npm, { mode: 0o755 })
  gitIn(folder, "init", "--quiet", "--bare", "--initial-branch=main", remote)
  git("init", "--quiet", "--initial-branch=main")
  git("config", "user.name", "Test")
  git("config", "user.email", "test@example.org")
  git("add", "--all")
  git("commit", "--quiet", "--message", "all")
  git("remote", "add", "origin", remote)
  git("push", "--quiet", "--set-upstream", "origin", "main")
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test("a dry run raises the version, writes the notes above those there are, and leaves nothing", {
  timeout: 120_000,
}, () => {
  const before = state()
  const { status, stdout, stderr } = release(["--dry-run"])
  expect(stderr).toBe("")
  expect(status).toBe(0)
  expect(stdout).toContain("## 0.2.0\n\n### Minor Changes\n\n- A change that users notice.\n")
  expect(stdout).toMatch(/^ +\d+ {2}dist\/index\.js$/m)
  expect(stdout).toContain("+ batchnorm@0.2.0\nNothing was published.")
  expect(state()).toEqual(before)
  expect(before.slice(0, 3)).toEqual(["", expect.anything(), ""])
})

test("what is not committed is not released", () => {
  writeFileSync(join(project, "new.txt"), "")
  const { status, stdout, stderr } = release([])
  rmSync(join(project, "new.txt"))
  expect(status).toBe(1)
  expect(stdout).toBe("")
  expect(stderr).toBe("only what is committed can be released:\n?? new.txt\n")
})

test("a dry run packs nothing that was built from what is not committed", () => {
  const lock = read("package-lock.json")
  mkdirSync(join(project, "ts"))
  for (const path of ["package-lock.json", "ts/index.ts", "README.md"])
    writeFileSync(join(project, path), "\n", { flag: "a" })
  const { status, stdout, stderr } = release(["--dry-run"])
  rmSync(join(project, "ts"), { recursive: true })
  writeFileSync(join(project, "package-lock.json"), lock)
  git("checkout", "--quiet", "README.md")
  expect(status).toBe(1)
  expect(stdout).toBe("")
  expect(stderr).toBe(
    "dist is built from crates, ts, tools and the settings beside them, of which this is not committed:\n M package-lock.json\n?? ts/index.ts\n",
  )
})

test("a release that fails leaves everything as it was", { timeout: 120_000 }, () => {
  const before = state()
  const { status, stdout, stderr } = releaseInCi(1)
  expect(stderr).toBe("npm did not publish it; nothing was changed here.\n")
  expect(status).toBe(1)
  expect(stdout).not.toContain("✗")
  expect(state()).toEqual(before)
})

test("a release commits and tags what it published, and one push takes both along", { timeout: 120_000 }, () => {
  const { status, stdout, stderr } = releaseInCi(0)
  expect(stderr).toBe("")
  expect(status).toBe(0)
  expect(stdout).toMatch(/\nNow: git push --follow-tags\n$/)
  expect(git("status", "--porcelain")).toBe("")
  expect(git("log", "-1", "--format=%s, %an")).toBe("release: 0.2.0, Test\n")
  expect(JSON.parse(read("package.json")).version).toBe("0.2.0")
  expect(read("CHANGELOG.md")).toContain("## 0.2.0\n")
  git("push", "--quiet", "--follow-tags")
  expect(gitIn(remote, "rev-parse", "main", "v0.2.0^{commit}")).toBe(git("rev-parse", "HEAD", "HEAD"))
})
