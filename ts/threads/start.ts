import { UnsupportedError } from "../errors.ts"
import { kernelPages } from "../generated/threads-text.ts"
import { checkOptions } from "../options/settings.ts"
import { checkMemory, checkThreads, checkWorkerUrl } from "../options/threads.ts"
import { setCacheBytes } from "../stream.ts"
import { isStarted, type kernel, start } from "../wasm.ts"
import { inTurn } from "./background.ts"
import { adopt, endThreads, reason, type Shares, startThreads, threadCount } from "./pool.ts"
import { shared } from "./share.ts"

type Kernels = typeof kernel & Shares

const pageBytes = 1 << 16
/** 1 GiB. */
let pages = 2 ** 14
/** Whether the engine has shared memory. */
let isShared = true

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
  dispose: () => inTurn(() => endThreads()),
}

/** Makes the exports of a module whose memory is shared. */
export function instantiate(module: WebAssembly.Module): typeof kernel {
  const memory = memoryFor()
  const own = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels
  // All of it is there from the start, so that no view of it is ever detached; the allocator takes what is free.
  own.bn_free(kernelPages * pageBytes, (pages - kernelPages) * pageBytes)
  const { kernels, guard } = shared(own)
  adopt(own, memory, isShared ? module : undefined, guard)
  // A share of it for each of two threads.
  setCacheBytes(2 ** 21)
  return Object.assign(kernels, { memory })
}

function memoryFor(): WebAssembly.Memory {
  try {
    return memoryOf(isShared)
  } catch (cause) {
    throw new UnsupportedError(`this engine does not give ${pages * pageBytes} bytes of memory at once`, { cause })
  }
}

function memoryOf(shared: boolean): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared })
}

/** Makes the import of the kernels' memory fit an engine that shares none: its flags say that there is a maximum alone. */
export function unsharedWhereNone(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  try {
    new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })
    return bytes
  } catch {
    isShared = false
  }
  const name = [..."\x03env\x06memory\x02"].map((letter) => letter.charCodeAt(0))
  const at = bytes.findIndex((_, start) => name.every((byte, index) => bytes[start + index] === byte))
  bytes[at + name.length] = 1
  return bytes
}

/**
 * Starts the kernels and the threads, and resolves when these run; without it the first large call starts them, and
 * goes on alone. A later call ends the threads that there are and starts others. Where threads are not to be had the
 * calling one computes alone, with the same results, and `threads.reason` says why.
 *
 * @throws ArgumentError; UnsupportedError where the engine lacks SIMD, or does not give that much memory
 */
export async function init(options?: ThreadsOptions): Promise<void> {
  const given = prepare(options)
  const count = checkThreads(given.threads)
  const url = checkWorkerUrl(given.workerUrl)
  start()
  const running = await inTurn(() => startThreads(count, url))
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
