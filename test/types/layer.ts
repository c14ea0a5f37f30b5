import {
  allocate,
  BatchNorm,
  type BatchNormOptions,
  type Convention,
  type Gradients,
  infer,
  type LayerBackwardOptions,
  type LayerForwardOptions,
  type LayerInferOptions,
  type LoadableState,
  type NdArray,
  type ResidentArray,
  type State,
  type Weights,
} from "batchnorm"
import { exactly } from "./exactly.ts"

type Vector = Float64Array<ArrayBuffer>
type Own32 = NdArray<Float32Array<ArrayBuffer>>

declare const f32: NdArray<Float32Array>
declare const f64: NdArray<Float64Array>

export const plain = new BatchNorm(3)
const norm = new BatchNorm(3, {
  convention: "torch",
  epsilon: undefined,
  axis: [1],
  activation: "relu",
  momentum: null,
  center: true,
  scale: undefined,
  gamma: [1, 1, 1],
  beta: null,
  runningMean: new Float32Array(3),
  runningVariance: { data: new Float64Array(3), shape: [3] },
  nonFinite: "throw",
  unbiased: false,
  singleElement: "allow",
})
exactly<"keras" | "torch" | "onnx" | "tf-fused">()(null! as Convention)
export const options: BatchNormOptions = {}
// @ts-expect-error: no such convention
new BatchNorm(3, { convention: "caffe" })
// @ts-expect-error: the number of channels is needed
new BatchNorm()

exactly<number>()(norm.channels)
exactly<Convention>()(norm.convention)
exactly<readonly number[]>()(norm.axis)
exactly<number>()(norm.epsilon)
exactly<number | null>()(norm.decay)
exactly<boolean>()(norm.unbiased)
exactly<"allow" | "throw">()(norm.singleElement)
// @ts-expect-error: a policy is chosen once, when the layer is made
norm.unbiased = true
// @ts-expect-error: no such policy
new BatchNorm(3, { singleElement: "skip" })
for (const vector of [norm.gamma, norm.beta, norm.dgamma, norm.dbeta, norm.runningMean, norm.runningVariance]) {
  exactly<Vector>()(vector)
  vector[0] = 1
}
norm.frozen = true
exactly<number>()(norm.batches)
exactly<number>()(norm.skipped)
// @ts-expect-error: the same array for the layer's whole life
norm.gamma = new Float64Array(3)
// @ts-expect-error: counted by the layer
norm.batches = 0

exactly<Own32>()(norm.forward(f32))
exactly<Own32>()(norm.forward(f32, { training: false, updateRunning: undefined }))
export const y: NdArray<Float32Array> = norm.forward(f32, { out: undefined })
exactly<NdArray<Float64Array<ArrayBuffer>>>()(norm.infer(f64))
exactly<ResidentArray<Float32Array<ArrayBuffer>>>()(norm.forward(f32, { out: allocate([2, 3]) }))
exactly<ResidentArray<Float32Array<ArrayBuffer>>>()(norm.infer(f32, { out: allocate([2, 3]) }))
// @ts-expect-error: out has the element type of x
norm.infer(f32, { out: f64 })

const gradients = norm.backward(f32)
exactly<"dx" | "dgamma" | "dbeta">()(null! as keyof typeof gradients)
exactly<Own32>()(gradients.dx)
exactly<Vector>()(gradients.dgamma)
exactly<ResidentArray<Float32Array<ArrayBuffer>>>()(norm.backward(f32, { out: { dx: allocate([2, 3]) } }).dx)
export const some = norm.backward(f32, { need: ["dgamma"] })
exactly<"dgamma">()(null! as keyof typeof some)

// Weights and a residual
declare const shared: NdArray<Float32Array<SharedArrayBuffer>>
declare const weights: Weights
exactly<Own32>()(norm.forward(f32, { weights, residual: f32, updateRunning: false }))
exactly<Own32>()(norm.forward(f32, { weights: [true, false], residual: shared, training: false }))
exactly<Own32>()(norm.forward(f32, { weights: null, residual: undefined }))
exactly<Own32>()(norm.infer(f32, { residual: f32 }))
exactly<ResidentArray<Float32Array<ArrayBuffer>>>()(norm.infer(f32, { residual: f32, out: allocate([2, 3]) }))
export const forForward: LayerForwardOptions<NdArray<Float64Array>, Float64Array> = { residual: f64, weights }
export const forInfer: LayerInferOptions<NdArray<Float64Array>, Float64Array> = { residual: f64 }
export const forBackward: LayerBackwardOptions<NdArray<Float32Array>, "dresidual"> = { need: ["dresidual"] }
const both = norm.backward(f32, { need: ["dx", "dresidual"] })
exactly<"dx" | "dresidual">()(null! as keyof typeof both)
exactly<Own32>()(both.dresidual)
exactly<Pick<Gradients<Own32>, "dx" | "dgamma" | "dbeta">>()(norm.backward(f32, { need: undefined }))
exactly<Pick<Gradients<Own32>, never>>()(norm.backward(f32, { need: [] as const }))
exactly<ResidentArray<Float32Array<ArrayBuffer>>>()(
  norm.backward(f32, { need: ["dresidual"], out: { dresidual: allocate([2, 3]) } }).dresidual,
)
// @ts-expect-error: dx was not asked for
norm.backward(f32, { need: ["dresidual"] }).dx
// @ts-expect-error: the running statistics are no inputs
norm.backward(f32, { need: ["dmean"] })
// @ts-expect-error: dgamma and dbeta are the layer's own
norm.backward(f32, { out: { dgamma: norm.dgamma } })
// @ts-expect-error: dresidual has the element type of x
norm.backward(f32, { need: ["dresidual"], out: { dresidual: f64 } })
// @ts-expect-error: a residual has the element type of x
norm.forward(f32, { residual: f64 })
// @ts-expect-error: likewise in infer
norm.infer(f64, { residual: f32 })
// @ts-expect-error: weights do not change y by running statistics
norm.infer(f32, { weights })
// @ts-expect-error: the operands of backward are those of the forward
norm.backward(f32, { residual: f32 })

norm.resetRunningStatistics()
exactly<BatchNorm>()(BatchNorm.fromJSON(norm.toJSON()))
exactly<BatchNorm>()(BatchNorm.fromJSON(JSON.parse(JSON.stringify(norm)) as object))

exactly<State>()(norm.state())
exactly<State>()(norm.state("keras"))
const { weight } = norm.state()
exactly<Float32Array | Float64Array | number | undefined>()(weight)
exactly<BatchNorm>()(norm.load(norm.state("keras"), "keras"))
exactly<BatchNorm>()(plain.load(norm.state(undefined), undefined))
norm.load({
  weight: [1, 1, 1],
  bias: new Uint8Array(3),
  running_mean: { data: new Float32Array(3), shape: [1, 3] },
  running_var: { data: [1, 1, 1], shape: [3] },
  num_batches_tracked: 3n,
})
norm.load({ num_batches_tracked: new BigInt64Array(1), weight: null, bias: undefined, running_mean: f32 })
export const loadable: LoadableState = norm.state()
// @ts-expect-error: no such convention
norm.state("caffe")
// @ts-expect-error: no such convention
norm.load({}, "caffe")
// @ts-expect-error: a state is not a text
norm.load(JSON.stringify(norm.state()))
// @ts-expect-error: nor are its numbers
norm.load({ weight: "1, 1, 1" })

// A layer's own arrays are options of the functions.
infer(f32, { mean: norm.runningMean, variance: norm.runningVariance, gamma: norm.gamma, beta: norm.beta })
