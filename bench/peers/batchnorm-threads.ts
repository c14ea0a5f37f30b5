import * as several from "batchnorm/threads"
import { prepareAs } from "./batchnorm.ts"
import { withWorkers } from "./one-thread.ts"
import type { Peer } from "./peer.ts"

type Alone = Parameters<typeof prepareAs>[0]

/** This package on all cores: a peer of its own, since the others get one thread. */
export async function batchnormThreads(): Promise<Peer> {
  return { name: "batchnorm threads", prepare: prepareAs(await startThreads(), "float32") }
}

/** Its functions, by the types of those on one. */
export async function startThreads(): Promise<Alone> {
  await withWorkers(() => several.init({ maximumMemory: 2 ** 31 }))
  return several as object as Alone
}
