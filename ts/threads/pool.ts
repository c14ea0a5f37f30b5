// The threads of a pool: how they start and end.
//
//   off → starting → on → ending → off         and from anywhere, where a thread does not answer, → ending
//
// Until each thread's end is confirmed, its stack and workspaces stay taken, and so does whatever it may still write.
import { ThreadError } from "../errors.ts"
import { copyBytes, wordsAt } from "../memory.ts"
import type { Guard } from "./guard.ts"
import { cores, spawn, type Thread, whyNone } from "./spawn.ts"
import { endedWord, epochWord, sleepersWord, startedWord, stopWord, waitingWord, wordCount } from "./words.ts"

/** What the kernels of this build export beside those of every build. */
export interface Shares {
  bn_words_ptr(): number
  bn_states_len(): number
  bn_fork(
    kind: number,
    flags: number,
    epsilon: number,
    channels: number,
    first: number,
    end: number,
    step: number,
    all: number,
  ): number
  bn_share(front: number): void
  bn_join(isFirst: number, isLast: number): void
  bn_allocate(byteLength: number): number
  bn_free(address: number, byteLength: number): void
  readonly __tls_base: WebAssembly.Global
  readonly __tls_size: WebAssembly.Global
}

/** Bytes of a thread's stack. */
const stackBytes = 1 << 17
/** Most threads that "auto" takes: memory has no more to give. */
const mostByItself = 8
/** Milliseconds that threads may take to start, and to end when they are told. */
const startTime = 5000
const endTime = 1000

interface Taken extends Thread {
  readonly block: number
}

export let kernels: Shares
let memory: WebAssembly.Memory
let module: WebAssembly.Module | undefined
export let words: Int32Array
let taken: Taken[] = []
let ending: Promise<void> | undefined
/** Whether a thread may write where it should not. */
let isPoisoned = false
/** Whether somebody said how many threads there are to be, so that none start by themselves. */
let isChosen = false
let started: Promise<number> = Promise.resolve(1)
let guard: Guard | undefined
/** Whether no memory is given back, since a call is under way. */
let isHeld = false

const notShared = "this engine has no shared memory"
/** Why there is one thread, where there is one. */
export let reason: string | undefined = "the pool has not started: the first large call starts it, or init"

/** Takes an instance over, its module, if its memory is shared, and what guards it while a thread may write where it should not. */
export function adopt(
  instance: Shares,
  shared: WebAssembly.Memory,
  compiled: WebAssembly.Module | undefined,
  guarded: Guard,
): void {
  kernels = instance
  memory = shared
  module = compiled
  words = wordsAt(shared, instance.bn_words_ptr(), wordCount)
  guard = guarded
}

/** Has no threads ever, for want of what they share. */
export function haveNone(): void {
  isChosen = true
  reason = notShared
}

/** How many threads compute, the calling one included. */
export function threadCount(): number {
  return ending || !words ? 1 : 1 + Atomics.load(words, startedWord)
}

/** Starts threads for a large call, if nobody has chosen how many; they take part in calls to come. */
export function startByItself(): void {
  if (isChosen) return
  isChosen = true
  launch(Math.min(cores(), mostByItself), undefined)
  started = running()
}

/** Starts as many threads, the calling one included, after what was asked for before; resolves to how many run. */
export function startThreads(count: number | "auto", url: string | URL | undefined): Promise<number> {
  isChosen = true
  const next = started.then(() => startNow(count, url))
  started = next
  return next
}

async function startNow(count: number | "auto", url: string | URL | undefined): Promise<number> {
  await endThreads()
  launch(count === "auto" ? Math.min(cores(), mostByItself) : Math.max(1, count), url)
  return running()
}

/** How many threads run, when all that were launched do. */
async function running(): Promise<number> {
  const due = taken.length
  if (due === 0) return 1
  for (const end = performance.now() + startTime; performance.now() < end; await pause(1)) {
    if (taken.length < due || Atomics.load(words, startedWord) >= due) break
  }
  if (Atomics.load(words, startedWord) < taken.length) {
    const late = `of ${due + 1} threads ${threadCount()} started within ${startTime} ms`
    await endThreads()
    reason = late
  }
  return threadCount()
}

function launch(count: number, url: string | URL | undefined): void {
  const enough = "one thread is all that was asked for, or that this machine has"
  reason = module ? (count > 1 ? whyNone() : enough) : notShared
  if (reason !== undefined) return
  const local = kernels.__tls_base.value as number
  const localBytes = kernels.__tls_size.value as number
  for (let index = 1; index < count; index++) {
    const block = kernels.bn_allocate(stackBytes + localBytes) >>> 0
    if (block === 0) {
      reason = "no memory is left for the stacks of threads"
      return
    }
    // A thread begins with the workspaces of this one, as calls leave them.
    copyBytes(memory, block + stackBytes, local, localBytes)
    const start = { module, memory, words: words.byteOffset, stack: block + stackBytes, local: block + stackBytes }
    try {
      const thread = spawn(url, start, (error) => {
        reason = `a thread failed: ${error.message}`
        void endThreads(reason)
      })
      taken.push({ block, kill: thread.kill, ended: thread.ended })
    } catch (error) {
      kernels.bn_free(block, stackBytes + localBytes)
      reason = `a thread could not be started: ${(error as Error).message}`
      return
    }
  }
}

/** Has all threads end, and waits until they have. A call that comes in between computes alone. */
export function endThreads(why = "the threads were ended: init starts others"): Promise<void> {
  if (taken.length === 0) return ending ?? Promise.resolve()
  ending ??= end(why)
  return ending
}

async function end(why: string): Promise<void> {
  const threads = taken
  reason = why
  stop()
  const deadline = performance.now() + endTime
  while (Atomics.load(words, endedWord) < threads.length && performance.now() < deadline && !isPoisoned) await pause(1)
  for (const thread of threads) thread.kill()
  await Promise.all(threads.map((thread) => thread.ended()))
  release(threads)
}

function stop(): void {
  Atomics.store(words, stopWord, 1)
  Atomics.add(words, epochWord, 1)
  Atomics.notify(words, epochWord)
}

/** Gives back what threads had that have ended. */
function release(threads: readonly Taken[]): void {
  for (const { block } of threads) kernels.bn_free(block, stackBytes + (kernels.__tls_size.value as number))
  taken = []
  ending = undefined
  isPoisoned = false
  for (const word of [waitingWord, sleepersWord, stopWord, startedWord, endedWord]) Atomics.store(words, word, 0)
  if (!isHeld) guard?.accept()
}

/** Whether this thread can go on while others compute: not where memory is not even the instance's own. */
export function canGoOn(): boolean {
  return guard !== undefined
}

/** When the threads run that were asked for, or, if nobody has chosen how many, as many as there are cores. */
export async function ready(): Promise<void> {
  await (isChosen ? started : startThreads("auto", undefined))
}

/** Keeps memory from being given back while a call is under way, or no longer. */
export function hold(isUnderWay: boolean): void {
  isHeld = isUnderWay
  if (isHeld) guard?.hold()
  else if (!isPoisoned) guard?.accept()
}

/** A thread died, or is too slow: nothing of it is used any more, and nothing that it may write to. */
export function poisoned(milliseconds: number): ThreadError {
  const why = `a thread did not answer within ${milliseconds} ms`
  // Once all have ended none can write any more.
  if (taken.length > 0) {
    isPoisoned = true
    guard?.refuse()
    void endThreads(why)
  }
  return new ThreadError(
    `${why}: what this call was to write is undefined. Await threads.dispose() before the next call; init starts a new pool`,
  )
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
