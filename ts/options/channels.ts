import { ArgumentError } from "../errors.ts"
import type { FloatArray, Maybe, NdArray, PerChannel, Saved, Vector } from "../types.ts"
import { type View, viewOf } from "../view.ts"
import { checkLike } from "./arrays.ts"
import { allAxes, checkAxes } from "./axes.ts"
import { checkPerChannel, checkVariances, checkVectorOut } from "./numbers.ts"
import { checkObject, missing } from "./settings.ts"

/** The options of `infer`. */
export const inferNames: readonly string[] = [
  "gamma",
  "beta",
  "epsilon",
  "axis",
  "activation",
  "mean",
  "variance",
  "residual",
  "out",
]

/** What else there is in what `forward` saved, which is options whole. */
export const alsoSaved: readonly string[] = ["count", "frozen", "inPlace", "hasResidual", "hasWeights"]

/** The options of `forward`. */
export const forwardNames: readonly string[] = /* @__PURE__ */ inferNames.concat("weights")

/** The view of an array whose channels lie along the axes given; the last, unless they are. */
export function checkChannelView(
  shape: readonly number[],
  axis: Maybe<number | readonly number[]>,
  name: string,
): View {
  const rank = shape.length
  const last = rank === 0 ? 0 : 1 << (rank - 1)
  return viewOf(shape, allAxes(rank) ^ checkAxes(axis, rank, last, name))
}

/** The data of an array like x, or none. */
export function checkResidual(
  residual: Maybe<NdArray>,
  shape: readonly number[],
  x: FloatArray,
): FloatArray | undefined {
  return residual === undefined || residual === null ? undefined : checkLike(residual, "residual", shape, x)
}

/** Variances, one per channel, or none. */
export function checkVariance(
  variance: Maybe<PerChannel>,
  length: number,
  name: string,
): ArrayLike<number> | undefined {
  const list = checkPerChannel(variance, length, name)
  if (list) checkVariances(list, name)
  return list
}

/** Whether both are given; `expected`, where both may lack. */
export function checkBothGiven(mean: unknown, variance: unknown, expected?: string): boolean {
  if (mean && variance) return true
  if (expected && !mean && !variance) return false
  throw missing(mean ? "variance" : "mean", expected ?? "one number per channel")
}

/** What has to be there. */
export function checkGiven<T>(value: T | undefined, name: string, expected = "one number per channel"): T {
  if (value === undefined) throw missing(name, expected)
  return value
}

/** An object to save in. */
export function checkSavedOut(saved: Saved): void {
  checkObject(saved, "out.saved", "what forward saved")
  if (Object.isFrozen(saved)) throw new ArgumentError("out.saved", "an object to write into", "one that is frozen")
}

/** The vectors in it, with those that are due. */
export function checkSavedVectors(
  length: number,
  gamma: unknown,
  beta: unknown,
  mean: Vector,
  variance: Vector,
  count: Vector,
  savedGamma: Vector | null,
  savedBeta: Vector | null,
): void {
  checkVectorOut(mean, length, "out.saved.mean")
  checkVectorOut(variance, length, "out.saved.variance")
  checkVectorOut(count, length, "out.saved.count")
  checkParameterOut(savedGamma, gamma, length, "gamma")
  checkParameterOut(savedBeta, beta, length, "beta")
}

function checkParameterOut(out: Vector | null, given: unknown, length: number, name: "gamma" | "beta"): void {
  if (given) checkVectorOut(out as Vector, length, name === "gamma" ? "out.saved.gamma" : "out.saved.beta")
  else if (out !== null) throw missing(name, `${name}, as out.saved has it`)
}
