/** What keeps memory and kernels from being used while a thread may write where it should not. */
export interface Guard {
  /** Keeps memory that is given back: a call under way may still write to it. */
  hold(): void
  /** Refuses every call besides. */
  refuse(): void
  /** Ends both. */
  accept(): void
}
