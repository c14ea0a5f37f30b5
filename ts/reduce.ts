import { kernelsOf } from "./map.ts"
import type { Checked } from "./options/arrays.ts"
import { input, isStaged, type Port, pass, readColumn, type Tile, tilesOf, weigh, weightBytes } from "./stream.ts"
import type { Vector } from "./types.ts"
import type { View } from "./view.ts"
import { columns, type Kernels, roles } from "./wasm.ts"
import type { Weighting } from "./weighting.ts"

/** Where to write the moments of each statistic. */
interface Reduced {
  readonly mean: Vector
  /** Biased. */
  readonly variance: Vector
  /** What rounding the mean took away. */
  readonly meanRest?: Vector
  /** m, or Σw. */
  readonly count?: Vector
}

/** The moments of an array. */
export function reduce(view: View, x: Checked, weights: Weighting | undefined, into: Reduced): void {
  const kernels = kernelsOf(x)
  const port = input(x, roles.x, 0)
  const staged = weights !== undefined || isStaged(view, x)
  for (const tile of tilesOf(view, weights ? weightBytes : kernels.bytes, staged)) {
    reduceTile(view, tile, kernels, port, weights)
    readColumn(columns.mean, tile, into.mean)
    readColumn(columns.variance, tile, into.variance)
    if (into.meanRest) readColumn(columns.meanRest, tile, into.meanRest)
    if (into.count) readCount(tile, weights, into.count)
  }
}

/** Mean, what it lost in rounding, and variance of a tile, into the channel table. */
export function reduceTile(view: View, tile: Tile, kernels: Kernels, x: Port, weights: Weighting | undefined): void {
  const run = weights ? kernels.weightedMoments : kernels.moments
  pass(view, tile, weights ? [x, weigh(weights)] : [x], [], run)
}

/** Reads the counts of a tile that was reduced. */
export function readCount(tile: Tile, weights: Weighting | undefined, into: Vector): void {
  readColumn(columns.count, tile, into)
  if (!weights) return
  const end = tile.start + tile.length
  for (let channel = tile.start; channel < end; channel++) into[channel] = (into[channel] as number) / weights.scale
}
