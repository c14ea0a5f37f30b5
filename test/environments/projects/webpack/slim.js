import { init } from "batchnorm/slim"
import { attempt } from "./slim-attempt.js"

const source = new URL("batchnorm/kernel.wasm", import.meta.url)
await init({ source })
globalThis.answer = attempt()
