import { doneWord, endedWord, epochWord, sleepersWord, startedWord, stopWord, waitingWord } from "./words.ts"

/** Looks at the epoch that a thread takes before it sleeps: a tenth of a millisecond or two. */
const looks = 20_000

/**
 * What a thread of the pool runs, as the text of a script: that alone survives every bundler. Save it as a file where a
 * content security policy allows no `blob:`, and pass its address to `init` as `workerUrl`.
 */
export const workerSource: string = `// batchnorm: a thread of the pool
const work = ({ module, memory, words: at, stack, local }) => {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  exports.__stack_pointer.value = stack
  exports.__tls_base.value = local
  const words = new Int32Array(memory.buffer, at)
  let epoch = Atomics.load(words, ${epochWord})
  Atomics.add(words, ${startedWord}, 1)
  while (!Atomics.load(words, ${stopWord})) {
    exports.bn_share(0)
    if (Atomics.load(words, ${waitingWord})) Atomics.notify(words, ${doneWord})
    for (let looks = ${looks}; looks > 0 && Atomics.load(words, ${epochWord}) === epoch; looks--);
    if (Atomics.load(words, ${epochWord}) === epoch) {
      Atomics.add(words, ${sleepersWord}, 1)
      Atomics.wait(words, ${epochWord}, epoch)
      Atomics.sub(words, ${sleepersWord}, 1)
    }
    epoch = Atomics.load(words, ${epochWord})
  }
  Atomics.add(words, ${endedWord}, 1)
}
const start = globalThis.process?.getBuiltinModule?.("node:worker_threads")?.workerData
if (start?.module) work(start)
else
  globalThis.onmessage = async ({ data }) => {
    // It is held until this thread has ended, which nothing else tells.
    await new Promise((held) => navigator.locks.request(data.lock, () => new Promise(() => held())))
    work(data)
    globalThis.close()
  }
`
