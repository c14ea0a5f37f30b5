import { begin, double, end, isWeighted, load, open, runTiles, take, weigh, weightsUse, xUse } from "./stream.ts"
import type { FloatArray, Vector } from "./types.ts"
import type { View } from "./view.ts"
import { countColumn, kernel, meanColumn, meanRestColumn, varianceColumn } from "./wasm.ts"
import type { Weighting } from "./weighting.ts"

/** The moments of an array: of each statistic its mean, its biased variance, what rounding the mean took away, and m or Σw. */
export function reduce(
  view: View,
  x: FloatArray,
  weights: Weighting | undefined,
  mean: Vector,
  variance: Vector,
  meanRest?: Vector,
  count?: Vector,
): void {
  open(view, x)
  if (weights) weigh(weights)
  take(meanColumn, mean)
  take(varianceColumn, variance)
  take(meanRestColumn, meanRest)
  take(countColumn, count)
  runTiles(reducePiece, undefined, 0, 0)
}

/** Mean, what it lost in rounding, variance and count of a tile, into the channel table. */
export function reducePiece(): void {
  const weighted = isWeighted()
  load(weighted ? xUse | weightsUse : xUse)
  if (weighted) kernel.bn_weighted_moments(double, begin, end)
  else kernel.bn_moments(double, begin, end)
}
