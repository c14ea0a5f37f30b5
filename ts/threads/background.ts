// Calls that are computed while the calling thread goes on, one after the other.
import { setLater, setUnderWay } from "../later.ts"
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
  try {
    let since = performance.now()
    const breathe = async () => {
      await joined()
      if (performance.now() - since < atOnce) return
      await new Promise((resolve) => setTimeout(resolve))
      since = performance.now()
    }
    setLater({
      run(...given) {
        setUnderWay(true)
        passes = runTilesLater(...given, breathe)
      },
      after: (action) => void actions.push(action),
    })
    let result: R
    try {
      result = call()
    } finally {
      setLater(undefined)
      // Whatever it threw, what is under way comes to its end.
      await passes
    }
    for (const action of actions) action()
    return result
  } finally {
    setUnderWay(false)
    setPieceElements()
    goOn(false)
  }
}
