import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { attempt, initSync } from "./slim-attempt.js"

initSync({ source: readFileSync(fileURLToPath(import.meta.resolve("batchnorm/kernel.wasm"))) })
console.log(JSON.stringify(attempt()))
