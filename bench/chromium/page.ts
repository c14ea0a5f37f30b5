import "../peers/one-thread.ts"
import { type Studies, studies } from "../studies/index.ts"

/** What the runner calls: starts a study, then takes its results one by one. */
export interface Page {
  start(study: keyof Studies, args: readonly unknown[]): void
  next(): Promise<IteratorResult<unknown>>
}

const compile = (name: string) => WebAssembly.compileStreaming(fetch(`/.tools/yardstick/${name}.wasm`))
const [wasm, sharedWasm] = await Promise.all([compile("kernel"), compile("threads")])
let running: AsyncIterator<unknown> | undefined

const page: Page = {
  start(study, args) {
    const run = studies[study] as (...args: unknown[]) => AsyncGenerator
    running = run({ wasm, sharedWasm }, ...args)
  },
  next() {
    if (!running) throw new Error("nothing was started")
    return running.next()
  },
}
Object.assign(globalThis, { bench: page })
