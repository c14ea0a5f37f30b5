import { StateError } from "./errors.ts"
import { emptyLike, kernelsOf, ordinary } from "./map.ts"
import { type Checked, checkArray, checkLike, checkOut } from "./options/arrays.ts"
import { checkChannelOptions, checkResidual, checkResultsApart, checkStatistics } from "./options/channels.ts"
import { checkAvailable, checkOperands } from "./options/gradients.ts"
import { checkCounts, checkPerChannel, checkVectorOut } from "./options/numbers.ts"
import { checkFlag, checkNeed, checkObject, checkOptions, missing } from "./options/settings.ts"
import { checkSameTotals, checkWeights } from "./options/weights.ts"
import { input, isStaged, output, pass, readColumn, tilesOf, weigh, weightBytes, writeColumn } from "./stream.ts"
import type { FloatArray, Gradients, Like, NdArray, Operands, Owned, Saved, Usual } from "./types.ts"
import { countOf } from "./view.ts"
import { columns, roles } from "./wasm.ts"

/** What `backward` may be told: the operands that `forward` had, and what is wanted. */
export interface BackwardOptions<X extends NdArray, N extends keyof Gradients, T extends FloatArray = FloatArray>
  extends Operands<T> {
  /** The gradients that are wanted; dx, dgamma and dbeta unless given. */
  need?: readonly N[] | undefined
  /** Arrays to write into, of those wanted; `dx` and `dresidual` may be dy, x or the residual. */
  out?: Partial<Gradients<X>> | undefined
}

const usual = ["dx", "dgamma", "dbeta"] as const
const all = [...usual, "dmean", "dvariance", "dresidual"] as const

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
 * @returns the gradients that `need` names
 * @throws StateError after a forward in place; ShapeError where dy or saved do not fit x; ArgumentError where operands
 *   are missing, or a gradient is asked for of what was not given
 */
export function backward<
  T extends FloatArray,
  X extends NdArray<Like<T>> = NdArray<Owned<T>>,
  N extends keyof Gradients = Usual,
>(dy: NdArray<Like<T>>, x: NdArray<T>, saved: Saved, options?: BackwardOptions<X, N, T>): Pick<Gradients<X>, N> {
  const array = checkArray(x, "x")
  const slope = checkArray(dy as NdArray, "dy")
  checkLike(slope, array, "dy")
  if (!checkObject(saved, "saved", "what forward saved")) throw missing("saved", "what forward saved")
  if (checkFlag(saved.inPlace, false, "saved.inPlace")) {
    throw new StateError("saved: forward wrote y over x, so x is gone: give it another array for y to go back", "saved")
  }
  const channels = checkChannelOptions(array, saved, "saved.")
  const { view, length, epsilon } = channels
  const relu = channels.activation === "relu"
  const statistics = checkStatistics(saved, length, "saved.")
  const count = checkPerChannel(saved.count, length, "saved.count")
  if (!count) throw missing("saved.count", "one number per channel")
  const frozen = checkFlag(saved.frozen, false, "saved.frozen")
  checkFlag(saved.hasResidual, false, "saved.hasResidual")
  checkFlag(saved.hasWeights, false, "saved.hasWeights")
  const given = checkOptions(options, "options", ["need", "out", "residual", "weights"]) ?? {}
  const weights = checkWeights(given.weights, array.shape, channels.kept, undefined)
  const residual = checkResidual(given.residual, array)
  checkOperands({ residual, weights }, saved, relu)
  if (weights) checkSameTotals(count, weights)
  else checkCounts(count, countOf(view), "saved.count")
  const need = checkNeed(given.need, all as unknown as readonly N[], usual as unknown as readonly N[])
  checkAvailable(need, frozen, saved.hasResidual === true)
  const out = checkOptions(given.out, "out", all) ?? {}
  const wants = (name: keyof Gradients) => need.includes(name as N)

  const inputs = { x: array, dy: slope, residual }
  const elementwise = (name: "dx" | "dresidual"): { result: X; target: Checked } | undefined => {
    const given = out[name]
    const target = given === undefined ? undefined : checkOut(given as NdArray, array, inputs, `out.${name}`)
    if (!wants(name)) return undefined
    if (given !== undefined && target) return { result: given, target }
    const fresh = emptyLike(array)
    return { result: fresh as unknown as X, target: ordinary(fresh) }
  }
  const dx = elementwise("dx")
  const dresidual = elementwise("dresidual")
  const vector = (name: "dgamma" | "dbeta" | "dmean" | "dvariance") => {
    const given = out[name]
    const target = given === undefined ? undefined : checkVectorOut(given, length, `out.${name}`)
    return wants(name) ? (target ?? new Float64Array(length)) : undefined
  }
  const vectors = {
    dgamma: vector("dgamma"),
    dbeta: vector("dbeta"),
    dmean: vector("dmean"),
    dvariance: vector("dvariance"),
  }
  checkResultsApart(
    { dx: dx?.target.data, dresidual: dresidual?.target.data },
    vectors,
    { "x.data": array.data, "dy.data": slope.data, "residual.data": residual?.data },
    { ...statistics, count, gamma: channels.gamma, beta: channels.beta },
    weights?.data,
  )

  const dgamma = vectors.dgamma ?? (vectors.dvariance && new Float64Array(length))
  const dbeta = vectors.dbeta ?? (vectors.dmean && new Float64Array(length))
  const sums = dgamma !== undefined || dbeta !== undefined || (dx !== undefined && !frozen)
  const kernels = kernelsOf(array)
  // Operands and dresidual go through a gate, on copies of dy and, where elements are left out, x.
  const gated = weights !== undefined || dresidual !== undefined || (relu && residual !== undefined)
  const ports = [
    input(weights ? ordinary(array) : array, roles.x, 0),
    input(gated ? ordinary(slope) : slope, roles.dy, 1),
    ...(relu && residual ? [input(residual, roles.residual, 2)] : []),
    ...(weights ? [weigh(weights)] : []),
  ]
  const outputs = [
    ...(dx ? [output(dx.target, roles.out, gated ? 2 : 1)] : []),
    ...(dresidual ? [output(ordinary(dresidual.target), roles.dy, 1)] : []),
  ]
  const gate = (begin: boolean) => {
    // Without a ReLU the residual changes nothing, and is not among the ports.
    if (gated) kernels.gate(relu, relu && residual !== undefined, weights !== undefined, epsilon, begin)
  }
  const reluLeft = relu && !gated
  const counts = weights ? Float64Array.from(count, (total) => total * weights.scale) : count
  const staged = [...ports, ...outputs].some((port) => isStaged(view, port.array))
  for (const tile of tilesOf(view, weights ? weightBytes : kernels.bytes, staged)) {
    writeColumn(columns.mean, tile, statistics.mean, 0)
    writeColumn(columns.variance, tile, statistics.variance, 0)
    writeColumn(columns.gamma, tile, channels.gamma, 1)
    writeColumn(columns.beta, tile, channels.beta, 0)
    writeColumn(columns.count, tile, counts, 0)
    if (sums) {
      pass(view, tile, ports, [], (begin, end) => {
        gate(begin)
        kernels.parameterGradients(reluLeft, epsilon, begin, end)
      })
      if (dgamma) readColumn(columns.dgamma, tile, dgamma)
      if (dbeta) readColumn(columns.dbeta, tile, dbeta)
    }
    if (outputs.length > 0) {
      pass(view, tile, [...ports, ...outputs], sums ? ports : [], (begin) => {
        gate(begin)
        if (!dx) return
        if (weights && !frozen) kernels.weightedDx(epsilon, begin)
        else kernels.dx(reluLeft, frozen, epsilon, begin)
      })
    }
  }
  for (let channel = 0; channel < length && frozen; channel++) {
    const sum = (statistics.variance[channel] as number) + epsilon
    const slope = channels.gamma?.[channel] ?? 1
    // γ·r and γ·r², 0 where σ²+ε is, as everywhere.
    const r = sum > 0 ? 1 / Math.sqrt(sum) : sum === 0 ? 0 : Number.NaN
    if (vectors.dmean) vectors.dmean[channel] = 0 - slope * r * (dbeta?.[channel] as number)
    if (vectors.dvariance) vectors.dvariance[channel] = 0 - 0.5 * slope * r * (r * (dgamma?.[channel] as number))
  }
  const gradients = { ...vectors, dx: dx?.result, dresidual: dresidual?.result }
  return Object.fromEntries(need.map((name) => [name, gradients[name as keyof Gradients]])) as Pick<Gradients<X>, N>
}
