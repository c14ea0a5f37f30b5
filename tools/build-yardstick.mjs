import { copyFileSync, mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { buildKernel, inputs } from "./build-wasm.mjs"
import { root, toolsFolder } from "./set-up/environment.mjs"
import { isStamped, stamped } from "./set-up/fingerprint.mjs"

const name = "yardstick"
const sources = ["tools/build-yardstick.mjs"]
const output = ".tools/yardstick/kernel.wasm"

/** The same kernels beside loops that show what the memory allows, for the bench alone. */
/** @type {import("./set-up/steps.mjs").Step} */
export const buildYardstick = {
  title: "building what the bench measures the kernels against",
  isCurrent: async () => isStamped(name, await inputs(sources), [output]),
  run: async (say) =>
    stamped(name, await inputs(sources), async () => {
      const { wasm } = await buildKernel(join(toolsFolder, "build", name), { say, log: name, features: [name] })
      mkdirSync(dirname(join(root, output)), { recursive: true })
      copyFileSync(wasm, join(root, output))
    }),
}
