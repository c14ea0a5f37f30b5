// The contract of docs/numerics.md where elements have weights and y a residual, through the whole API.
//
// VITE_CONTRACT_SEED repeats a run, VITE_CONTRACT_ROUNDS runs more of them, VITE_CONTRACT_REPORT=1 prints the worst of each.
import { backward, type FloatArray, forward, moments, type NdArray } from "batchnorm"
import { afterAll, describe, expect, test } from "vitest"
import { placesOf } from "../reference.ts"
import {
  Arrays,
  dtypes,
  inBrowser,
  layouts,
  ordinary,
  product,
  residencies,
  setting,
} from "../support/numerics-arrays.ts"
import {
  channelOf,
  exactMoments,
  gather,
  judgeBackward,
  judgeForward,
  judgeMoments,
} from "../support/numerics-contract.ts"
import { type Family, families, slopes } from "../support/numerics-families.ts"
import { Random } from "../support/numerics-random.ts"
import { weightings } from "../support/numerics-weights.ts"
import { Worst } from "../support/numerics-worst.ts"

const seed = Number(setting("VITE_CONTRACT_SEED") ?? 1)
const rounds = Number(setting("VITE_CONTRACT_ROUNDS") ?? 1)
const worst = new Worst()
afterAll(() => worst.report())

const lengths = inBrowser ? [2, 65, 300] : [1, 2, 5, 16, 65, 129, 300, 1030]
const instances = layouts.flatMap((layout) =>
  dtypes.flatMap((dtype) => residencies.map((residency) => ({ layout, dtype, residency }))),
)
const axis = [1]

describe.each(instances)("$layout, $dtype, $residency", ({ layout, dtype, residency }) => {
  const limit = dtype === "float32" ? 2 ** 126 : 2 ** 1022

  /** [rows, channels] or [rows, channels, inner]. */
  const shapeOf = (random: Random, length: number): number[] => {
    const channels = 1 + random.below(Math.max(1, Math.min(9, Math.floor(600 / length))))
    if (layout === "channels-last") return [length, channels]
    const rows = random.pick([1, 1, 2, 5])
    return [rows, channels, Math.max(2, Math.ceil(length / rows))]
  }
  const fill = (shape: readonly number[], random: Random, family: Family): NdArray<FloatArray> => {
    const values = new Float64Array(product(shape))
    for (const places of placesOf(shape, axis)) {
      const own = family(random, places.length)
      for (const [index, place] of places.entries()) values[place] = Math.max(-limit, Math.min(limit, own[index]!))
    }
    return ordinary(values, shape, dtype)
  }

  test.each(Object.keys(families))("%s: each quantity stays within its bound, by any weights and residual", (name) => {
    for (const [index, length] of Array.from({ length: rounds }, () => lengths)
      .flat()
      .entries()) {
      const caseSeed = seed * 1e6 + instances.length * index + Object.keys(families).indexOf(name) * 1000
      const random = new Random(caseSeed)
      const shape = shapeOf(random, length)
      const x = fill(shape, random, families[name]!)
      const slope = random.pick(Object.keys(slopes))
      const dy = fill(shape, random, slopes[slope]!)
      const residual =
        random.below(2) === 0 ? fill(shape, random, slopes[random.pick(Object.keys(slopes))]!) : undefined
      const kind = random.pick(Object.keys(weightings))
      // The weights of a channel lie where its elements do; the whole has some scale of its own.
      const scale = random.pick([1, 1, 2 ** -300, 3e100])
      const data = new Float64Array(x.data.length)
      const places = placesOf(shape, axis)
      for (const own of places) {
        const weights = weightings[kind]!(random, own.length)
        const magnitude = random.pick([1, 1, 2 ** -60])
        for (const [index, place] of own.entries()) data[place] = weights[index]! * magnitude * scale
      }
      if (random.below(2) === 0) {
        for (const [place, weight] of data.entries()) {
          if (weight === 0) [x.data[place], dy.data[place]] = [Number.NaN, Number.POSITIVE_INFINITY]
        }
      }
      const relu = random.below(2) === 0
      const parameters = places.map(() => ({ gamma: random.normal(), beta: random.normal(), epsilon: 1e-3 }))
      const options = {
        axis,
        gamma: parameters.map(({ gamma }) => gamma),
        beta: parameters.map(({ beta }) => beta),
        activation: relu ? "relu" : null,
        weights: { data, shape },
      } as const
      const arrays = new Arrays(residency)
      try {
        const [input, gradient] = [arrays.copy(x), arrays.copy(dy)]
        const added = residual && arrays.copy(residual)
        const reduced = shape.length === 2 ? [0] : [0, 2]
        const { mean, variance } = moments(input, reduced, { weights: options.weights })
        const { y, saved } = forward(input, { ...options, residual: added })
        expect([saved.mean, saved.variance]).toEqual([mean.data, variance.data])
        const { dx, dgamma, dbeta } = backward(gradient, input, saved, { residual: added, weights: options.weights })

        const { note, broken } = worst.notesOf(
          `${dtype}:`,
          `${name}, dy ${slope}, weights ${kind}, residual ${residual !== undefined}, [${shape}], seed ${caseSeed}`,
        )
        for (const [channel, own] of places.entries()) {
          const counting = own.filter((place) => data[place]! > 0)
          const elements = {
            x: gather(x.data, counting),
            at: [...counting.keys()].filter((at) => at < 9 || at % 7 === 0),
            residual: residual && gather(residual.data, counting),
            weights: gather(data, counting),
          }
          const looked = elements.at.map((at) => counting[at]!)
          const due = exactMoments(dtype, elements.x, elements.weights)
          const [ownMean, ownVariance] = [saved.mean[channel]!, saved.variance[channel]!]
          if (due.covered) {
            judgeMoments(dtype, due, ownMean, ownVariance, note)
            const exactly = channelOf(due.mean, due.variance, parameters[channel]!)
            judgeForward(dtype, "y batch", exactly, elements, gather(y.data, looked), relu, note)
          }
          const used = channelOf(ownMean, ownVariance, parameters[channel]!)
          const through = counting.map((place) => (relu && !(y.data[place]! > 0) ? 0 : dy.data[place]!))
          const got = { dbeta: dbeta[channel]!, dgamma: dgamma[channel]!, dx: gather(dx.data, looked) }
          judgeBackward(dtype, used, elements, through, got, false, note)
          const masked = own.filter((place) => data[place] === 0)
          expect(masked.every((place) => dx.data[place] === 0)).toBe(true)
        }
        expect(broken).toEqual([])
      } finally {
        arrays.free()
      }
    }
  })

  test("weights times a power of two change no bit", () => {
    const random = new Random(seed)
    for (const name of Object.keys(weightings)) {
      const shape = shapeOf(random, 130)
      const [x, dy] = [fill(shape, random, families.normal!), fill(shape, random, slopes.normal!)]
      const data = new Float64Array(x.data.length)
      for (const own of placesOf(shape, axis)) {
        const weights = weightings[name]!(random, own.length)
        for (const [index, place] of own.entries()) data[place] = weights[index]!
      }
      const run = (factor: number) => {
        const weights = { data: data.map((weight) => weight * factor), shape }
        const { y, saved } = forward(x, { axis, weights, activation: "relu" })
        const { dx, dgamma, dbeta } = backward(dy, x, saved, { weights })
        return {
          y,
          mean: saved.mean,
          variance: saved.variance,
          dx,
          dgamma,
          dbeta,
          count: saved.count.map((c) => c / factor),
        }
      }
      const due = run(1)
      for (const factor of [2 ** -700, 2 ** -20, 4, 2 ** 500]) expect(run(factor), `${name}, ${factor}`).toEqual(due)
    }
  })
})
