import { begin, double, load, outUse, residualUse, xUse } from "./stream.ts"
import type { FloatArray, NdArray } from "./types.ts"
import { epsilonOfCall, kernel } from "./wasm.ts"

/** What {@link mapPiece} is told. */
export const reluFlag = 1
export const residualFlag = 2

/** y from x, by the numbers per channel in the channel table. */
export function mapPiece(flags: number): void {
  const residual = flags & residualFlag ? 1 : 0
  load(xUse | outUse | (residual ? residualUse : 0))
  kernel.bn_affine(double, flags & reluFlag, residual, epsilonOfCall[0] as number, begin)
}

export function emptyLike({ BYTES_PER_ELEMENT, length }: FloatArray, shape: readonly number[]): NdArray<FloatArray> {
  return { data: BYTES_PER_ELEMENT === 4 ? new Float32Array(length) : new Float64Array(length), shape: [...shape] }
}
