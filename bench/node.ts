import { readFileSync } from "node:fs"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { type Origin, root } from "./report/record.ts"
import { type Engine, type Studies, studies } from "./studies/index.ts"
import "./peers/extensions.ts"
import "./peers/one-thread.ts"

type Parameters1<F> = F extends (engine: Engine, ...rest: infer R) => unknown ? R : never
type Result<F> = F extends (...args: never[]) => AsyncGenerator<infer T> ? T : never

/** An engine that runs studies. */
export interface Runner {
  readonly engine?: Origin["engine"] | undefined
  run<S extends keyof Studies>(study: S, ...args: Parameters1<Studies[S]>): AsyncIterable<Result<Studies[S]>>
  close(): Promise<void>
}

/** What the bench measures kernels against, built by `npm run bench`. */
const yardstickFolder = join(root, ".tools/yardstick")

/** This process. */
export function inNode(): Runner {
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  const engine: Engine = {
    wasm: new WebAssembly.Module(readFileSync(join(yardstickFolder, "kernel.wasm"))),
    sharedWasm: new WebAssembly.Module(readFileSync(join(yardstickFolder, "threads.wasm"))),
    heapSize(isCollected) {
      if (isCollected) collect()
      return process.memoryUsage().heapUsed
    },
  }
  return {
    run: (study, ...args) => (studies[study] as (engine: Engine, ...args: unknown[]) => never)(engine, ...args),
    close: async () => {},
  }
}
