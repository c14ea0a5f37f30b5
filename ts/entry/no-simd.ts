/**
 * The same for engines without SIMD: the same bits, two to three times slower.
 * @module
 */
import { kernelText } from "../generated/no-simd-text.ts"
import { decodePrintable } from "../printable.ts"
import { setSource } from "../wasm.ts"

setSource(() => decodePrintable(kernelText))

export * from "../index.ts"
