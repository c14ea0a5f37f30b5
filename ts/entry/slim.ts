/**
 * The same without the bytes of the kernels: `init` or `initSync` has to be told, before the first call, where to take them
 * from. `batchnorm/kernel.wasm` is the file.
 * @module
 */
export * from "../index.ts"
