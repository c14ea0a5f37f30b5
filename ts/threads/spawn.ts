import { workerSource } from "./worker-source.ts"

/** A thread that was started. */
export interface Thread {
  /** Ends it, whatever it is at. */
  kill(): void
  /** When it has ended, by itself or not, for sure. */
  ended(): Promise<void>
}

/** Those of the Worker of Node's that are used. */
interface NodeWorker {
  on(event: "error", listener: (error: Error) => void): void
  once(event: "exit", listener: () => void): void
  unref(): void
  terminate(): unknown
}

interface NodeThreads {
  readonly Worker: new (source: string | URL, options: object) => NodeWorker
}

interface System {
  availableParallelism(): number
}

interface Process {
  getBuiltinModule?(name: string): unknown
}

function builtin(name: string): unknown {
  return (globalThis as { process?: Process }).process?.getBuiltinModule?.(name)
}

/** How many threads can run at a time. */
export function cores(): number {
  const system = builtin("node:os") as System | undefined
  return system?.availableParallelism?.() ?? globalThis.navigator?.hardwareConcurrency ?? 1
}

/** Why this engine starts no threads, if it does not. */
export function whyNone(): string | undefined {
  if (globalThis.crossOriginIsolated === false && !builtin("node:worker_threads")) {
    return "the page is not cross-origin isolated: serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp"
  }
  if (typeof Worker === "undefined" && !builtin("node:worker_threads")) return "this engine has no workers"
  return undefined
}

/** Starts a thread. `failed` hears of what it fails by. Throws what the engine does. */
export function spawn(url: string | URL | undefined, start: object, failed: (error: Error) => void): Thread {
  const node = builtin("node:worker_threads") as NodeThreads | undefined
  return node ? spawnInNode(node, url, start, failed) : spawnInBrowser(url, start, failed)
}

function spawnInNode(
  { Worker }: NodeThreads,
  url: string | URL | undefined,
  start: object,
  failed: (error: Error) => void,
): Thread {
  const options = { workerData: start, execArgv: [], name: "batchnorm" }
  const worker = url === undefined ? new Worker(workerSource, { ...options, eval: true }) : new Worker(url, options)
  worker.on("error", failed)
  const ended = new Promise<void>((resolve) => worker.once("exit", resolve))
  worker.unref()
  return { kill: () => void worker.terminate(), ended: () => ended }
}

/** The address of the script, which is the same for all. */
let blobUrl: string | undefined

function spawnInBrowser(url: string | URL | undefined, start: object, failed: (error: Error) => void): Thread {
  blobUrl ??= URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" }))
  const worker = new Worker(url ?? blobUrl)
  worker.onerror = (event) => {
    event.preventDefault()
    failed(new Error(event.message ?? "the worker's script did not load"))
  }
  const lock = `batchnorm ${crypto.randomUUID()}`
  try {
    worker.postMessage({ ...start, lock })
  } catch (error) {
    worker.terminate()
    throw error
  }
  return { kill: () => worker.terminate(), ended: async () => void (await navigator.locks.request(lock, () => {})) }
}
