import { execFile } from "node:child_process"
import { appendFileSync, cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, expect, test } from "vitest"
import { environment, root } from "../../tools/set-up/environment.mjs"

const folder = mkdtempSync(join(tmpdir(), "batchnorm-clippy-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// The part of wall 2 that needs types: max and min are forbidden on lanes, not on lengths.
test("clippy refuses max and min of lanes", { timeout: 120_000 }, async () => {
  for (const name of ["crates", "bench/native", "Cargo.toml", "Cargo.lock", "clippy.toml", "rust-toolchain.toml"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true })
  }
  const planted = `
/// Planted.
pub fn planted(a: wide::f32x4, b: wide::f64x4, n: usize) -> (wide::f32x4, wide::f64x4, usize) {
    (a.max(a), b.min(b), n.min(3))
}
`
  appendFileSync(join(folder, "crates/batchnorm/src/lib.rs"), planted)
  const env = environment({ CARGO_TARGET_DIR: join(root, "target") })
  const args = ["clippy", "--locked", "--quiet", "-p", "batchnorm", "--lib", "--", "-D", "warnings"]
  const run = promisify(execFile)("cargo", args, { cwd: folder, env })
  const { stderr } = await run.then(
    () => ({ stderr: "" }),
    (error: { stderr: string }) => error,
  )
  expect(stderr.match(/use of a disallowed method `wide::\w+::\w+`/g)).toEqual([
    "use of a disallowed method `wide::f32x4::max`",
    "use of a disallowed method `wide::f64x4::min`",
  ])
})
