// What the memory allows to all cores: the loops of the yardstick, each thread's on a part of its own.
import { withWorkers } from "./peers/one-thread.ts"
import { type Arrays, arraysIn, type Exports, type Loop, loopNames, loopsOver, partOf } from "./yardstick.ts"

/** What a thread is started with. */
export interface Start {
  readonly wasm: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  /** The address of the words. */
  readonly words: number
  /** The end of its stack. */
  readonly stack: number
  readonly part: Arrays
}

/** The words that the threads share, by their index: another epoch with each loop, which loop, and how many threads are through. */
export const epochWord = 0
export const loopWord = 1
export const doneWord = 2
export const startedWord = 3
export const wordCount = 4

const stackBytes = 1 << 16
/** Milliseconds that threads may take to start. */
const startTime = 5000

/** The same loops on one thread, and on several. */
export interface SeveralThreads {
  readonly alone: Record<Loop, () => void>
  readonly all: Record<Loop, () => void>
  /** Ends the threads. */
  dispose(): void
}

/**
 * The loops on arrays of as many elements in a memory that threads share: by the calling thread alone, and by so many, each of
 * which has a part.
 *
 * @param wasm the module .tools/yardstick/threads.wasm
 */
export async function yardstickOf(
  wasm: WebAssembly.Module,
  elements: number,
  threads: number,
): Promise<SeveralThreads> {
  // More pages than the module asks for; the arrays grow it.
  const memory = new WebAssembly.Memory({ initial: 2 ** 8, maximum: 2 ** 16, shared: true })
  const exports = instantiate(wasm, memory)
  const arrays = arraysIn(exports, memory, elements)
  const address = exports.bn_allocate(4 * wordCount)
  const words = new Int32Array(memory.buffer, address, wordCount)
  const others: { terminate(): unknown }[] = []
  await withWorkers(async () => {
    for (let index = 1; index < threads; index++) {
      const stack = exports.bn_allocate(stackBytes) + stackBytes
      others.push(spawn({ wasm, memory, words: address, stack, part: partOf(arrays, index, threads) }))
    }
  })
  const end = performance.now() + startTime
  while (Atomics.load(words, startedWord) < others.length) {
    if (performance.now() > end) throw new Error("the threads of the yardstick do not start")
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const own = loopsOver(exports, partOf(arrays, 0, threads))
  const shared = (loop: Loop) => () => {
    Atomics.store(words, loopWord, loopNames.indexOf(loop))
    Atomics.store(words, doneWord, 0)
    Atomics.add(words, epochWord, 1)
    Atomics.notify(words, epochWord)
    own[loop]()
    // A part is as long as the caller's own, and a page's thread may not sleep.
    while (Atomics.load(words, doneWord) < others.length);
  }
  return {
    alone: loopsOver(exports, arrays),
    all: Object.fromEntries(loopNames.map((loop) => [loop, shared(loop)])) as Record<Loop, () => void>,
    dispose: () => {
      for (const other of others) other.terminate()
    },
  }
}

export function instantiate(wasm: WebAssembly.Module, memory: WebAssembly.Memory): Exports & ThreadGlobals {
  return new WebAssembly.Instance(wasm, { env: { memory } }).exports as unknown as Exports & ThreadGlobals
}

interface ThreadGlobals {
  readonly __stack_pointer: WebAssembly.Global
}

function spawn(start: Start): { terminate(): unknown } {
  const node = globalThis.process?.getBuiltinModule?.("node:worker_threads")
  if (node) {
    const worker = new node.Worker(new URL("./yardstick-thread.ts", import.meta.url), { workerData: start })
    worker.unref()
    return worker
  }
  const worker = new Worker(new URL("./yardstick-thread.ts", import.meta.url), { type: "module" })
  worker.postMessage(start)
  return worker
}
