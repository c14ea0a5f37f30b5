import { kernelText } from "../generated/kernel-text.ts"
import { decodePrintable } from "../printable.ts"
import { setSource } from "../wasm.ts"

setSource(() => decodePrintable(kernelText))

export * from "../index.ts"
