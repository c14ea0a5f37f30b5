import type { Checked } from "./options/arrays.ts"
import { input, isStaged, output, type Port, pass, type Tile, tilesOf, weightBytes } from "./stream.ts"
import type { FloatArray, NdArray } from "./types.ts"
import type { View } from "./view.ts"
import { float32, float64, type Kernels, roles } from "./wasm.ts"
import type { Weighting } from "./weighting.ts"

/** How x becomes y. */
interface Map {
  readonly epsilon: number
  readonly relu: boolean
  readonly residual?: Checked | undefined
  /** Weights of a reduction that `prepare` runs. */
  readonly weights?: Weighting | undefined
}

/** y from x, tile by tile; `prepare` fills the channel table and says which ports it has just read. */
export function applyMap(
  view: View,
  x: Checked,
  y: Checked,
  { epsilon, relu, residual, weights }: Map,
  prepare: (tile: Tile, x: Port) => readonly Port[],
): void {
  const kernels = kernelsOf(x)
  const from = input(x, roles.x, 0)
  const ports = [from, output(y, roles.out, 0), ...(residual ? [input(residual, roles.residual, 1)] : [])]
  const staged = weights !== undefined || ports.some((port) => isStaged(view, port.array))
  for (const tile of tilesOf(view, weights ? weightBytes : kernels.bytes, staged)) {
    const held = prepare(tile, from)
    pass(view, tile, ports, held, (begin) => kernels.affine(relu, residual !== undefined, epsilon, begin))
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
