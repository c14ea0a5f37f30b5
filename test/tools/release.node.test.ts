import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { root } from "../../tools/set-up/environment.mjs"

const project = mkdtempSync(join(tmpdir(), "batchnorm-release-test-"))
const git = (...args: string[]) => execFileSync("git", args, { cwd: project, encoding: "utf8" })
const commit = (message: string) =>
  git("-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "--quiet", "--message", message)

function release(...args: string[]) {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: _, SIGSTORE_ID_TOKEN: __, ...env } = process.env
  return spawnSync(process.execPath, ["tools/release.mjs", ...args], { cwd: project, encoding: "utf8", env })
}

const read = (path: string) => readFileSync(join(project, path), "utf8")

beforeAll(() => {
  const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root })
  for (const path of `${files}`.split("\0").filter((path) => /^(\.|tools\/|[^/]+$)/.test(path) && path !== "")) {
    cpSync(join(root, path), join(project, path))
  }
  cpSync(join(root, "dist"), join(project, "dist"), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(project, "node_modules"))
  writeFileSync(join(project, ".gitignore"), "/dist/\n/node_modules\n")
  writeFileSync(join(project, ".changeset/one.md"), '---\n"batchnorm": minor\n---\n\nA change that users notice.\n')
  git("init", "--quiet", "--initial-branch=main")
  git("add", "--all")
  commit("all")
})
afterAll(() => rmSync(project, { recursive: true, force: true }))

test("a dry run raises the version, writes the notes above those there are, and leaves nothing", {
  timeout: 120_000,
}, () => {
  const [before, changelog] = [read("package.json"), read("CHANGELOG.md")]
  const { status, stdout, stderr } = release("--dry-run")
  expect(stderr).toBe("")
  expect(status).toBe(0)
  expect(stdout).toContain("## 0.2.0\n\n### Minor Changes\n\n- A change that users notice.\n")
  expect(stdout).toMatch(/^ +\d+ {2}dist\/index\.js$/m)
  expect(stdout).toContain("+ batchnorm@0.2.0\nNothing was published.")
  expect([read("package.json"), read("CHANGELOG.md")]).toEqual([before, changelog])
  expect(git("status", "--porcelain")).toBe("")
  expect(git("tag")).toBe("")
})

test("what is not committed is not released", () => {
  writeFileSync(join(project, "new.txt"), "")
  const { status, stdout, stderr } = release()
  rmSync(join(project, "new.txt"))
  expect(status).toBe(1)
  expect(stdout).toBe("")
  expect(stderr).toBe("only what is committed can be released:\n?? new.txt\n")
})
