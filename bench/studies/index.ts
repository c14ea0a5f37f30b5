import { compare, type Plan } from "../compare.ts"
import { loadPeers, type PeerName } from "../peers/index.ts"
import type { Effort } from "../timing.ts"
import { calls, type HeapSize } from "./calls.ts"
import { type Sweep, sweep } from "./sweep.ts"
import { gains } from "./threads.ts"

/** What an engine brings along. */
export interface Engine {
  readonly wasm: WebAssembly.Module
  /** The same for instances that share a memory. */
  readonly sharedWasm: WebAssembly.Module
  readonly heapSize?: HeapSize
}

/** Everything that runs in Node and in a browser alike: arguments that can be sent, results one by one. */
export const studies = {
  async *compare({ wasm }: Engine, plan: Plan, peers: readonly PeerName[]) {
    yield* compare(plan, await loadPeers(peers), wasm)
  },
  sweep: ({ wasm }: Engine, kind: Sweep, effort: Effort) => sweep(kind, effort, wasm),
  threads: ({ sharedWasm }: Engine, plan: Plan, effort: Effort) => gains(plan, effort, sharedWasm),
  async *calls({ heapSize }: Engine, effort: Effort) {
    yield* await calls(effort, heapSize)
  },
}
export type Studies = typeof studies
