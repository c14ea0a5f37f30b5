import type { Workload } from "../workloads.ts"

/** What is timed. A step is forward and backward: what training costs, and all that some peers can do. */
export const operations = ["moments", "forward", "infer", "backward", "step"] as const
export type Operation = (typeof operations)[number]

/**
 * Where arrays lie. resident: where the peer likes them, results there too, into given ones where it can; io: from
 * ordinary arrays into given ordinary ones; fresh: from ordinary arrays into fresh ones.
 */
export const modes = ["resident", "io", "fresh"] as const
export type Mode = (typeof modes)[number]

/** Results by name, for the check. */
export type Answer = Readonly<Record<string, ArrayLike<number> | undefined>>

/** One operation, ready to be run. */
export interface Task {
  /** What is timed, to the end where it is a promise. */
  readonly run: () => unknown
  /** Runs it once and gives the results. */
  readonly answer: () => Answer | Promise<Answer>
}

/** Those operations that a peer has, with their arrays in place. */
export interface Prepared {
  readonly tasks: Partial<Record<Operation, Task>>
  /** Before a series of runs, after other peers ran. */
  readonly enter?: () => Promise<unknown>
  readonly dispose: () => unknown
}

/** One implementation. */
export interface Peer {
  readonly name: string
  prepare(workload: Workload, mode: Mode): Prepared | Promise<Prepared>
}

/** A task whose run gives the answer. */
export function task(run: () => Answer): Task {
  return { run, answer: run }
}
