import source from "batchnorm/kernel.wasm?url"
import { attempt, init } from "../slim-attempt.js"

init({ source }).then(() => {
  globalThis.answer = attempt()
})
