// Calls that are computed while the calling thread goes on, one after the other.
import { StateError } from "../errors.ts"
import { type Later, setLater } from "../later.ts"
import { attach } from "../memory.ts"
import { runTilesLater, setPieceElements } from "../stream.ts"
import { goOn, joined, ready, threadCount } from "./pool.ts"

/** Elements of a piece that this thread computes, where there is no other: less than a millisecond or two. */
const pieceElements = 1 << 20
/** Milliseconds after which it lets others have their turn. */
const atOnce = 8

/** When the calls so far are through. */
let turn: Promise<unknown> = Promise.resolve()

/**
 * The async form of a call: the other threads compute, while this one goes on: for a page's own thread, which must neither
 * wait nor be busy for long. Such calls take turns; any other in the meantime is a StateError, but `allocate` and
 * `dispose`. The first starts threads as "auto" does, if nothing has. Resident arrays (`allocate`) stay where they are; others this thread copies, in pieces. Where there is no other
 * thread it computes piece by piece, and lets others have their turn every few milliseconds.
 *
 * @param call makes one call: of forward, infer, backward, moments or batchNormalization, or of a layer's forward, infer or
 *   backward. Its arrays are read and written until the promise resolves.
 * @returns what the call returns, when its results are there; rejects with what it throws, and with a ThreadError where
 *   a thread does not answer
 * @throws StateError, as a rejection, for a second call, or one that needs its sums before it returns
 */
export function inBackground<R>(call: () => R): Promise<R> {
  const result = turn.then(() => compute(call))
  turn = result.catch(() => {})
  return result
}

/** When nothing is computed in the background. */
export async function quiet(): Promise<void> {
  await turn
}

async function compute<R>(call: () => R): Promise<R> {
  attach()
  await ready()
  goOn(true)
  setPieceElements(threadCount() > 1 ? undefined : pieceElements)
  let passes: Promise<void> | undefined
  const actions: (() => void)[] = []
  const later: Later = {
    open() {
      if (passes) throw underWay()
    },
    run(...given) {
      passes = runTilesLater(...given, breathe)
    },
    after: (action) => void actions.push(action),
    need() {
      throw new StateError("this call needs its sums before it returns: it cannot be computed in the background")
    },
  }
  setLater(later)
  began = performance.now()
  try {
    let result: R
    try {
      result = call()
    } finally {
      if (passes) {
        later.need = later.open
        // Whatever it threw, what is under way comes to its end.
        await passes
      } else setLater(undefined)
    }
    for (const action of actions) action()
    return result
  } finally {
    setLater(undefined)
    setPieceElements()
    goOn(false)
  }
}

function underWay(): StateError {
  return new StateError("a call is under way in the background: await its promise before the next one")
}

/** When this thread has last begun to compute. */
let began = 0

/** When the kernels are through, and others have had their turn if this has been busy for long. */
async function breathe(): Promise<void> {
  await joined()
  if (performance.now() - began < atOnce) return
  await new Promise((resolve) => setTimeout(resolve))
  began = performance.now()
}
