import type { Failure } from "./messages.ts"

/** What a visitor is told of a failure in a worker. */
export function inWords({ code, message }: Pick<Failure, "code" | "message">): string {
  if (code === "unsupported") {
    return `This browser cannot run the kernels: ${message}. Browsers have had WebAssembly with SIMD since 2023; in some modes of high security it is switched off.`
  }
  if (code === "out-of-memory") return `There is not enough memory: ${message}.`
  return `The worker stopped: ${message || "its script could not be loaded"}. Starting again makes a new one.`
}
