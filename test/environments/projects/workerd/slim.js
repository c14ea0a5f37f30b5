import source from "batchnorm/kernel.wasm"
import { attempt, init } from "./slim-attempt.js"

export default {
  async fetch() {
    await init({ source })
    return Response.json(attempt())
  },
}
