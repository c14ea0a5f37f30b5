import type { Workload } from "../workloads.ts"

/** What is timed. */
export const operations = ["moments", "forward", "infer", "backward"] as const
export type Operation = (typeof operations)[number]

/** Where a peer's arrays lie: where it likes them, results into given arrays; or ordinary ones, results into fresh ones. */
export const modes = ["resident", "io"] as const
export type Mode = (typeof modes)[number]

/** Results by name, for the check. */
export type Answer = Readonly<Record<string, ArrayLike<number>>>

/** One implementation. */
export interface Peer {
  readonly name: string
  /** Each operation as a function to be timed; `dispose` gives back what they hold. */
  prepare(workload: Workload, mode: Mode): Record<Operation, () => Answer> & { dispose(): void }
}
