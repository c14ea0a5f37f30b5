// Weights, residuals and the gradients that are asked for.
import {
  allocate,
  type BackwardOptions,
  backward,
  batchNormalization,
  type FloatArray,
  type ForwardOptions,
  forward,
  type Gradients,
  type InferOptions,
  infer,
  type Like,
  type MeanVariance,
  type MomentsOptions,
  moments,
  type NdArray,
  type Operands,
  type Owned,
  type ResidentArray,
  type Saved,
  type Usual,
  type Weights,
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
const { mean, variance } = moments(f32, [0])

// need: the record has what it names, no more
const every = backward(f32, f32, saved, {
  need: ["dx", "dgamma", "dbeta", "dmean", "dvariance", "dresidual"],
  residual: f32,
})
exactly<keyof Gradients>()(null! as keyof typeof every)
exactly<"dx" | "dgamma" | "dbeta" | "dmean" | "dvariance" | "dresidual">()(null! as keyof Gradients)
exactly<"dx" | "dgamma" | "dbeta">()(null! as Usual)
exactly<Own32>()(every.dx)
exactly<Own32>()(every.dresidual)
exactly<Vector>()(every.dmean)
exactly<Vector>()(every.dvariance)
exactly<Pick<Gradients<Own64>, "dmean" | "dresidual">>()(backward(f64, f64, saved, { need: ["dmean", "dresidual"] }))
exactly<Pick<Gradients<Own32>, "dvariance">>()(backward(f32, f32, saved, { need: ["dvariance"] as const }))
exactly<Pick<Gradients<Own32>, never>>()(backward(f32, f32, saved, { need: [] as const }))
exactly<Pick<Gradients<Own32>, Usual>>()(backward(f32, f32, saved, { need: undefined }))
declare const wanted: ("dx" | "dresidual")[]
exactly<Pick<Gradients<Own32>, "dx" | "dresidual">>()(backward(f32, f32, saved, { need: wanted }))
exactly<ResidentArray<Float32Array<ArrayBuffer>>>()(
  backward(f32, f32, saved, { need: ["dresidual"], out: { dresidual: allocate([2]) } }).dresidual,
)
exactly<NdArray<Float32Array<SharedArrayBuffer>>>()(
  backward(f32, f32, saved, { need: ["dx", "dresidual"], out: { dx: shared, dresidual: shared } }).dresidual,
)
exactly<Own32>()(backward(f32, f32, saved, { need: ["dx", "dmean"], out: { dmean: saved.mean } }).dx)
exactly<NdArray<Owned<FloatArray>>>()(backward(either, either, saved, { need: ["dresidual"] }).dresidual)
// @ts-expect-error: dx is not there unless it is named
backward(f32, f32, saved, { need: ["dmean", "dresidual"] }).dx
// @ts-expect-error: nor is dmean by default
backward(f32, f32, saved).dmean
// @ts-expect-error: names come in a list
backward(f32, f32, saved, { need: "dx" })
// @ts-expect-error: dresidual has the element type of x
backward(f32, f32, saved, { need: ["dresidual"], out: { dresidual: f64 } })
// @ts-expect-error: dmean is f64 whatever x is
backward(f32, f32, saved, { need: ["dmean"], out: { dmean: f32.data } })
// @ts-expect-error: there is no gradient of weights
backward(f32, f32, saved, { need: ["dweights"] })

// weights
export const weights: Weights[] = [
  ...[
    [1, 0.5],
    [true, false],
    [1, true],
  ],
  ...[new Uint8Array(2), new Float32Array(2), new Float64Array(2), new Uint8ClampedArray(2)],
  ...[
    { data: [true], shape: [] },
    { data: [1, 0] as const, shape: [2, 1] as const },
  ],
  ...[f32, f64, shared, either, allocate([2]), { data: new Int16Array(2), shape: [2] }],
]
declare const counts: Weights
exactly<MeanVariance>()(moments(f32, [0], { weights: counts, keepDims: true }))
exactly<MeanVariance>()(moments(f32, [0], { weights: null }))
exactly<Own32>()(forward(f32, { weights: counts }).y)
exactly<Own64>()(forward(f64, { weights: undefined, mean, variance }).y)
exactly<Own32>()(backward(f32, f32, saved, { weights: counts }).dx)
export const forMoments: MomentsOptions = { weights: [true, false] }
// @ts-expect-error: a number alone has no shape to broadcast
moments(f32, [0], { weights: 2 })
// @ts-expect-error: weights are numbers or booleans
moments(f32, [0], { weights: ["1"] })
// @ts-expect-error: a shape without data
forward(f32, { weights: { shape: [2] } })
// @ts-expect-error: big integers are none
forward(f32, { weights: new BigInt64Array(2) })
// @ts-expect-error: a nested list is no array of weights
backward(f32, f32, saved, { weights: [[1], [2]] })
// @ts-expect-error: weights do not change y by given statistics
infer(f32, { mean, variance, weights: counts })
// @ts-expect-error: nor does tf.nn's function know them
batchNormalization(f32, mean, variance, null, null, 1e-3, { weights: counts })

// residual
exactly<Own32>()(forward(f32, { residual: f32 }).y)
exactly<Own32>()(forward(f32, { residual: shared, activation: "relu" }).y)
exactly<Own64>()(forward(f64, { residual: null }).y)
exactly<Own64>()(infer(f64, { mean, variance, residual: f64 }))
exactly<Own32>()(infer(f32, { ...saved, residual: allocate([2]) }))
exactly<Own32>()(backward(f32, f32, saved, { residual: undefined }).dx)
exactly<boolean | undefined>()(saved.hasResidual)
export const operands: Operands<Float32Array> = { residual: f32, weights: null }
export const forForward: ForwardOptions<NdArray<Float32Array>, Float32Array> = { residual: f32, weights: counts }
export const forInfer: InferOptions<NdArray<Float64Array>, Float64Array> = { mean, variance, residual: f64 }
export const forBackward: BackwardOptions<NdArray<Float32Array>, "dresidual", Float32Array> = { need: ["dresidual"] }
// @ts-expect-error: a residual has the element type of x
forward(f32, { residual: f64 })
// @ts-expect-error: likewise in infer
infer(f64, { mean, variance, residual: f32 })
// @ts-expect-error: likewise in backward
backward(f32, f32, saved, { residual: f64 })
// @ts-expect-error: a residual does not broadcast, so a bare array will not do
forward(f32, { residual: new Float32Array(2) })
// @ts-expect-error: saved is not to be written to
saved.hasResidual = true

export function block<T extends FloatArray>(x: NdArray<T>, residual: NdArray<Like<T>>): NdArray<Like<T>> {
  return forward<T, NdArray<Like<T>>>(x, { residual, activation: "relu", out: { y: residual } }).y
}
