import type { Times } from "../bench/timing.ts"
import type { Layout } from "../bench/workloads.ts"
import type { Failure } from "./messages.ts"

/** One operation on one array. */
export interface SpeedRow {
  readonly layout: Layout
  readonly shape: readonly number[]
  readonly operation: "forward" | "backward" | "infer"
  readonly ours: Times
  readonly theirs: Times
}

/** From the worker that measures. */
export type SpeedReport =
  | { readonly kind: "measuring"; readonly done: number; readonly total: number }
  | { readonly kind: "measured"; readonly row: SpeedRow }
  | { readonly kind: "finished" }
  | Failure
