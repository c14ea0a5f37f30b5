import {
  begin,
  close,
  double,
  end,
  isWeighted,
  load,
  nextPiece,
  nextTile,
  open,
  readColumn,
  readCount,
  weigh,
  weightsUse,
  xUse,
} from "./stream.ts"
import type { FloatArray, Vector } from "./types.ts"
import type { View } from "./view.ts"
import { kernel, meanColumn, meanRestColumn, varianceColumn } from "./wasm.ts"
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
  while (nextTile()) {
    reduceTile()
    readColumn(meanColumn, mean)
    readColumn(varianceColumn, variance)
    readColumn(meanRestColumn, meanRest)
    readCount(count)
  }
  close()
}

/** Mean, what it lost in rounding, variance and count of a tile, into the channel table. */
export function reduceTile(): void {
  const weighted = isWeighted()
  while (nextPiece()) {
    load(weighted ? xUse | weightsUse : xUse, 0)
    if (weighted) kernel.bn_weighted_moments(double, begin, end)
    else kernel.bn_moments(double, begin, end)
  }
}
