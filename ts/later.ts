// A call that is computed while the calling thread goes on: its passes are run by somebody else, later.
import { StateError } from "./errors.ts"

/** What is done with a piece: arrays are loaded, and a kernel computes. `flags`: as given to `runTiles`. */
export type Pass = (flags: number) => void

/** Who runs the passes of the calls that are made now. */
export interface Later {
  /** In the place of `runTiles`. */
  run(reduce: Pass | undefined, map: Pass | undefined, outputs: number, flags: number): void
  /** Does what needs their results. */
  after(action: () => void): void
}

/** None: they are run at once. */
export let later: Later | undefined

/** Has calls run later, or at once again. */
export function setLater(next: Later | undefined): void {
  later = next
}

/** Whether the passes of a call are under way, so that there is no place for those of another. */
let isUnderWay = false

/** Says when they begin, and when they are through. */
export function setUnderWay(now: boolean): void {
  isUnderWay = now
}

/** Refuses a call while the passes of another are under way. */
export function checkFree(): void {
  if (isUnderWay) throw new StateError("a call is under way in the background: await its promise before the next one")
}

/** Refuses what cannot be computed later. */
export function checkNow(): void {
  if (later) {
    throw new StateError("this call needs its sums before it returns: it cannot be computed in the background")
  }
}
