import source from "batchnorm/kernel.wasm"
import { init } from "batchnorm/slim"
import { attempt } from "./slim-attempt.js"

export default {
  async fetch() {
    await init({ source })
    return Response.json(attempt())
  },
}
