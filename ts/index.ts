export { BatchNorm, type BatchNormOptions, type LayerBackwardOptions, type LayerForwardOptions } from "./batch-norm.ts"
export type { Convention } from "./conventions.ts"
export {
  ArgumentError,
  BatchNormError,
  DisposedError,
  type ErrorCode,
  OutOfMemoryError,
  ShapeError,
  StateError,
  UnsupportedError,
} from "./errors.ts"
export {
  allocate,
  type BackwardOptions,
  backward,
  batchNormalization,
  type Forward,
  type ForwardOptions,
  forward,
  type InferOptions,
  infer,
  type MomentsOptions,
  moments,
  type OutOption,
  type ResidentArray,
} from "./functional.ts"
export { type InitOptions, init, initSync } from "./init.ts"
export type {
  Broadcastable,
  ChannelOptions,
  FloatArray,
  Gradients,
  Like,
  Maybe,
  MeanVariance,
  NdArray,
  Owned,
  PerChannel,
  Saved,
  Statistics,
  Vector,
} from "./types.ts"
