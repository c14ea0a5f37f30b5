import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../..", import.meta.url))

/** What a module prints that runs in a process of its own, where nothing has started yet; `flags` are Node's. */
export function runFresh(source: string, flags: readonly string[] = []): unknown {
  const prelude = `
    import { readFileSync } from "node:fs"
    import { createRequire } from "node:module"
    import { join } from "node:path"
    const file = createRequire(join(${JSON.stringify(root)}, "x.js")).resolve("batchnorm/kernel.wasm")
    const bytes = () => new Uint8Array(readFileSync(file))
    const dataUrl = () => "data:application/wasm;base64," + readFileSync(file).toString("base64")
    const x = { data: Float32Array.of(1, 3), shape: [2] }
    const print = (value) => console.log(JSON.stringify(value) ?? "null")
    const plain = ({ name, code, argument, message, cause }) => ({ name, code, argument, message, cause: cause?.name })
    const thrown = (call) => { try { call(); return "accepted" } catch (error) { return plain(error) } }
    const rejected = (promise) => promise.then(() => "accepted", plain)
  `
  const args = [...flags, "--input-type=module", "--eval", `${prelude}\n${source}`]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    timeout: 170_000,
  })
  if (status !== 0) throw new Error(`${source}\n${stderr}`)
  return JSON.parse(stdout)
}
