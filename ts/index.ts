export { allocate, type ResidentArray } from "./allocate.ts"
export { type BackwardOptions, backward } from "./backward.ts"
export {
  BatchNorm,
  type BatchNormOptions,
  type LayerBackwardOptions,
  type LayerForwardOptions,
  type LayerInferOptions,
} from "./batch-norm.ts"
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
  type ConvLayout,
  type DenseLayout,
  type FoldConvOptions,
  type FoldDenseOptions,
  type Folded,
  foldIntoConv,
  foldIntoDense,
  type Normalization,
} from "./fold.ts"
export {
  type Forward,
  type ForwardOptions,
  forward,
  type InferOptions,
  infer,
} from "./forward.ts"
export { type InitOptions, init, initSync } from "./init.ts"
export { Moments } from "./moments.ts"
export { Standardizer } from "./standardizer.ts"
export {
  normalizeMoments,
  type SufficientStatistics,
  type SufficientStatisticsOptions,
  sufficientStatistics,
} from "./sufficient-statistics.ts"
export { batchNormalization, type MomentsOptions, moments } from "./tf-nn.ts"
export type {
  Broadcastable,
  ChannelOptions,
  FloatArray,
  Gradients,
  Like,
  LoadableState,
  Maybe,
  MeanVariance,
  NdArray,
  Operands,
  OutOption,
  Owned,
  PerChannel,
  Saved,
  State,
  Statistics,
  Usual,
  Vector,
  Weights,
} from "./types.ts"
