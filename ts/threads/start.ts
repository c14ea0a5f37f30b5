import { UnsupportedError } from "../errors.ts"
import { kernelPages } from "../generated/threads-text.ts"
import { checkOptions } from "../options/settings.ts"
import { checkMemory, checkThreads, checkWorkerUrl } from "../options/threads.ts"
import { setCacheBytes } from "../stream.ts"
import { isStarted, type kernel, start } from "../wasm.ts"
import { adopt, endThreads, reason, type Shares, startThreads, threadCount } from "./pool.ts"
import { shared } from "./share.ts"

type Kernels = typeof kernel & Shares

const pageBytes = 1 << 16
/** 1 GiB. */
let pages = 2 ** 14

/** What the start of "batchnorm/threads" may be told. */
export interface ThreadsOptions {
  /** How many threads compute, the calling one included; 0 and 1: that alone. "auto": as many as cores, 8 at most. */
  threads?: number | "auto" | undefined
  /** Bytes of memory for the kernels and all arrays of `allocate`, reserved at once: 2^30 unless given. */
  maximumMemory?: number | undefined
  /** A script with `workerSource`, where a content security policy allows no `blob:`. */
  workerUrl?: string | WorkerAddress | undefined
}

/** A URL object. */
export interface WorkerAddress {
  /** The whole of it. */
  readonly href: string
}

/** The threads of this copy of the package. */
export interface Threads {
  /** How many compute, the calling one included. */
  readonly count: number
  /** Why it is one, if it is. */
  readonly reason: string | undefined
  /** Ends all threads but the calling one, which goes on alone; resolves when they have ended. */
  dispose(): Promise<void>
}

/** The threads that compute, and how to end them. */
export const threads: Threads = {
  get count() {
    return threadCount()
  },
  get reason() {
    return threadCount() > 1 ? undefined : reason
  },
  dispose: () => endThreads(),
}

/** Makes the exports of a module whose memory is shared. */
export function instantiate(module: WebAssembly.Module): typeof kernel {
  const memory = sharedMemory()
  const own = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels
  // All of it is there from the start, so that no view of it is ever detached; the allocator takes what is free.
  own.bn_free(kernelPages * pageBytes, (pages - kernelPages) * pageBytes)
  const { kernels, refuse, accept } = shared(own)
  adopt(own, memory, module, refuse, accept)
  // A share of it for each of two threads.
  setCacheBytes(2 ** 21)
  return Object.assign(kernels, { memory })
}

function sharedMemory(): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  } catch (cause) {
    throw new UnsupportedError(`this engine has no ${pages * pageBytes} bytes of shared memory: use "batchnorm"`, {
      cause,
    })
  }
}

/**
 * Starts the kernels and the threads, and resolves when these run; without it the first large call starts them, and
 * goes on alone. A later call ends the threads that there are and starts others. Where threads are not to be had the
 * calling one computes alone, with the same results, and `threads.reason` says why.
 *
 * @throws ArgumentError; UnsupportedError where the engine lacks SIMD or shared memory
 */
export async function init(options?: ThreadsOptions): Promise<void> {
  const given = prepare(options)
  const count = checkThreads(given.threads)
  const url = checkWorkerUrl(given.workerUrl)
  start()
  const running = await startThreads(count, url)
  if (typeof count === "number" && running < count && count > 1) {
    console.warn(`batchnorm: ${running} of ${count} threads: ${reason}`)
  }
}

/**
 * Starts the kernels alone.
 *
 * @throws as `init`
 */
export function initSync(options?: Pick<ThreadsOptions, "maximumMemory">): void {
  prepare(options)
  start()
}

function prepare(options: ThreadsOptions | undefined): ThreadsOptions {
  const given = checkOptions(options, "options", ["threads", "maximumMemory", "workerUrl"]) ?? {}
  const wanted = checkMemory(given.maximumMemory, kernelPages, pages)
  if (!isStarted()) pages = wanted
  return given
}
