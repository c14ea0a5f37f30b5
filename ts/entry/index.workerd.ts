// Cloudflare's workerd compiles no bytes; it hands over the .wasm that a Worker imports as a WebAssembly.Module.
//
// All of the namespace, since a missing default export would end a bundle or a start in words of others.
import * as file from "../generated/kernel_bg.wasm"
import { checkImported } from "../options/source.ts"
import { setSource } from "../wasm.ts"

setSource(() => checkImported(file))

export * from "../index.ts"
