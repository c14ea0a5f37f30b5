import { begin, double, load, nextPiece, outUse, residualUse, store, xUse } from "./stream.ts"
import type { FloatArray, NdArray } from "./types.ts"
import { epsilonOfCall, kernel } from "./wasm.ts"

/** y from x, in a tile whose numbers per channel are in the channel table; `held`: x is, from the pass before. */
export function mapTile(relu: number, residual: number, held: number): void {
  while (nextPiece()) {
    load(xUse | outUse | (residual ? residualUse : 0), held)
    kernel.bn_affine(double, relu, residual, epsilonOfCall[0] as number, begin)
    store(outUse)
  }
}

export function emptyLike({ BYTES_PER_ELEMENT, length }: FloatArray, shape: readonly number[]): NdArray<FloatArray> {
  return { data: BYTES_PER_ELEMENT === 4 ? new Float32Array(length) : new Float64Array(length), shape: [...shape] }
}
