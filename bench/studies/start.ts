// How long a fresh process takes from the import of a library to its first result: forward of [32, 256].
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { median, quantile } from "../statistics.ts"

const starters = ["batchnorm", "tfjs-cpu", "tfjs-wasm", "onnxruntime", "jax-js"] as const

/** Milliseconds of several processes. */
export interface Start {
  readonly peer: (typeof starters)[number]
  readonly median: number
  readonly low: number
  readonly high: number
  readonly failure?: string | undefined
}

/** Measures one library after the other, as many processes of each. */
export function* starts(processes: number): Generator<Start> {
  const script = fileURLToPath(new URL("first-result.mjs", import.meta.url))
  for (const peer of starters) {
    try {
      const times = Array.from({ length: processes }, () =>
        Number(execFileSync(process.execPath, [script, peer], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })),
      )
      yield { peer, median: median(times), low: quantile(times, 0.25), high: quantile(times, 0.75) }
    } catch (error) {
      yield { peer, median: Number.NaN, low: Number.NaN, high: Number.NaN, failure: (error as Error).message }
    }
  }
}
