import { decodeBase64 } from "../base64.ts"
import { kernelBase64 } from "../generated/kernel-bytes.ts"
import { setSource } from "../wasm.ts"

setSource(() => decodeBase64(kernelBase64))

export * from "../index.ts"
