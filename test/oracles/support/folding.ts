import type { NdArray } from "batchnorm"
import { gammas, normalArray, normals, product, variances } from "./arrays.ts"

const magnitudes = (data: Float32Array): Float32Array<ArrayBuffer> => data.map(Math.abs)

/** What a convolution and a normalization of so many outputs are made of. */
export function convolution(seed: number, shape: readonly number[], kernel: readonly number[], outputs: number) {
  const x = normalArray(seed, shape)
  const weights = normalArray(seed + 1, kernel)
  const bias = normals(seed + 2, outputs)
  const [gamma, beta] = [gammas(seed + 3, outputs), normals(seed + 4, outputs)]
  const statistics = { mean: normals(seed + 5, outputs), variance: variances(seed + 6, outputs) }
  return { x, weights, bias, gamma, beta, ...statistics }
}

/** The same, of magnitudes: what it is convolved to is Σ|w·x| + |b| for each output, which cancels nothing. */
export const ofMagnitudes = ({ data, shape }: NdArray<Float32Array>) => ({ data: magnitudes(data), shape })

/** |γ|·r·(Σ|w·x| + |b| + |μ|) + |β|, what is in brackets by its output and whether outputs are last. */
export function scalesOfFolding(
  sums: NdArray<Float32Array>,
  axis: number,
  { mean, variance, gamma, beta, bias }: Omit<ReturnType<typeof convolution>, "x" | "weights">,
  epsilon: number,
): number[] {
  const inner = product(sums.shape.slice(axis).slice(1))
  return Array.from(sums.data, (sum, index) => {
    const channel = Math.floor(index / inner) % mean.length
    const slope = Math.abs(gamma[channel]!) / Math.sqrt(variance[channel]! + epsilon)
    return slope * (sum + Math.abs(bias[channel]!) + Math.abs(mean[channel]!)) + Math.abs(beta[channel]!)
  })
}

/** A sum of so many products twice, and what stands around it. */
export const roundingsOfFolding = (terms: number) => 2 * (terms + 4) + 16
