import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { initSync } from "batchnorm/slim"
import { attempt } from "./slim-attempt.js"

const path = fileURLToPath(import.meta.resolve("batchnorm/kernel.wasm"))
initSync({ source: readFileSync(path) })
console.log(JSON.stringify(attempt()))
