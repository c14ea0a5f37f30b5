/**
 * The package with its kernels inside: there is nothing to set up, the first call starts them.
 * @module
 */
import { kernelText } from "../generated/kernel-text.ts"
import { decodePrintable } from "../printable.ts"
import { setSource } from "../wasm.ts"

setSource(() => decodePrintable(kernelText))

export * from "../index.ts"
