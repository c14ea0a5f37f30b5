import { later } from "./later.ts"
import { emptyLike } from "./map.ts"
import { checkApart } from "./options/apart.ts"
import { checkData, checkLike, checkShapeOf } from "./options/arrays.ts"
import { checkChannelView, checkGiven, checkResidual, checkVariance } from "./options/channels.ts"
import {
  allBits,
  checkAvailable,
  checkNeed,
  checkOperand,
  checkSavedFlags,
  dbetaBit,
  dgammaBit,
  dmeanBit,
  dresidualBit,
  dvarianceBit,
  dxBit,
  gradientNames,
} from "./options/gradients.ts"
import { checkCounts, checkPerChannel, checkVectorOut } from "./options/numbers.ts"
import { checkActivation, checkObject, checkOptions, defaultEpsilon, notEpsilon } from "./options/settings.ts"
import { checkSameTotals, checkWeights } from "./options/weights.ts"
import {
  begin,
  double,
  dresidualUse,
  dyUse,
  end,
  give,
  isWeighted,
  load,
  open,
  outUse,
  residualUse,
  runTiles,
  take,
  use,
  useDresidual,
  weigh,
  weightsUse,
  xUse,
} from "./stream.ts"
import type { FloatArray, Gradients, Like, NdArray, Operands, Owned, Saved, Usual, Vector } from "./types.ts"
import {
  betaColumn,
  countColumn,
  dbetaColumn,
  dgammaColumn,
  dyRole,
  epsilonOfCall,
  gammaColumn,
  kernel,
  meanColumn,
  outRole,
  residualRole,
  varianceColumn,
} from "./wasm.ts"

/** What `backward` may be told: the operands that `forward` had, and what is wanted. */
export interface BackwardOptions<X extends NdArray, N extends keyof Gradients, T extends FloatArray = FloatArray>
  extends Operands<T> {
  /** The gradients that are wanted; dx, dgamma and dbeta unless given. */
  need?: readonly N[] | undefined
  /** Arrays to write into, of those wanted; `dx` and `dresidual` may be dy, x or the residual. */
  out?: Partial<Gradients<X>> | undefined
}

/**
 * The gradients of `forward`, in closed form, with x̂ = (x-μ)·r and r = 1/√(σ²+ε):
 * dβ = Σdy, dγ = Σdy·x̂, dx = γ·r·(dy - dβ/m - x̂·dγ/m). With weights dx = γ·r·(dy - w·dβ/W - w·x̂·dγ/W), W = Σw, and an
 * element of weight 0 counts for nothing: its dy is taken as 0, and so is its dx. With statistics that were given
 * dx = γ·r·dy, dmean = -γ·r·dβ and dvariance = -γ·r²·dγ/2. After a ReLU, dy does not count where y is 0; what is left of
 * it is dresidual. Source: Ioffe and Szegedy 2015, section 3, in closed form.
 *
 * @param dy the gradient with respect to y, like x
 * @param x what `forward` was given
 * @param saved what it returned
 * @param options the residual and the weights that `forward` was given, if any, and `need`
 * @returns the gradients that `need` names; `out`, if it has them all and no others
 * @throws StateError after a forward in place; ShapeError where dy or saved do not fit x; ArgumentError where operands
 *   are missing, or a gradient is asked for of what was not given
 */
export function backward<
  T extends FloatArray,
  X extends NdArray<Like<T>> = NdArray<Owned<T>>,
  N extends keyof Gradients = Usual,
>(dy: NdArray<Like<T>>, x: NdArray<T>, saved: Saved, options?: BackwardOptions<X, N, T>): Pick<Gradients<X>, N> {
  const given: BackwardOptions<X, N> = checkOptions(options, "options", optionNames) ?? {}
  const wanted = checkNeed(given.need, allBits)
  const out = checkOptions(given.out, "out", gradientNames) ?? {}
  return differentiate(dy, x, saved, given, given.need, wanted, out) as Pick<Gradients<X>, N>
}

const optionNames = ["need", "out", "residual", "weights"]

/**
 * Computes the gradients of a set, in `out` as far as they are there. All is judged before anything is written, and first
 * read into variables: reading what a user passes may run code that calls the package again.
 *
 * @param need the names of the set, as they were given
 * @returns `out`, if it is of the very set
 */
export function differentiate(
  dy: NdArray,
  x: NdArray,
  saved: Saved,
  operands: Operands<FloatArray>,
  need: readonly string[] | undefined,
  wanted: number,
  out: Partial<Gradients>,
): Partial<Gradients> {
  const shape = checkShapeOf(x, "x")
  const data = checkData(x, shape, "x")
  const slope = checkLike(dy, "dy", shape, data)
  checkGiven(checkObject(saved, "saved", "what forward saved"), "saved", "what forward saved")
  checkSavedFlags(saved)
  const frozen = saved.frozen === true
  const view = checkChannelView(shape, saved.axis, "saved.axis")
  const length = view.statistics
  const gamma = checkPerChannel(saved.gamma, length, "saved.gamma")
  const beta = checkPerChannel(saved.beta, length, "saved.beta")
  let epsilon = defaultEpsilon
  if ("epsilon" in saved) {
    const value = saved.epsilon
    if (value !== undefined) {
      if (typeof value !== "number" || !(value >= 0 && value < Number.POSITIVE_INFINITY))
        throw notEpsilon(value, "saved.epsilon")
      epsilon = value
    }
  }
  const relu = checkActivation(saved.activation, "saved.activation") ? 1 : 0
  const mean = checkGiven(checkPerChannel(saved.mean, length, "saved.mean"), "saved.mean")
  const variance = checkGiven(checkVariance(saved.variance, length, "saved.variance"), "saved.variance")
  const count = checkGiven(checkPerChannel(saved.count, length, "saved.count"), "saved.count")
  const weights = checkWeights(operands.weights, shape, view.kept, undefined)
  const residual = checkResidual(operands.residual, shape, data)
  checkOperand(residual, saved.hasResidual === true, relu === 1, "residual", "the one", "one")
  checkOperand(weights, saved.hasWeights === true, true, "weights", "those", "some")
  if (weights) checkSameTotals(count, weights)
  else checkCounts(count, view.count, "saved.count")
  checkAvailable(wanted, frozen, saved.hasResidual === true, need)
  const dx = elementwise(out.dx, wanted & dxBit, "out.dx", shape, data)
  const dresidual = elementwise(out.dresidual, wanted & dresidualBit, "out.dresidual", shape, data)
  const dgamma = vector(out.dgamma, wanted & dgammaBit, "out.dgamma", length)
  const dbeta = vector(out.dbeta, wanted & dbetaBit, "out.dbeta", length)
  const dmean = vector(out.dmean, wanted & dmeanBit, "out.dmean", length)
  const dvariance = vector(out.dvariance, wanted & dvarianceBit, "out.dvariance", length)

  checkApart(
    names,
    9,
    same,
    data,
    slope,
    residual,
    mean,
    variance,
    count,
    gamma,
    beta,
    weights?.data,
    dx,
    dresidual,
    dgamma,
    dbeta,
    dmean,
    dvariance,
  )

  // Operands and dresidual go through a gate, on copies of dy and, where elements are left out, x. Without a ReLU the
  // residual changes nothing.
  const gated = weights !== undefined || dresidual !== undefined || (relu === 1 && residual !== undefined)
  const gatedResidual = relu && residual ? 1 : 0
  open(view, data, weights !== undefined)
  use(dyRole, slope, 1, gated)
  if (residual && relu) use(residualRole, residual, 2)
  if (weights) weigh(weights)
  if (dx) use(outRole, dx, gated ? 2 : 1)
  if (dresidual) useDresidual(dresidual)
  const outputs = (dx ? outUse : 0) | (dresidual ? dresidualUse : 0)
  // From here on something is written.
  const sums = wanted & ~(dxBit | dresidualBit) || (dx && !frozen)
  const counts = weights ? scaled(count, weights.scale) : undefined
  epsilonOfCall[0] = epsilon
  give(meanColumn, mean)
  give(varianceColumn, variance)
  give(gammaColumn, gamma)
  give(betaColumn, beta)
  give(countColumn, counts)
  take(dgammaColumn, dgamma)
  take(dbetaColumn, dbeta)
  // What these are made of.
  take(dgammaColumn, dvariance)
  take(dbetaColumn, dmean)
  const flags =
    (relu ? reluFlag : 0) |
    (gatedResidual ? residualFlag : 0) |
    (gated ? gatedFlag : 0) |
    (dx ? dxFlag : 0) |
    (frozen ? frozenFlag : 0)
  runTiles(sums ? sumPiece : undefined, outputs ? mapPiece : undefined, outputs, flags)
  if (dmean || dvariance) {
    if (later) finishLater(dmean, dvariance, variance, gamma)
    else finishStatistics(dmean, dvariance, variance, gamma)
  }
  if (setOf(out) === wanted) return out
  const vectors = { dgamma, dbeta, dmean, dvariance }
  const all = { ...vectors, dx: arrayOf(out.dx, dx, shape), dresidual: arrayOf(out.dresidual, dresidual, shape) }
  return pick(all as Partial<Gradients>, need)
}

/** dμ and dσ² of the sums that they are made of. */
function finishStatistics(
  dmean: Vector | undefined,
  dvariance: Vector | undefined,
  variance: ArrayLike<number>,
  gamma: ArrayLike<number> | undefined,
): void {
  const epsilon = epsilonOfCall[0] as number
  for (let channel = 0; channel < variance.length; channel++) {
    const sum = (variance[channel] as number) + epsilon
    const slope = gamma?.[channel] ?? 1
    // γ·r and γ·r², 0 where σ²+ε is, as everywhere.
    const r = sum > 0 ? 1 / Math.sqrt(sum) : sum === 0 ? 0 : Number.NaN
    if (dmean) dmean[channel] = 0 - slope * r * (dmean[channel] as number)
    if (dvariance) dvariance[channel] = 0 - 0.5 * slope * r * (r * (dvariance[channel] as number))
  }
}

function finishLater(...given: Parameters<typeof finishStatistics>): void {
  later?.after(() => finishStatistics(...given))
}

// These are no closures of the function above, which would make an object of its variables at each call.
function arrayOf(given: NdArray | undefined, data: FloatArray | undefined, shape: readonly number[]): unknown {
  return given ?? { data, shape: [...shape] }
}

function scaled(values: ArrayLike<number>, scale: number): Float64Array {
  return Float64Array.from(values, (value) => value * scale)
}

const reads = ["x.data", "dy.data", "residual.data"]
const savedReads = ["saved.mean", "saved.variance", "saved.count", "saved.gamma", "saved.beta", "weights"]
const writes = ["out.dx.data", "out.dresidual.data", "out.dgamma", "out.dbeta", "out.dmean", "out.dvariance"]
const names = /* @__PURE__ */ reads.concat(savedReads, writes)
// dx and dresidual may lie over x, dy or the residual.
const same = [1 | 2 | 4, 1 | 2 | 4, 0, 0, 0, 0]

/** The data to write a gradient into that is like x: those given, or new ones; none if it is not wanted. */
function elementwise(
  given: NdArray | undefined,
  isWanted: number,
  name: string,
  shape: readonly number[],
  like: FloatArray,
): FloatArray | undefined {
  const data = given === undefined ? undefined : checkLike(given, name, shape, like)
  return isWanted ? (data ?? emptyLike(like, shape).data) : undefined
}

/** The same for one per channel. */
function vector(given: Vector | undefined, isWanted: number, name: string, length: number): Vector | undefined {
  const vector = given === undefined ? undefined : checkVectorOut(given, length, name)
  return isWanted ? (vector ?? new Float64Array(length)) : undefined
}

/** Which gradients there are, as a set. */
export function setOf({ dx, dgamma, dbeta, dmean, dvariance, dresidual }: Partial<Gradients>): number {
  return (
    (dx === undefined ? 0 : dxBit) |
    (dgamma === undefined ? 0 : dgammaBit) |
    (dbeta === undefined ? 0 : dbetaBit) |
    (dmean === undefined ? 0 : dmeanBit) |
    (dvariance === undefined ? 0 : dvarianceBit) |
    (dresidual === undefined ? 0 : dresidualBit)
  )
}

/** Those that are needed, in the order of their names. */
export function pick(gradients: Partial<Gradients>, need: readonly string[] = usualNames): Partial<Gradients> {
  return Object.fromEntries(need.map((name) => [name, gradients[name as keyof Gradients]]))
}

const usualNames = ["dx", "dgamma", "dbeta"]

// What the passes are told.
const reluFlag = 1
const residualFlag = 2
const gatedFlag = 4
const dxFlag = 8
const frozenFlag = 16

/** dgamma and dbeta of a tile, into the channel table. */
function sumPiece(flags: number): void {
  loadInputs(flags, 0)
  kernel.bn_parameter_gradients(double, ungated(flags), epsilonOfCall[0] as number, begin, end)
}

/** dx and dresidual. */
function mapPiece(flags: number): void {
  const isWanted = flags & dxFlag
  loadInputs(flags, isWanted ? outUse : 0)
  if (!isWanted) return
  const frozen = flags & frozenFlag ? 1 : 0
  const weighted = !frozen && isWeighted() ? 1 : 0
  kernel.bn_dx(double, ungated(flags), frozen, weighted, epsilonOfCall[0] as number, begin)
}

/** Loads what the gradients are of, and passes it through the gate. */
function loadInputs(flags: number, outputs: number): void {
  const residual = flags & residualFlag ? 1 : 0
  const weighted = isWeighted() ? 1 : 0
  load(xUse | dyUse | (residual ? residualUse : 0) | (weighted ? weightsUse : 0) | outputs)
  if (flags & gatedFlag) {
    kernel.bn_gate(double, flags & reluFlag, residual, weighted, epsilonOfCall[0] as number, begin)
  }
}

/** Whether there is a ReLU that no gate has seen to. */
function ungated(flags: number): number {
  return flags & gatedFlag ? 0 : flags & reluFlag
}
