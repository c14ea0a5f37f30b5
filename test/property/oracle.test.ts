import { backward, forward, infer, moments } from "batchnorm"
import fc from "fast-check"
import { expect, test } from "vitest"
import { placesOf } from "../reference.ts"
import {
  channelOf,
  exactMoments,
  gather,
  judgeBackward,
  judgeForward,
  judgeMoments,
  type Quantity,
} from "../support/numerics-contract.ts"
import { arrayOf, dtype, family, others, runs, seed, shapeAndAxes, timeout, vectorOf } from "./arbitraries.ts"

/** Collects what is out of bound. */
function collector() {
  const broken: string[] = []
  const note = (quantity: Quantity, ratio: number, what: string) => {
    if (!(ratio <= 1)) broken.push(`${quantity}: error / bound ${ratio}, ${what}`)
  }
  return { broken, note }
}

test(
  "moments over any axes of any shape agree with the oracle",
  () => {
    const property = fc.property(
      shapeAndAxes,
      dtype,
      family,
      seed,
      fc.boolean(),
      (view, dtype, family, seed, keepDims) => {
        const { shape, axes } = view
        const x = arrayOf(family, shape, dtype, seed)
        const { mean, variance } = moments(x, axes, { keepDims })
        const kept = others(shape, axes)
        const expected = keepDims
          ? shape.map((size, axis) => (kept.includes(axis) ? size : 1))
          : kept.map((axis) => shape[axis])
        expect(mean.shape).toEqual(expected)
        expect(variance.shape).toEqual(expected)
        const { broken, note } = collector()
        for (const [index, places] of placesOf(shape, kept).entries()) {
          const due = exactMoments(dtype, gather(x.data, places))
          if (due.covered) judgeMoments(dtype, due, mean.data[index]!, variance.data[index]!, note)
        }
        expect(broken).toEqual([])
      },
    )
    fc.assert(property, runs(200))
  },
  timeout,
)

const activation = fc.constantFrom("relu" as const, null)

test(
  "forward, infer and backward with the channels along any axes of any shape agree with the oracle",
  () => {
    const property = fc.property(
      shapeAndAxes,
      dtype,
      family,
      seed,
      activation,
      fc.boolean(),
      ({ shape, axes }, dtype, family, seed, activation, frozen) => {
        const places = placesOf(shape, [...others(shape, others(shape, axes))])
        const x = arrayOf(family, shape, dtype, seed)
        const dy = arrayOf("normal", shape, dtype, seed + 1)
        const options = {
          axis: axes,
          epsilon: 1e-3,
          gamma: vectorOf(places.length, seed, (random) => random.normal()),
          beta: vectorOf(places.length, seed + 1, (random) => random.normal()),
          activation,
        }
        const given = {
          mean: vectorOf(places.length, seed + 2, (random) => 10 * random.normal()),
          variance: vectorOf(places.length, seed + 3, (random) => 10 * random.uniform()),
        }
        const { y, saved } = forward(x, frozen ? { ...options, ...given } : options)
        const yGiven = infer(x, { ...options, ...given })
        const { dx, dgamma, dbeta } = backward(dy, x, saved)
        expect(y.shape).toEqual(shape)
        expect(dx.shape).toEqual(shape)

        const { broken, note } = collector()
        for (const [index, channel] of places.entries()) {
          const elements = { x: gather(x.data, channel), at: [...channel.keys()].filter((i) => i % 7 === 0 || i < 9) }
          const looked = elements.at.map((i) => channel[i]!)
          const parameters = { gamma: options.gamma[index]!, beta: options.beta[index]!, epsilon: 1e-3 }
          const known = channelOf(given.mean[index]!, given.variance[index]!, parameters)
          judgeForward(dtype, "y given", known, elements, gather(yGiven.data, looked), activation === "relu", note)
          const due = exactMoments(dtype, elements.x)
          if (!frozen && due.covered) {
            const channel = channelOf(due.mean, due.variance, parameters)
            judgeForward(dtype, "y batch", channel, elements, gather(y.data, looked), activation === "relu", note)
          }
          const through = channel.map((place) => (activation && !(y.data[place]! > 0) ? 0 : dy.data[place]!))
          const got = { dgamma: dgamma[index]!, dbeta: dbeta[index]!, dx: gather(dx.data, looked) }
          const used = channelOf(saved.mean[index]!, saved.variance[index]!, parameters)
          judgeBackward(dtype, used, elements, through, got, frozen, note)
        }
        expect(broken).toEqual([])
      },
    )
    fc.assert(property, runs(150))
  },
  timeout,
)
