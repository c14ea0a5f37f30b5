import { ArgumentError } from "../errors.ts"
import { describe } from "./describe.ts"

/** Most threads of a pool. */
const most = 64
const pageBytes = 1 << 16

/** How many threads there are to be. */
export function checkThreads(threads: unknown): number | "auto" {
  if (threads === undefined || threads === "auto") return "auto"
  if (!Number.isInteger(threads) || !((threads as number) >= 0 && (threads as number) <= most)) {
    throw new ArgumentError("threads", `"auto" or a whole number from 0 to ${most}`, describe(threads))
  }
  return threads as number
}

/** Bytes of memory at most, as pages; `least` of them are the kernels' own. */
export function checkMemory(bytes: unknown, least: number, absent: number): number {
  if (bytes === undefined) return absent
  const enough = Number.isInteger(bytes) && (bytes as number) >= least * pageBytes && (bytes as number) <= 2 ** 32
  if (!enough) {
    throw new ArgumentError("maximumMemory", `bytes, from ${least * pageBytes} to 2^32`, describe(bytes))
  }
  return Math.floor((bytes as number) / pageBytes)
}

/** The address of a script. */
export function checkWorkerUrl(url: string | { readonly href: string } | undefined): string | URL | undefined {
  if (url === undefined || typeof url === "string" || url instanceof URL) return url
  throw new ArgumentError("workerUrl", "the address of a script with workerSource", describe(url))
}

/** What is to be called in the background. */
export function checkCall(call: unknown): void {
  if (typeof call !== "function") throw new ArgumentError("call", "a function that makes one call", describe(call))
}

/** What it returned: a promise may wait for calls that wait for this one. */
export function checkResult(result: unknown): void {
  if (typeof (result as Promise<unknown> | undefined)?.then !== "function") return
  void Promise.resolve(result).catch(() => {})
  throw new ArgumentError("call", "a function that makes one call and returns at once", "one that returns a promise")
}
