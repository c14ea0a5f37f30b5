import {
  allocate,
  BatchNorm,
  type FloatArray,
  type Like,
  type MeanVariance,
  Moments,
  type NdArray,
  normalizeMoments,
  type Owned,
  type ResidentArray,
  Standardizer,
  type SufficientStatistics,
  type SufficientStatisticsOptions,
  sufficientStatistics,
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
declare const later: AsyncIterable<NdArray>
declare const both: Iterable<NdArray> | AsyncIterable<NdArray>

// Weights are numbers or booleans of any kind.
export const weights: Weights[] = [
  [1, 0, 2],
  [true, false],
  [1, true],
  new Uint8Array(3),
  f32,
  { data: [true, false], shape: [2, 1] },
  { data: new Float32Array(2), shape: [2, 1] as const },
]
// @ts-expect-error: weights are no texts
export const texts: Weights = ["1"]
// @ts-expect-error: nor a single number
export const one: Weights = 1

// Moments
const sums = new Moments(3)
new Moments(3, {})
new Moments(6, { axis: [0, -1] as const })
new Moments(3, { axis: undefined })
exactly<number>()(sums.channels)
exactly<readonly number[]>()(sums.axis)
for (const vector of [sums.count, sums.mean, sums.m2, sums.variance, sums.unbiasedVariance]) exactly<Vector>()(vector)
exactly<Moments>()(sums.push(f32))
exactly<Moments>()(
  sums
    .push(either, { weights: [true, false, true] })
    .push(shared, { weights: null })
    .merge(sums),
)
exactly<Uint8Array<ArrayBuffer>>()(sums.toBytes())
exactly<Moments>()(Moments.fromBytes(sums.toBytes()))
exactly<Moments>()(Moments.fromBytes(new Uint8Array(new SharedArrayBuffer(8))))
exactly<object>()(sums.toJSON())
exactly<Moments>()(Moments.fromJSON(sums.toJSON()))
exactly<Moments>()(Moments.fromJSON(JSON.parse(JSON.stringify(sums)) as object))
// @ts-expect-error: the number of channels is needed
new Moments()
// @ts-expect-error: what there is of axes is called axis
new Moments(3, { axes: 0 })
// @ts-expect-error: one array at a time
sums.push([f32])
// @ts-expect-error: no such option
sums.push(f32, { residual: f32 })
// @ts-expect-error: only Moments merge
sums.merge(sums.toJSON())
// @ts-expect-error: computed, never put
sums.mean = sums.m2
// @ts-expect-error: JSON is parsed first
Moments.fromJSON(JSON.stringify(sums))
// @ts-expect-error: bytes, not a buffer
Moments.fromBytes(sums.toBytes().buffer)

// Standardizer
const standardizer = new Standardizer()
new Standardizer({ axis: [1, -1] })
exactly<Vector>()(standardizer.mean)
exactly<Vector>()(standardizer.standardDeviation)
exactly<readonly number[]>()(standardizer.axis)
exactly<Standardizer>()(standardizer.adapt([f32, f64]))
exactly<Standardizer>()(standardizer.adapt(new Set([f32])))
exactly<Promise<Standardizer>>()(standardizer.adapt(later))
exactly<Own32>()(standardizer.transform(f32))
exactly<Own64>()(standardizer.invert(f64, {}))
exactly<Own32>()(standardizer.invert(shared))
exactly<NdArray<Owned<FloatArray>>>()(standardizer.transform(either))
exactly<ResidentArray<Float32Array<ArrayBuffer>>>()(standardizer.transform(f32, { out: allocate([2]) }))
exactly<NdArray<Float32Array>>()(standardizer.transform(f32, { out: f32 }))
exactly<Standardizer>()(Standardizer.fromJSON(standardizer.toJSON()))
// @ts-expect-error: batches, not one array
standardizer.adapt(f32)
// @ts-expect-error: batches of arrays
standardizer.adapt([new Float32Array(2)])
// @ts-expect-error: at once or in time, which decides what comes back
standardizer.adapt(both)
// @ts-expect-error: out has the element type of x
standardizer.transform(f32, { out: f64 })
// @ts-expect-error: no such option
new Standardizer({ epsilon: 1e-3 })
// @ts-expect-error: taken from data, never put
standardizer.mean = sums.mean
export function standardized<T extends FloatArray>(x: NdArray<T>, out: NdArray<Like<T>>): NdArray<Like<T>> {
  return standardizer.transform(x, { out })
}

// sufficientStatistics and normalizeMoments
exactly<SufficientStatistics>()(sufficientStatistics(f32))
exactly<SufficientStatistics>()(sufficientStatistics(shared, [0, -1] as const, { shift: 3, keepDims: true }))
exactly<SufficientStatistics>()(sufficientStatistics(either, undefined, { shift: null, keepDims: undefined }))
export const options: SufficientStatisticsOptions = { shift: new Int32Array(3) }
const { count, meanSs, varianceSs, shift } = sufficientStatistics(f64, 0, { shift: f32 })
exactly<NdArray<Vector>>()(count)
exactly<NdArray<Vector>>()(meanSs)
exactly<NdArray<Vector>>()(varianceSs)
exactly<NdArray<Vector> | null>()(shift)
exactly<MeanVariance>()(normalizeMoments(count, meanSs, varianceSs, shift))
exactly<MeanVariance>()(normalizeMoments(4, [1, 2], new Float32Array(2)))
exactly<MeanVariance>()(normalizeMoments(count, meanSs, varianceSs, undefined))
// @ts-expect-error: no weights
sufficientStatistics(f32, [0], { weights: [1] })
// @ts-expect-error: the sums of squares are needed
normalizeMoments(count, meanSs)
// @ts-expect-error: a count is there
normalizeMoments(null, meanSs, varianceSs)

// The layer's recalibration
const layer = new BatchNorm(3)
exactly<void>()(layer.recalibrate([f32, f64]))
exactly<Promise<void>>()(layer.recalibrate(later))
// @ts-expect-error: batches, not one array
layer.recalibrate(f32)
