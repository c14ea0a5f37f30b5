import { BatchNorm, type BatchNormOptions, type Convention } from "batchnorm"
import { numbers } from "./arrays.ts"

/** Of two channels. */
export const values = {
  gamma: [2, -3],
  beta: [0.5, 1 / 3],
  runningMean: [7, -1e-3],
  runningVariance: [4, 0],
}

/** The names of γ, β, the running mean and the running variance, in the order of the framework's files. */
export const names: Readonly<Record<Convention, readonly string[]>> = {
  keras: ["gamma", "beta", "moving_mean", "moving_variance"],
  torch: ["weight", "bias", "running_mean", "running_var"],
  onnx: ["scale", "B", "input_mean", "input_var"],
  "tf-fused": ["scale", "offset", "mean", "variance"],
}

export const conventions = Object.keys(names) as readonly Convention[]

export const scaleOff = { scale: false }
export const centerOff = { center: false }
export const off = { scale: false, center: false }

/** A layer of these values. */
export const made = (convention: Convention, options: BatchNormOptions = {}): BatchNorm =>
  new BatchNorm(2, { convention, ...values, ...options })

/** One that has followed seven batches. */
export function seven(convention: Convention, options: BatchNormOptions = {}): BatchNorm {
  const layer = made(convention, options)
  for (let seed = 0; seed < 7; seed++) layer.forward(batchOf(seed))
  return layer
}

/** Four elements in each of two channels, whether they lie along axis 1 or the last. */
export const batchOf = (seed: number) => ({ data: Float64Array.from(numbers(8, seed)), shape: [4, 2] })

/** All entries, by the names of a framework. */
export const full = (convention: Convention): Record<string, number[] | number> => ({
  ...Object.fromEntries(names[convention].map((name, index) => [name, [...Object.values(values)[index]!]])),
  ...(convention === "torch" && { num_batches_tracked: 9 }),
})

/** All but some. */
export const without = (convention: Convention, ...missing: readonly string[]): Record<string, number[] | number> =>
  Object.fromEntries(Object.entries(full(convention)).filter(([name]) => !missing.includes(name)))
