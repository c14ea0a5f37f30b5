// Cloudflare's workerd has no threads: the API of "batchnorm/threads" on the kernels of "batchnorm", and one thread.

import * as file from "../generated/kernel_bg.wasm"
import { checkImported } from "../options/source.ts"
import { haveNone } from "../threads/pool.ts"
import { setSource } from "../wasm.ts"

setSource(() => checkImported(file))
haveNone()

export { ThreadError } from "../errors.ts"
export * from "../index.ts"
export { allocate } from "../threads/allocate.ts"
export { inBackground } from "../threads/background.ts"
export { init, initSync, threads } from "../threads/start.ts"
export { workerSource } from "../threads/worker-source.ts"
