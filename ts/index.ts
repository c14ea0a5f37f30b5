export { allocate, type ResidentArray } from "./allocate.ts"
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
  type BackwardOptions,
  backward,
  type Forward,
  type ForwardOptions,
  forward,
  type InferOptions,
  infer,
} from "./functional.ts"
export { type InitOptions, init, initSync } from "./init.ts"
export { batchNormalization, type MomentsOptions, moments } from "./tf-nn.ts"
export type {
  Broadcastable,
  ChannelOptions,
  FloatArray,
  Gradients,
  Like,
  Maybe,
  MeanVariance,
  NdArray,
  OutOption,
  Owned,
  PerChannel,
  Saved,
  Statistics,
  Vector,
} from "./types.ts"
