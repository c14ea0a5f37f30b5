// Calls that are computed while the calling thread goes on, one after the other.
import { StateError } from "../errors.ts"
import { setLater } from "../later.ts"
import { attach } from "../memory.ts"
import { checkCall, checkResult } from "../options/threads.ts"
import { runTilesLater, setMostElements } from "../stream.ts"
import { goOn, joined } from "./join.ts"
import { canGoOn, ready, threadCount } from "./pool.ts"

/** Elements of a piece that this thread computes, where there is no other: less than a millisecond or two. A block of all channels fits. */
const pieceElements = 1 << 20
/** Milliseconds after which it lets others have their turn. */
const atOnce = 8

/** When what has a turn so far is through. */
let turn: Promise<unknown> = Promise.resolve()

/** Does something when all that was asked for before is through, and has what comes after wait for it. */
export function inTurn<R>(action: () => R | Promise<R>): Promise<R> {
  const result = turn.then(action)
  turn = result.catch(() => {})
  return result
}

/**
 * The async form of a call: the other threads compute while this one goes on: for a page's own thread, which must neither
 * wait nor be busy for long. Such calls take turns; while one is under way any other is a StateError, but `allocate` and
 * `dispose`. The first starts threads as "auto" does, if nothing has.
 *
 * Arrays of `allocate` are shared where they lie, given ones and `out`. If one is not, this thread copies and computes all
 * of the call, as it does where there is no other, and lets others have their turn every few milliseconds. In workerd,
 * which runs nothing else meanwhile, it makes the call in its turn.
 *
 * @param call makes one call: of forward, infer, backward, moments or batchNormalization, or of a layer's forward, infer or
 *   backward. Its arrays are read and written until the promise resolves.
 * @returns what the call returns, when its results are there; rejects with what it throws, and with a ThreadError where
 *   a thread does not answer
 * @throws as rejections: ArgumentError for what is no function, or returns a promise; StateError for a second call, for one
 *   that can only be computed at once, and for an array whose buffer is detached meanwhile
 */
export function inBackground<R>(call: () => R): Promise<R> {
  return inTurn(() => {
    checkCall(call)
    attach()
    return canGoOn() ? compute(call) : resultOf(call)
  })
}

async function compute<R>(call: () => R): Promise<R> {
  await ready()
  goOn(true)
  setMostElements(threadCount() > 1 ? undefined : pieceElements)
  try {
    return await passesOf(call)
  } finally {
    setLater(undefined)
    setMostElements()
    goOn(false)
  }
}

/** Makes a call, and resolves to what it returned when its passes have been run; if it throws they are all the same. */
async function passesOf<R>(call: () => R): Promise<R> {
  let isMade = false
  let passes: Promise<void> | undefined
  const actions: (() => void)[] = []
  const open = () => {
    if (isMade || passes) {
      throw new StateError("a call is under way in the background: await its promise before the next one")
    }
  }
  setLater({
    open,
    run(...given) {
      began = performance.now()
      passes = runTilesLater(...given, breathe)
    },
    after: (action) => void actions.push(action),
    need() {
      open()
      throw new StateError("this call cannot be computed in the background: it goes on with what its passes give")
    },
  })
  try {
    return resultOf(call)
  } finally {
    // Whatever runs before the promise resolves is another call.
    isMade = true
    await passes
    for (const action of actions) action()
  }
}

function resultOf<R>(call: () => R): R {
  const result = call()
  checkResult(result)
  return result
}

/** When this thread has last begun to compute. */
let began = 0

/** When the kernels are through, and others have had their turn if this has been busy for long. */
async function breathe(): Promise<void> {
  const hasWaited = await joined()
  if (!hasWaited && performance.now() - began < atOnce) return
  if (!hasWaited) await new Promise((resolve) => setTimeout(resolve))
  began = performance.now()
}
