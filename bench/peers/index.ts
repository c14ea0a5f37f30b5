import type { Peer } from "./peer.ts"

/** The peers by the names that the command line knows; each is loaded only where it is asked for. */
const loaders = {
  batchnorm: async () => (await import("./batchnorm.ts")).batchnorm,
  "batchnorm-f64": async () => (await import("./batchnorm.ts")).batchnormF64,
  "batchnorm-threads": async () => (await import("./batchnorm-threads.ts")).batchnormThreads(),
  "pure-js": async () => (await import("./pure-js.ts")).pureJs,
  "tfjs-cpu": async () => (await import("./tfjs.ts")).tfjs("cpu", "batchNorm"),
  "tfjs-wasm": async () => (await import("./tfjs.ts")).tfjs("wasm", "batchNorm"),
  "tfjs-wasm-composed": async () => (await import("./tfjs.ts")).tfjs("wasm", "composed"),
  onnxruntime: async () => (await import("./onnxruntime.ts")).onnxruntime,
  "jax-js": async () => (await import("./jax.ts")).jax,
} as const satisfies Record<string, () => Promise<Peer>>

export type PeerName = keyof typeof loaders
export const peerNames = Object.keys(loaders) as readonly PeerName[]

/** The peers of these names. One that does not load is a peer that fails to prepare. */
export async function loadPeers(names: readonly PeerName[]): Promise<Peer[]> {
  const peers: Peer[] = []
  // One after the other: while one starts threads, another would find that it can, too.
  for (const name of names) {
    peers.push(await loaders[name]().catch((error: unknown) => ({ name, prepare: () => Promise.reject(error) })))
  }
  return peers
}
