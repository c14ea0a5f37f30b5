// Finite differences: the gradients are slopes of what forward computes, whatever formula they are computed by.
import { backward, forward } from "batchnorm"
import fc from "fast-check"
import { expect, test } from "vitest"
import { placesOf } from "../reference.ts"
import { ordinary, product } from "../support/numerics-arrays.ts"
import { Random } from "../support/numerics-random.ts"
import { others, runs, seed, timeout } from "./arbitraries.ts"

const size = fc.integer({ min: 1, max: 5 })

/** A small shape and some of its axes, for the channels. */
const view = fc
  .array(size, { maxLength: 4 })
  .filter((shape) => product(shape) <= 60)
  .chain((shape) => fc.record({ shape: fc.constant(shape), axis: fc.subarray([...shape.keys()]) }))

const setting = fc.record({
  view,
  seed,
  activation: fc.constantFrom("relu" as const, null),
  weighted: fc.boolean(),
  residual: fc.boolean(),
  frozen: fc.boolean(),
  epsilon: fc.constantFrom(0.1, 1),
})

const names = ["x", "gamma", "beta", "residual", "mean", "variance"] as const
/** What forward is given that has a gradient, as plain numbers. */
type Inputs = Record<(typeof names)[number], readonly number[]>

const gradientOf = {
  x: "dx",
  gamma: "dgamma",
  beta: "dbeta",
  residual: "dresidual",
  mean: "dmean",
  variance: "dvariance",
} as const

const add = (values: readonly number[], direction: readonly number[], by: number) =>
  values.map((value, at) => value + by * direction[at]!)

test(
  "in f64 gradients are the slopes of a random functional of y, with respect to everything that forward was given",
  () => {
    const property = fc.property(setting, ({ view: { shape, axis }, seed, activation, ...has }) => {
      const random = new Random(seed)
      const length = product(shape)
      const channels = placesOf(shape, axis).length
      const normals = (count: number, scale = 1) => Array.from({ length: count }, () => scale * random.normal())
      const inputs: Inputs = {
        x: normals(length, 2).map((value) => value + 3),
        gamma: normals(channels).map((value) => value + 1.5),
        beta: normals(channels),
        residual: normals(length),
        mean: normals(channels),
        variance: normals(channels).map((value) => value * value + 0.5),
      }
      // Some elements count for nothing, but none of a channel's would be an error.
      const rows = others(shape, axis)
      const perRow = shape.map((each, at) => (rows.includes(at) ? each : 1))
      const own = random.pick([shape, perRow])
      const data = Array.from({ length: product(own) }, () => random.pick([0, 0, 1, 0.5, 2, random.uniform()]))
      const all = Array.from({ length }, () => 0)
      for (const [at, places] of placesOf(shape, own === shape ? [...shape.keys()] : rows).entries()) {
        for (const place of places) all[place] = data[at]!
      }
      const counts = placesOf(shape, axis).every((places) => places.some((place) => all[place]! > 0))
      fc.pre(!has.weighted || has.frozen || counts)
      const weights = has.weighted ? { data, shape: own } : null

      const run = ({ x, gamma, beta, residual, mean, variance }: Inputs) =>
        forward(ordinary(x, shape, "float64"), {
          ...{ axis, activation, weights, gamma, beta, epsilon: has.epsilon },
          residual: has.residual ? ordinary(residual, shape, "float64") : null,
          ...(has.frozen && { mean, variance }),
        })

      // What has no weight has no slope: its dy is taken as 0.
      const slopes = normals(length).map((value, at) => (weights && all[at] === 0 ? 0 : value))
      const loss = (y: ArrayLike<number>) => slopes.reduce((sum, slope, at) => sum + slope * y[at]!, 0)

      const { y, saved } = run(inputs)
      expect(y.shape).toEqual(shape)

      const given = names.filter(
        (name) => (name !== "residual" || has.residual) && (has.frozen || (name !== "mean" && name !== "variance")),
      )
      const operands = { weights, residual: has.residual ? ordinary(inputs.residual, shape, "float64") : null }
      const got = backward(ordinary(slopes, shape, "float64"), ordinary(inputs.x, shape, "float64"), saved, {
        ...operands,
        need: given.map((name) => gradientOf[name]),
      })
      for (const name of given) {
        const result = got[gradientOf[name]]
        const gradient = [...("data" in result ? result.data : result)]
        for (let direction = 0; direction < 2; direction++) {
          const along = normals(inputs[name].length)
          const step = 2 ** -13
          const ys = [-2, -1, 1, 2].map(
            (times) => run({ ...inputs, [name]: add(inputs[name], along, times * step) }).y.data,
          )
          // Where the steps lead across the kink of a ReLU there is no slope.
          const isSmooth = ys.every((each) => each.every((value, at) => value > 0 === y.data[at]! > 0))
          if (activation && !isSmooth) continue
          const [a, b, c, d] = ys.map(loss) as [number, number, number, number]
          // Richardson: the error is of the fourth order.
          const slope = (8 * (c - b) - (d - a)) / (12 * step)
          const due = gradient.reduce((sum, value, index) => sum + value * along[index]!, 0)
          const scale = gradient.reduce((sum, value, index) => sum + Math.abs(value * along[index]!), 1)
          expect(Math.abs(slope - due) / scale, `d${name}: ${due} for a slope of ${slope}`).toBeLessThan(1e-7)
        }
      }
    })
    fc.assert(property, runs(300))
  },
  timeout,
)
