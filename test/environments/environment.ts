import { faultsOf } from "./expected.ts"
import type { Answer } from "./program/attempt.ts"
import type { Scratch } from "./scratch.ts"

export interface Environment {
  /** As one names it on the command line. */
  readonly name: string
  /** Runs the program there. */
  readonly run: (scratch: Scratch) => Promise<Answer>
  /** What is wrong with its answer. */
  readonly faults: (answer: Answer) => string[]
}

/** Who has to have answered: the engine, and what kind of global object it is. */
export const engines = {
  node: /^Node\.js\/24/,
  chromium: /Chrome\/.* Window$/,
  firefox: /Firefox\/.* Window$/,
  chromiumWorker: /Chrome\/.* DedicatedWorkerGlobalScope$/,
  firefoxWorker: /Firefox\/.* DedicatedWorkerGlobalScope$/,
} as const

/** An environment whose answer has to be right, and to come from the engine that is named. */
export function environment(name: string, engine: RegExp, run: Environment["run"]): Environment {
  return { name, run, faults: (answer) => faultsOf(answer, engine) }
}
