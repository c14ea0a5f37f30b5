import * as several from "batchnorm/threads"
import { prepareAs } from "./batchnorm.ts"
import { withWorkers } from "./one-thread.ts"
import type { Peer } from "./peer.ts"

/** This package on all cores: a peer of its own, since the others get one thread. */
export async function batchnormThreads(): Promise<Peer> {
  await withWorkers(() => several.init({ maximumMemory: 2 ** 31 }))
  return {
    name: "batchnorm threads",
    prepare: prepareAs(several as object as Parameters<typeof prepareAs>[0], "float32"),
  }
}
