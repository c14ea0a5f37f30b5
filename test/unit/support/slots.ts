import {
  BatchNorm,
  backward,
  batchNormalization,
  foldIntoDense,
  forward,
  infer,
  Moments,
  moments,
  type NdArray,
  normalizeMoments,
  type Saved,
  Standardizer,
  sufficientStatistics,
} from "batchnorm"
import { numbers, place, type Setting } from "./arrays.ts"

export const shape = [4, 3]

/** One good set of arguments of every kind, and all arrays that a failing call must leave alone. */
export interface Bench {
  readonly setting: Setting
  readonly x: NdArray
  readonly dy: NdArray
  readonly out: NdArray
  readonly saved: Saved
  /** It has a forward pass to go back from. */
  readonly layer: BatchNorm
  readonly moments: Moments
  readonly standardizer: Standardizer
  readonly watched: Readonly<Record<string, ArrayBufferView>>
}

export function bench(setting: Setting): Bench {
  const x = place(setting, shape, numbers(12))
  const dy = place(setting, shape, numbers(12, 5))
  const out = place(setting, shape, numbers(12, 9))
  const { saved } = forward({ data: Float64Array.from(x.data), shape }, { gamma: [1, 2, 3], beta: [4, 5, 6] })
  const layer = new BatchNorm(3, { gamma: [1, 2, 3], beta: [4, 5, 6] })
  layer.forward(x)
  layer.dgamma.set([7, 8, 9])
  layer.dbeta.set([7, 8, 9])
  const { gamma, beta, runningMean, runningVariance, dgamma, dbeta } = layer
  const moments = new Moments(3).push(x)
  const standardizer = new Standardizer().adapt([x])
  const watched = {
    ...{ momentsCount: moments.count, momentsMean: moments.mean, m2: moments.m2 },
    ...{ x: x.data, dy: dy.data, out: out.data },
    ...{ gamma, beta, runningMean, runningVariance, dgamma, dbeta },
    ...{ mean: saved.mean, variance: saved.variance, count: saved.count },
    ...{ savedGamma: saved.gamma!, savedBeta: saved.beta! },
  }
  return { setting, x, dy, out, saved, layer, moments, standardizer, watched }
}

/** An argument of a function: its name in errors, and a call with it. */
export interface Slot<T = NdArray> {
  readonly call: string
  readonly argument: string
  readonly run: (argument: T, bench: Bench) => unknown
}

const given = { mean: [0, 0, 0], variance: [1, 1, 1] }

/** Every argument that is an array of elements and read. */
export const inputs: readonly Slot[] = [
  { call: "moments", argument: "x", run: (x) => moments(x, [0]) },
  { call: "batchNormalization", argument: "x", run: (x, { out }) => batchNormalization(x, 0, 1, 0, 1, 0, { out }) },
  { call: "forward", argument: "x", run: (x, { out, saved }) => forward(x, { ...saved, out: { y: out, saved } }) },
  { call: "infer", argument: "x", run: (x, { out, saved }) => infer(x, { ...saved, out }) },
  {
    call: "backward",
    argument: "x",
    run: (x, { dy, out, saved }) => backward(dy, x, saved, { out: { dx: out } }),
  },
  {
    call: "backward",
    argument: "dy",
    run: (dy, { x, out, saved }) => backward(dy, x, saved, { out: { dx: out } }),
  },
  { call: "BatchNorm.forward", argument: "x", run: (x, { layer, out }) => layer.forward(x, { out }) },
  { call: "BatchNorm.backward", argument: "dy", run: (dy, { layer, out }) => layer.backward(dy, { out: { dx: out } }) },
  { call: "BatchNorm.infer", argument: "x", run: (x, { layer, out }) => layer.infer(x, { out }) },
  {
    call: "foldIntoDense",
    argument: "weights",
    run: (x, { layer, out }) => foldIntoDense(x, null, layer, { out: { weights: out } }),
  },
  { call: "sufficientStatistics", argument: "x", run: (x) => sufficientStatistics(x, [0]) },
  { call: "Moments.push", argument: "x", run: (x, { moments }) => moments.push(x) },
  { call: "Standardizer.adapt", argument: "batches[1]", run: (x, { dy, standardizer }) => standardizer.adapt([dy, x]) },
  {
    call: "Standardizer.transform",
    argument: "x",
    run: (x, { standardizer, out }) => standardizer.transform(x, { out }),
  },
  { call: "Standardizer.invert", argument: "x", run: (x, { standardizer, out }) => standardizer.invert(x, { out }) },
  { call: "BatchNorm.recalibrate", argument: "batches[1]", run: (x, { dy, layer }) => layer.recalibrate([dy, x]) },
]

/** The same of arguments that may be left out. */
export const operands: readonly Slot[] = [
  {
    call: "forward",
    argument: "residual",
    run: (residual, { x, out, saved }) =>
      forward(x, { gamma: [1, 1, 1], beta: [0, 0, 0], residual, out: { y: out, saved } }),
  },
  {
    call: "forward, given statistics, relu",
    argument: "residual",
    run: (residual, { x, out, saved }) =>
      forward(x, { ...saved, activation: "relu", residual, out: { y: out, saved } }),
  },
  { call: "infer", argument: "residual", run: (residual, { x, out, saved }) => infer(x, { ...saved, residual, out }) },
  {
    call: "backward",
    argument: "residual",
    run: (residual, { x, dy, out, saved }) =>
      backward(dy, x, { ...saved, hasResidual: true }, { residual, out: { dx: out } }),
  },
  {
    call: "BatchNorm.forward",
    argument: "residual",
    run: (residual, { x, layer, out }) => layer.forward(x, { residual, out }),
  },
  {
    call: "BatchNorm.forward, not training",
    argument: "residual",
    run: (residual, { x, layer, out }) => layer.forward(x, { residual, training: false, out }),
  },
  {
    call: "BatchNorm.infer",
    argument: "residual",
    run: (residual, { x, layer, out }) => layer.infer(x, { residual, out }),
  },
]

/** Every argument that is an array of elements and written. */
export const outputs: readonly Slot[] = [
  { call: "batchNormalization", argument: "out", run: (out, { x }) => batchNormalization(x, 0, 1, 0, 1, 0, { out }) },
  { call: "forward", argument: "out.y", run: (y, { x }) => forward(x, { out: { y } }) },
  { call: "forward, given statistics", argument: "out.y", run: (y, { x }) => forward(x, { ...given, out: { y } }) },
  { call: "infer", argument: "out", run: (out, { x, saved }) => infer(x, { ...saved, out }) },
  {
    call: "backward",
    argument: "out.dx",
    run: (dx, { x, dy, saved }) => backward(dy, x, saved, { out: { dx } }),
  },
  { call: "BatchNorm.forward", argument: "out", run: (out, { x, layer }) => layer.forward(x, { out }) },
  {
    call: "BatchNorm.forward, not training",
    argument: "out",
    run: (out, { x, layer }) => layer.forward(x, { training: false, out }),
  },
  { call: "BatchNorm.backward", argument: "out.dx", run: (dx, { dy, layer }) => layer.backward(dy, { out: { dx } }) },
  { call: "BatchNorm.infer", argument: "out", run: (out, { x, layer }) => layer.infer(x, { out }) },
  {
    call: "backward",
    argument: "out.dresidual",
    run: (dresidual, { x, dy, saved }) =>
      backward(dy, x, { ...saved, hasResidual: true }, { need: ["dresidual"], out: { dresidual } }),
  },
  {
    call: "BatchNorm.backward",
    argument: "out.dresidual",
    run: (dresidual, { x, dy }) => {
      const layer = new BatchNorm(3)
      layer.forward(x, { residual: x })
      return layer.backward(dy, { need: ["dresidual"], out: { dresidual } })
    },
  },
  {
    call: "Standardizer.transform",
    argument: "out",
    run: (out, { x, standardizer }) => standardizer.transform(x, { out }),
  },
  { call: "Standardizer.invert", argument: "out", run: (out, { x, standardizer }) => standardizer.invert(x, { out }) },
]

type Parameter = NdArray | readonly number[]

/** Every argument that holds one number per channel. */
export const perChannel: readonly Slot<Parameter>[] = [
  ...(["gamma", "beta"] as const).flatMap((argument) => [
    {
      call: "forward",
      argument,
      run: (values: Parameter, { x, out }: Bench) => forward(x, { [argument]: values, out: { y: out } }),
    },
    {
      call: "infer",
      argument,
      run: (values: Parameter, { x, out }: Bench) => infer(x, { ...given, [argument]: values, out }),
    },
  ]),
  ...(["mean", "variance"] as const).flatMap((argument) => [
    {
      call: "forward",
      argument,
      run: (values: Parameter, { x, out }: Bench) => forward(x, { ...given, [argument]: values, out: { y: out } }),
    },
    {
      call: "infer",
      argument,
      run: (values: Parameter, { x, out }: Bench) => infer(x, { ...given, [argument]: values, out }),
    },
  ]),
  ...(["gamma", "beta", "mean", "variance", "count"] as const).map((name) => ({
    call: "backward",
    argument: `saved.${name}`,
    run: (values: Parameter, { x, dy, out, saved }: Bench) =>
      backward(dy, x, { ...saved, [name]: values }, { out: { dx: out } }),
  })),
  ...(["gamma", "beta", "runningMean", "runningVariance"] as const).map((argument) => ({
    call: "new BatchNorm",
    argument,
    run: (values: Parameter) => new BatchNorm(3, { [argument]: values }),
  })),
  ...(["gamma", "beta", "moving_mean", "moving_variance"] as const).map((name) => ({
    call: "BatchNorm.load",
    argument: `state.${name}`,
    run: (values: Parameter, { layer }: Bench) => layer.load({ ...layer.state(), [name]: values }),
  })),
  {
    call: "foldIntoDense",
    argument: "bias",
    run: (bias, { x, out }) => foldIntoDense(x, bias, given, { out: { weights: out } }),
  },
  ...(["gamma", "beta", "mean", "variance"] as const).map((name) => ({
    call: "foldIntoDense",
    argument: `normalization.${name}`,
    run: (values: Parameter, { x, out }: Bench) =>
      foldIntoDense(x, null, { ...given, [name]: values }, { out: { weights: out } }),
  })),
]

/** Every argument that broadcasts. */
export const broadcast: readonly Slot<Parameter | number>[] = (["mean", "variance", "offset", "scale"] as const).map(
  (argument, index) => ({
    call: "batchNormalization",
    argument,
    run: (value, { x, out }) => {
      const [mean, variance, offset, scale] = [0, 1, 0, 1].map((usual, at) => (at === index ? value : usual))
      return batchNormalization(x, mean!, variance!, offset, scale, 1e-3, { out })
    },
  }),
)

/** Every other argument that broadcasts, to whatever else. */
export const sums: readonly Slot<Parameter | number>[] = [
  ...(["count", "meanSs", "varianceSs", "shift"] as const).map((argument, index) => ({
    call: "normalizeMoments",
    argument,
    run: (value: Parameter | number) => {
      const [count, meanSs, varianceSs, shift] = [4, 1, 2, 3].map((usual, at) => (at === index ? value : usual))
      return normalizeMoments(count!, meanSs!, varianceSs!, shift)
    },
  })),
  {
    call: "sufficientStatistics",
    argument: "shift",
    run: (shift, { x }) => sufficientStatistics(x, [0], { shift }),
  },
]
