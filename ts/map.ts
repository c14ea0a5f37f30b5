import type { Checked } from "./options/arrays.ts"
import { input, isStaged, output, pass, type Tile, tilesOf } from "./stream.ts"
import type { FloatArray, NdArray } from "./types.ts"
import type { View } from "./view.ts"
import { float32, float64, type Kernels } from "./wasm.ts"

/** y from x, tile by tile; `prepare` fills the channel table and says whether it has just read the inputs. */
export function applyMap(
  view: View,
  x: Checked,
  y: Checked,
  { epsilon, relu }: { epsilon: number; relu: boolean },
  prepare: (tile: Tile) => boolean,
): void {
  const kernels = kernelsOf(x)
  const ports = [input(x, 0), output(y, 0)]
  for (const tile of tilesOf(view, kernels.bytes, isStaged(view, x) || isStaged(view, y))) {
    const fresh = !prepare(tile)
    pass(view, tile, ports, fresh, (begin) => kernels.affine(relu, epsilon, begin))
  }
}

export function kernelsOf(array: Checked): Kernels {
  return array.data.BYTES_PER_ELEMENT === 4 ? float32 : float64
}

export function emptyLike({ data, shape }: Checked): NdArray<FloatArray> {
  const length = data.length
  return { data: data.BYTES_PER_ELEMENT === 4 ? new Float32Array(length) : new Float64Array(length), shape: [...shape] }
}

export function ordinary({ data, shape }: NdArray): Checked {
  return { data, shape, resident: false }
}
