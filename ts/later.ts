// A call that is computed while the calling thread goes on: somebody else runs its passes, later.

/** What is done with a piece: arrays are loaded, and a kernel computes. `flags`: as given to `runTiles`. */
export type Pass = (flags: number) => void

/** Who has a say in the calls that are made now. */
export interface Later {
  /** A call is about to have its passes run. Throws if it may not. */
  open(): void
  /** In the place of `runTiles`. */
  run(reduce: Pass | undefined, map: Pass | undefined, outputs: number, flags: number): void
  /** Does what needs their results. */
  after(action: () => void): void
  /** A call needs results before it returns. Throws if there are none by then. */
  need(): void
}

/** None: passes are run at once. */
export let later: Later | undefined

/** Has somebody have a say, or nobody. */
export function setLater(next: Later | undefined): void {
  later = next
}
