// A job that was forked, and how the calling thread waits for it: asleep, looking on, or going on with something else.
import { hold, kernels, poisoned, threadCount, words } from "./pool.ts"
import { doneWord, epochWord, sleepersWord, waitingWord } from "./words.ts"

/** Milliseconds that a thread may take for its unit after the caller is through with its own. */
const patience = 800
/** Milliseconds without a unit done after which a caller that goes on helps. */
const helpAfter = 200
/** Looks at the units done before the caller sleeps, or looks at the time. */
const looks = 5000

/** Whether this thread may sleep: a page's own may not. */
let maySleep: boolean | undefined
/** Whether this thread goes on while others compute; and then the job that they are at. */
let isInBackground = false
let job: Promise<void> | undefined
/** Whether this thread had to help with the call. */
let isShortOfThreads = false

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

/** Whether this thread goes on while the others compute, from now on. */
export function goOn(inBackground: boolean): void {
  isInBackground = inBackground
  isShortOfThreads = false
  hold(inBackground)
}

/** How many threads compute: all, or all others, of which the last may just have been lost. */
export function sharers(): number {
  return Math.max(1, isInBackground ? threadCount() - 1 : threadCount())
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
    } else if (now - since >= patience - helpAfter) throw poisoned(patience)
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
  maySleep ??= canSleep()
  if (maySleep) Atomics.store(words, waitingWord, 1)
  for (;;) {
    const done = Atomics.load(words, doneWord)
    if (done === units) break
    const left = deadline - performance.now()
    if (left <= 0) throw poisoned(patience)
    if (maySleep) Atomics.wait(words, doneWord, done, left)
  }
  if (maySleep) Atomics.store(words, waitingWord, 0)
}

function canSleep(): boolean {
  try {
    // No such value lies there, so this is over at once.
    Atomics.wait(words, waitingWord, -1)
    return true
  } catch {
    return false
  }
}
