// What every environment has to answer: the digests of test/vectors, which the native build computed, and numbers within
// the bounds of docs/numerics.md of those of the oracle.
import { placesOf } from "../reference.ts"
import {
  channelOf,
  exactMoments,
  gather,
  judgeBackward,
  judgeForward,
  judgeMoments,
  type Note,
} from "../support/numerics-contract.ts"
import cases from "../vectors/bits.json" with { type: "json" }
import type { Answer } from "./program/attempt.ts"
import { inputsOf, type Vector } from "./program/inputs.ts"
import type { Digests, Numbers, Report } from "./program/report.ts"

const names = [
  "channels-last, plain, f32",
  "channels-last, two channels with copies, f32",
  "channels-first, plain, f32",
  "channels-first, short segments, f32",
  "channels-last, seventeen channels, f64",
  "channels-first, plain, f64",
  "channels-last, larger than a piece, f32",
  "channels-first, larger than a piece, f32",
]

const chosen = names.map((name) => {
  const found = cases.find((one) => one.name === name)
  if (found?.family !== "uniform" || found.frozen)
    throw new Error(`test/vectors/bits.json has no uniform case "${name}"`)
  return found
})

/** Without their digests. */
export const vectors: readonly Vector[] = chosen.map(({ digests, ...vector }) => vector)

export const small: Vector = {
  name: "small",
  dtype: "f32",
  shape: [7, 3],
  reducedAxes: [0],
  seed: 7,
  center: 3,
  scale: 1,
  dyScale: 1,
  gammaScale: 1,
  epsilon: 1e-3,
  relu: false,
}

/**
 * @param engine what the one who answers has to be
 * @returns what is wrong with the answer
 */
export function faultsOf(answer: Answer, engine: RegExp): string[] {
  if ("error" in answer) return [answer.error]
  const identity = `${answer.engine}, ${answer.scope}`
  const faults = engine.test(identity) ? [] : [`ran in ${identity}, which is not ${engine}`]
  for (const { name, digests } of chosen) faults.push(...differences(name, digests, answer))
  return [...faults, ...outOfBounds(answer.numbers)]
}

function differences(name: string, due: Digests, { digests }: Report): string[] {
  const got = digests[name]
  if (got?.length !== 2) return [`${name}: nothing was computed`]
  return got.flatMap((one, index) =>
    (Object.keys(due) as (keyof Digests)[])
      .filter((key) => one[key] !== due[key])
      .map((key) => `${name}, ${index ? "resident" : "ordinary"} arrays: ${key} is ${one[key]}, not ${due[key]}`),
  )
}

function outOfBounds({ mean, variance, y, dx, dgamma, dbeta }: Numbers): string[] {
  const faults: string[] = []
  const { x, dy, options } = inputsOf(small)
  for (const [index, places] of placesOf(small.shape, options.axis).entries()) {
    const note: Note = (quantity, ratio, what) => {
      if (!(ratio <= 1)) faults.push(`${small.name}, channel ${index}: ${quantity} is out of bounds: ${what}`)
    }
    const elements = { x: gather(x.data, places), at: [...places.keys()] }
    const due = exactMoments("float32", elements.x)
    const parameters = { gamma: options.gamma[index]!, beta: options.beta[index]!, epsilon: small.epsilon }
    const channel = channelOf(due.mean, due.variance, parameters)
    const of = (values: readonly number[]) => places.map((place) => values[place] ?? Number.NaN)
    const got = { dbeta: dbeta[index]!, dgamma: dgamma[index]!, dx: of(dx) }
    judgeMoments("float32", due, mean[index]!, variance[index]!, note)
    judgeForward("float32", "y batch", channel, elements, of(y), false, note)
    judgeBackward("float32", channel, elements, gather(dy.data, places), got, false, note)
  }
  return faults
}
