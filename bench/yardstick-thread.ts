// A thread of the yardstick.
import { type Loop, loopNames, loopsOver } from "./yardstick.ts"
import { doneWord, epochWord, instantiate, loopWord, type Start, startedWord, wordCount } from "./yardstick-threads.ts"

/** Looks at the epoch before it sleeps: as many as a thread of the pool. */
const looks = 20_000

/** Runs its part of each loop, until it is ended. */
function serve({ wasm, memory, words: address, stack, part }: Start): never {
  const exports = instantiate(wasm, memory)
  // The loops have no other variables of their own.
  exports.__stack_pointer.value = stack
  const loops = loopsOver(exports, part)
  const words = new Int32Array(memory.buffer, address, wordCount)
  let epoch = Atomics.load(words, epochWord)
  Atomics.add(words, startedWord, 1)
  for (;;) {
    for (let left = looks; left > 0 && Atomics.load(words, epochWord) === epoch; left--);
    Atomics.wait(words, epochWord, epoch)
    epoch = Atomics.load(words, epochWord)
    loops[loopNames[Atomics.load(words, loopWord)] as Loop]()
    Atomics.add(words, doneWord, 1)
  }
}

const start: Start | null | undefined = globalThis.process?.getBuiltinModule?.("node:worker_threads").workerData
if (start) serve(start)
else globalThis.onmessage = ({ data }: MessageEvent<Start>) => serve(data)
