// The threads of a pool: how they start, are waited for, and end.
//
//   off → starting → on → ending → off         and from anywhere, where a thread does not answer, → ending
//
// Until each thread's end is confirmed, its stack and workspaces stay taken, and so does whatever it may still write.
import { ThreadError } from "../errors.ts"
import { copyBytes, wordsAt } from "../memory.ts"
import type { Guard } from "./guard.ts"
import { cores, spawn, type Thread, whyNone } from "./spawn.ts"
import { doneWord, endedWord, epochWord, sleepersWord, startedWord, stopWord, waitingWord, wordCount } from "./words.ts"

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
/** Milliseconds that a thread may take for its unit after the caller is through with its own. */
const patience = 800
/** Milliseconds without a unit done after which a caller that goes on helps. */
const helpAfter = 200
/** Milliseconds that threads may take to start, and to end when they are told. */
const startTime = 5000
const endTime = 1000
/** Looks at the units done before the caller sleeps, or looks at the time. */
const looks = 5000

interface Taken extends Thread {
  readonly block: number
}

let kernels: Shares
let memory: WebAssembly.Memory
let module: WebAssembly.Module | undefined
let words: Int32Array
let taken: Taken[] = []
let ending: Promise<void> | undefined
/** Whether a thread may write where it should not. */
let isPoisoned = false
/** Whether somebody said how many threads there are to be, so that none start by themselves. */
let isChosen = false
/** Whether this thread may sleep: a page's own may not. */
let maySleep = true
let started: Promise<number> = Promise.resolve(1)
let guard: Guard | undefined
/** Whether this thread goes on while others compute; and then the job that they are at. */
let isInBackground = false
let job: Promise<void> | undefined
/** Whether it had to help them. */
let isShortOfThreads = false

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
  try {
    // 0 is what lies there, so this is over at once.
    Atomics.wait(words, waitingWord, 0, 0)
  } catch {
    maySleep = false
  }
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
  if (!isInBackground) guard?.accept()
}

/** Runs the units of a job that was forked, with all threads, and then does what is next. */
export function runUnits(units: number, next?: () => void): void {
  if (Atomics.load(words, sleepersWord) > 0) Atomics.notify(words, epochWord)
  if (isInBackground) {
    job = done(units).then(next)
    return
  }
  kernels.bn_share(1)
  let left = looks
  while (left > 0 && Atomics.load(words, doneWord) !== units) left--
  if (left === 0) wait(units)
  next?.()
}

/** Whether this thread can go on while others compute: not where memory is not even the instance's own. */
export function canGoOn(): boolean {
  return guard !== undefined
}

/** When the threads run that were asked for, or, if nobody has chosen how many, as many as there are cores. */
export async function ready(): Promise<void> {
  await (isChosen ? started : startThreads("auto", undefined))
}

/** Whether this thread goes on while the others compute, from now on. Until it does not, no memory is given back. */
export function goOn(inBackground: boolean): void {
  isInBackground = inBackground
  isShortOfThreads = false
  if (inBackground) guard?.hold()
  else if (!isPoisoned) guard?.accept()
}

/** How many threads compute: all, or all others. */
export function sharers(): number {
  return isInBackground ? threadCount() - 1 : threadCount()
}

/** When the jobs that were forked are done; resolves to whether there were any. */
export async function joined(): Promise<boolean> {
  const any = job !== undefined
  while (job) {
    const now = job
    job = undefined
    await now
  }
  return any
}

/**
 * When all units are done. After a time without any this thread runs those that nobody has claimed, of this job and at once of
 * the next; what was claimed and is not done after that is a fault.
 */
async function done(units: number): Promise<void> {
  if (isShortOfThreads) kernels.bn_share(1)
  let seen = -1
  let since = 0
  for (;;) {
    const count = Atomics.load(words, doneWord)
    if (count === units) return
    const now = performance.now()
    if (count !== seen) {
      seen = count
      since = now
    } else if (!isShortOfThreads && now - since >= helpAfter) {
      isShortOfThreads = true
      kernels.bn_share(1)
      since = performance.now()
      continue
    } else if (now - since >= patience - helpAfter) throw poisoned()
    Atomics.store(words, waitingWord, 1)
    await changed(doneWord, count, helpAfter)
    Atomics.store(words, waitingWord, 0)
  }
}

/** Where engines have it, another word is heard of at once. */
const { waitAsync } = Atomics as {
  waitAsync?(words: Int32Array, index: number, value: number): { value: Promise<unknown> | string }
}

/** When a word has changed, or time is up. The timer keeps Node alive, which a wait does not. */
function changed(index: number, value: number, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, waitAsync ? milliseconds : 1)
    void Promise.resolve(waitAsync?.(words, index, value).value ?? new Promise(() => {})).then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

function wait(units: number): void {
  const deadline = performance.now() + patience
  if (maySleep) Atomics.store(words, waitingWord, 1)
  for (;;) {
    const done = Atomics.load(words, doneWord)
    if (done === units) break
    const left = deadline - performance.now()
    if (left <= 0) throw poisoned()
    if (maySleep) Atomics.wait(words, doneWord, done, left)
  }
  if (maySleep) Atomics.store(words, waitingWord, 0)
}

/** A thread died, or is too slow: nothing of it is used any more, and nothing that it may write to. */
function poisoned(): ThreadError {
  const why = `a thread did not answer within ${patience} ms`
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
