import { copyFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { buildKernel, inputs, kernel, threads } from "./build-wasm.mjs"
import { root, toolsFolder } from "./set-up/environment.mjs"
import { isStamped, stamped } from "./set-up/fingerprint.mjs"

const name = "yardstick"
const sources = ["tools/build-yardstick.mjs"]
const variants = { kernel, threads }
const folder = ".tools/yardstick"
const outputs = Object.keys(variants).map((id) => `${folder}/${id}.wasm`)

/** The same kernels beside loops that show what the memory allows, for the bench alone. */
/** @type {import("./set-up/steps.mjs").Step} */
export const buildYardstick = {
  title: "building what the bench measures the kernels against",
  isCurrent: async () => isStamped(name, await inputs(sources), outputs),
  run: async (say) =>
    stamped(name, await inputs(sources), async () => {
      mkdirSync(join(root, folder), { recursive: true })
      for (const [id, variant] of Object.entries(variants)) {
        const own = join(toolsFolder, "build", `${name}-${id}`)
        const { wasm } = await buildKernel(own, { say, log: `${name}-${id}`, variant, features: [name] })
        copyFileSync(wasm, join(root, folder, `${id}.wasm`))
      }
    }),
}
