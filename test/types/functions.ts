import {
  allocate,
  BatchNorm,
  backward,
  batchNormalization,
  type FloatArray,
  type Folded,
  foldIntoConv,
  foldIntoDense,
  forward,
  infer,
  type Like,
  type MeanVariance,
  moments,
  type NdArray,
  type Normalization,
  type Owned,
  type ResidentArray,
  type Saved,
} from "batchnorm"
import { exactly } from "./exactly.ts"

type Vector = Float64Array<ArrayBuffer>
type Own32 = NdArray<Float32Array<ArrayBuffer>>
type Own64 = NdArray<Float64Array<ArrayBuffer>>

declare const f32: NdArray<Float32Array>
declare const f64: NdArray<Float64Array>
declare const shared: NdArray<Float32Array<SharedArrayBuffer>>
declare const either: NdArray
declare const saved: Saved

// moments
exactly<MeanVariance>()(moments(f32))
exactly<MeanVariance>()(moments(f64, 0))
exactly<MeanVariance>()(moments(shared, [0, -1] as const, { keepDims: true }))
exactly<MeanVariance>()(moments(either, undefined, { keepDims: undefined, out: undefined }))
exactly<NdArray<Vector>>()(moments(f32, [0]).mean)
exactly<MeanVariance>()(moments(f32, [0], { out: moments(f32, [0]) }))
// @ts-expect-error: axes are numbers
moments(f32, "0")
// @ts-expect-error: statistics are f64 whatever x is
moments(f32, [0], { out: { mean: f32, variance: f32 } })

// batchNormalization
const { mean, variance } = moments(f32, [0])
exactly<Own32>()(batchNormalization(f32, mean, variance))
exactly<Own64>()(batchNormalization(f64, 0, 1, null, undefined, 1e-5))
exactly<Own32>()(batchNormalization(shared, [0, 1], new Float32Array(2), f32, f64))
exactly<NdArray<Owned<FloatArray>>>()(batchNormalization(either, mean, variance))
exactly<Own32>()(batchNormalization(f32, mean, variance, 0, 1, 1e-3, {}))
exactly<ResidentArray<Float32Array<ArrayBuffer>>>()(
  batchNormalization(f32, mean, variance, null, null, 1e-3, { out: allocate([2]) }),
)
exactly<NdArray<Float32Array<SharedArrayBuffer>>>()(
  batchNormalization(f32, mean, variance, null, null, 1e-3, { out: shared }),
)
// @ts-expect-error: the variance is needed
batchNormalization(f32, mean)
// @ts-expect-error: out has the element type of x
batchNormalization(f32, mean, variance, null, null, 1e-3, { out: f64 })

// forward
exactly<{ readonly y: Own32; readonly saved: Saved }>()(forward(f32))
exactly<{ readonly y: Own64; readonly saved: Saved }>()(
  forward(f64, { gamma: [1, 2], beta: null, epsilon: undefined, axis: [1, -1], activation: "relu" }),
)
exactly<Own32>()(forward(f32, { mean, variance, gamma: mean, activation: null }).y)
exactly<ResidentArray<Float32Array<ArrayBuffer>>>()(forward(f32, { out: { y: allocate([2]) } }).y)
exactly<Own32>()(forward(f32, { out: { saved } }).y)
exactly<NdArray<Float32Array>>()(forward(f32, { out: { y: f32 } }).y)
exactly<Vector>()(saved.mean)
exactly<Vector | null>()(saved.gamma)
exactly<"relu" | null>()(saved.activation)
// @ts-expect-error: no such activation
forward(f32, { activation: "tanh" })
// @ts-expect-error: out has the element type of x
forward(f32, { out: { y: f64 } })
// @ts-expect-error: saved is not to be written to
saved.epsilon = 1

// infer
exactly<Own32>()(infer(f32, saved))
exactly<Own32>()(infer(f32, { ...saved, epsilon: 1e-5 }))
exactly<Own64>()(infer(f64, { mean: [0], variance: [1], axis: -1 }))
exactly<ResidentArray<Float32Array<ArrayBuffer>>>()(infer(f32, { mean, variance, out: allocate([2]) }))
// @ts-expect-error: the statistics are needed
infer(f32, { gamma: [1] })

// backward
const gradients = backward(f32, f32, saved)
exactly<"dx" | "dgamma" | "dbeta">()(null! as keyof typeof gradients)
exactly<Own32>()(gradients.dx)
exactly<Vector>()(gradients.dgamma)
exactly<Vector>()(gradients.dbeta)
exactly<Own64>()(backward(f64, f64, saved, {}).dx)
exactly<"dbeta">()(null! as keyof typeof some)
exactly<NdArray<Float32Array>>()(backward(f32, f32, saved, { out: { dx: f32 } }).dx)
const some = backward(f32, f32, saved, { need: ["dbeta"] })
// @ts-expect-error: dx was not asked for
some.dx
// @ts-expect-error: dy has the element type of x
backward(f64, f32, saved)
// @ts-expect-error: no such gradient
backward(f32, f32, saved, { need: ["dz"] })

// foldIntoDense and foldIntoConv
const layer = new BatchNorm(2)
export const normalizations: Normalization[] = [layer, saved, { mean: [0], variance: f32, gamma: null, epsilon: 1e-5 }]
exactly<Folded<Own32>>()(foldIntoDense(f32, [1, 2], layer))
exactly<Folded<Own64>>()(foldIntoDense(f64, null, saved, { layout: "oi" }))
exactly<Vector>()(foldIntoDense(shared, undefined, { mean, variance }, { layout: undefined, out: undefined }).bias)
exactly<NdArray<Owned<FloatArray>>>()(foldIntoDense(either, null, layer).weights)
exactly<Folded<ResidentArray<Float32Array<ArrayBuffer>>>>()(
  foldIntoDense(f32, null, layer, { out: { weights: allocate([2]) } }),
)
exactly<Folded<NdArray<Float32Array>>>()(foldIntoDense(f32, null, layer, { out: { weights: f32, bias: saved.mean } }))
exactly<Folded<Own32>>()(foldIntoDense(f32, null, layer, { out: { bias: saved.mean } }))
exactly<Folded<Own32>>()(foldIntoConv(f32, f64, layer, { layout: "hwio" }))
exactly<Folded<Own64>>()(foldIntoConv(f64, null, { mean: [0], variance: [1] }, { layout: "iohw", groups: 2 }))
exactly<Folded<NdArray<Float32Array<SharedArrayBuffer>>>>()(
  foldIntoConv(shared, null, layer, { layout: "hwoi", groups: undefined, out: { weights: shared } }),
)
exactly<Folded<Own32>>()(foldIntoConv(f32, null, layer, { layout: "hwim", out: {} }))
exactly<Folded<Own32>>()(foldIntoConv(f32, null, layer, { layout: "oihw" }))
// @ts-expect-error: the layout of a convolution is needed
foldIntoConv(f32, null, layer)
// @ts-expect-error: a dense layer's layout
foldIntoConv(f32, null, layer, { layout: "io" })
// @ts-expect-error: a dense layer has no groups
foldIntoDense(f32, null, layer, { groups: 2 })
// @ts-expect-error: the normalization is needed
foldIntoDense(f32, null)
// @ts-expect-error: so are its statistics
foldIntoDense(f32, null, { gamma: [1] })
// @ts-expect-error: the weights have the element type of the given ones
foldIntoDense(f32, null, layer, { out: { weights: f64 } })
// @ts-expect-error: the bias is f64 whatever the weights are
foldIntoDense(f32, null, layer, { out: { bias: f32.data } })

// Results are arguments, and generic code can be written around them.
exactly<Own32>()(forward(forward(f32).y).y)
export function twice<T extends FloatArray>(x: NdArray<T>): NdArray<Owned<T>> {
  return batchNormalization(x, 0, 1)
}
export function into<T extends FloatArray>(x: NdArray<T>, out: NdArray<Like<T>>): NdArray<Like<T>> {
  return batchNormalization(x, 0, 1, null, null, 1e-3, { out })
}
