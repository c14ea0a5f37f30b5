// Views larger than the staging buffer (512 KiB each) in every direction, and some that fit it.
import type { Dtype } from "../support/numerics-arrays.ts"

export interface Case {
  readonly name: string
  readonly shape: readonly number[]
  /** The channel axes. */
  readonly axis: readonly number[]
  readonly dtype: Dtype
  /** Whether each tile of channels fits the staging buffer: then it is read once for both passes. */
  readonly fits: boolean
}

const views = [
  { name: "channels-last, one piece", shape: [100, 64], axis: [1], fits: true },
  { name: "channels-last, long", shape: [5000, 64], axis: [1], fits: false },
  { name: "channels-last, narrow and long", shape: [100_003, 3], axis: [1], fits: false },
  { name: "channels-last, tiles of channels in pieces", shape: [300, 5120], axis: [1], fits: false },
  { name: "channels-last, wide, few rows", shape: [3, 5000], axis: [1], fits: true },
  { name: "channels-first, one piece", shape: [2, 16, 100], axis: [1], fits: true },
  { name: "channels-first, whole channels in pieces", shape: [8, 64, 49 * 20], axis: [1], fits: true },
  { name: "channels-first, a channel larger than the buffer", shape: [70, 3, 5000], axis: [1], fits: false },
  { name: "channels-first, short segments, long", shape: [30_011, 4, 7], axis: [1], fits: false },
  { name: "channels-first, one huge segment", shape: [1, 300_007], axis: [0], fits: false },
  { name: "channels-first, two huge segments in each channel", shape: [2, 2, 150_001], axis: [1], fits: false },
  { name: "all data", shape: [500, 601], axis: [], fits: false },
  { name: "outers that fit together", shape: [6, 50, 32], axis: [0, 2], fits: true },
  { name: "outers that fit one by one", shape: [3, 1000, 50], axis: [0, 2], fits: true },
  { name: "outers larger than the buffer", shape: [2, 3000, 64], axis: [0, 2], fits: false },
  { name: "outers, channels-first", shape: [2, 50, 3, 1500], axis: [0, 2], fits: false },
  { name: "packed, the last axis kept", shape: [40, 5, 60, 30], axis: [1, 3], fits: false },
  { name: "packed, the last axis reduced", shape: [30, 4, 50, 6, 10], axis: [1, 3], fits: true },
  { name: "packed, a channel larger than the buffer", shape: [60, 2, 50, 2, 60], axis: [1, 3], fits: false },
  { name: "nothing reduced", shape: [300_000], axis: [0], fits: true },
]

export const cases: readonly Case[] = (["float32", "float64"] as const).flatMap((dtype) =>
  views.map((view) => ({ ...view, dtype })),
)
