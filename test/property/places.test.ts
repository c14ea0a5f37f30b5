// Where an array lies, and where its result goes, changes no bit.
import { backward, batchNormalization, type FloatArray, forward, infer, moments, type NdArray } from "batchnorm"
import fc from "fast-check"
import { expect, test } from "vitest"
import { type Dtype, firstDifference, product } from "../support/numerics-arrays.ts"
import { arrayOf, dtype, family, others, runs, seed, shapeAndAxes, timeout, vectorOf } from "./arbitraries.ts"
import { place, places } from "./places.ts"

const activation = fc.constantFrom("relu" as const, null)

/** Each gives its results, element by element, from x and dy as they lie and from a place for each result. */
interface Inputs {
  readonly x: NdArray
  readonly dy: NdArray
  /** A new array, x, or dy. */
  readonly out: (name: "new" | "x" | "dy") => NdArray
}

/** Runs with arrays put down as told, and copies what comes out. */
function laid(
  put: Record<"x" | "dy" | "out", string>,
  x: NdArray,
  dy: NdArray,
  dtype: Dtype,
  run: (inputs: Inputs) => FloatArray[],
) {
  const put1 = places[put.x]!(x, dtype)
  const put2 = places[put.dy]!(dy, dtype)
  const put3 = places[put.out]!({ data: x.data.map(() => Number.NaN), shape: x.shape }, dtype)
  try {
    const out = (name: "new" | "x" | "dy") => ({ new: put3, x: put1, dy: put2 })[name].array
    return run({ x: put1.array, dy: put2.array, out }).map((data) => data.slice())
  } finally {
    for (const { free } of [put1, put2, put3]) free()
  }
}

const laying = fc.record({ x: place, dy: place, out: place })
const plain = { x: "ordinary", dy: "ordinary", out: "ordinary" }

test(
  "moments have the same bits wherever x lies",
  () => {
    const property = fc.property(
      shapeAndAxes,
      dtype,
      family,
      seed,
      laying,
      ({ shape, axes }, dtype, family, seed, put) => {
        const x = arrayOf(family, shape, dtype, seed)
        const run = ({ x }: Inputs) => {
          const { mean, variance } = moments(x, axes)
          return [mean.data, variance.data]
        }
        const [expected, got] = [laid(plain, x, x, dtype, run), laid(put, x, x, dtype, run)]
        expect(got.map((data, i) => firstDifference(data, expected[i]!))).toEqual([-1, -1])
      },
    )
    fc.assert(property, runs(300))
  },
  timeout,
)

test(
  "forward, infer and batchNormalization have the same bits, in place or not, wherever x and y lie",
  () => {
    const property = fc.property(
      shapeAndAxes,
      dtype,
      family,
      seed,
      laying,
      fc.constantFrom("new" as const, "x" as const),
      activation,
      ({ shape, axes }, dtype, family, seed, put, target, activation) => {
        const x = arrayOf(family, shape, dtype, seed)
        const channels = product(axes.map((axis) => shape.at(axis)!))
        const options = {
          axis: axes,
          gamma: vectorOf(channels, seed, (random) => random.normal()),
          beta: vectorOf(channels, seed + 1, (random) => random.normal()),
          activation,
        }
        const given = {
          mean: vectorOf(channels, seed + 2, (random) => random.normal()),
          variance: vectorOf(channels, seed + 3, (random) => random.uniform()),
        }
        const expected = {
          forward: forward(x, options),
          infer: infer(x, { ...options, ...given }),
          nn: batchNormalization(x, 0.3, 2, 0.1, -3, 1e-5),
        }
        const byForward = laid(put, x, x, dtype, ({ x, out }) => {
          const { y, saved } = forward(x, { ...options, out: { y: out(target) } })
          expect(saved.inPlace).toBe(target === "x" && product(shape) > 0)
          return [y.data, saved.mean, saved.variance, saved.count]
        })
        const { y, saved } = expected.forward
        const due = [y.data, saved.mean, saved.variance, saved.count]
        expect(byForward.map((data, i) => firstDifference(data, due[i]!))).toEqual([-1, -1, -1, -1])
        const byInfer = laid(put, x, x, dtype, ({ x, out }) => [
          infer(x, { ...options, ...given, out: out(target) }).data,
        ])
        expect(firstDifference(byInfer[0]!, expected.infer.data)).toBe(-1)
        const byNn = laid(put, x, x, dtype, ({ x, out }) => [
          batchNormalization(x, 0.3, 2, 0.1, -3, 1e-5, { out: out(target) }).data,
        ])
        expect(firstDifference(byNn[0]!, expected.nn.data)).toBe(-1)
      },
    )
    fc.assert(property, runs(200))
  },
  timeout,
)

test(
  "backward has the same bits, over x, over dy or elsewhere, wherever its arrays lie",
  () => {
    const property = fc.property(
      shapeAndAxes,
      dtype,
      family,
      seed,
      laying,
      fc.constantFrom("new" as const, "x" as const, "dy" as const),
      activation,
      fc.boolean(),
      ({ shape, axes }, dtype, family, seed, put, target, activation, frozen) => {
        const x = arrayOf(family, shape, dtype, seed)
        const dy = arrayOf("normal", shape, dtype, seed + 1)
        const channels = product(axes.map((axis) => shape.at(axis)!))
        const gamma = vectorOf(channels, seed, (random) => random.normal())
        const { saved } = forward(x, { axis: axes, gamma, activation })
        const used = { ...saved, frozen }
        const expected = backward(dy, x, used)
        const due = [expected.dx.data, expected.dgamma, expected.dbeta]
        const got = laid(put, x, dy, dtype, ({ x, dy, out }) => {
          const { dx, dgamma, dbeta } = backward(dy, x, used, { out: { dx: out(target) } })
          return [dx.data, dgamma, dbeta]
        })
        expect(got.map((data, i) => firstDifference(data, due[i]!))).toEqual([-1, -1, -1])
        // x and dy may be one array.
        const twice = backward(x, x, used)
        const same = laid(put, x, x, dtype, ({ x, out }) => {
          const target2 = target === "dy" ? "x" : target
          return [backward(x, x, used, { out: { dx: out(target2) } }).dx.data]
        })
        expect(firstDifference(same[0]!, twice.dx.data)).toBe(-1)
      },
    )
    fc.assert(property, runs(200))
  },
  timeout,
)

test(
  "axes given in any order, from either end, alone or in a list, are the same axes",
  () => {
    const property = fc.property(shapeAndAxes, dtype, seed, ({ shape, axes }, dtype, seed) => {
      const x = arrayOf("normal", shape, dtype, seed)
      const sorted = others(shape, others(shape, axes))
      const [a, b] = [moments(x, axes), moments(x, sorted)]
      expect(a).toEqual(b)
      if (axes.length === 1) expect(moments(x, axes[0])).toEqual(a)
      const [first, second] = [forward(x, { axis: axes }), forward(x, { axis: sorted })]
      expect(first.saved).toEqual(second.saved)
      expect(first.saved.axis).toEqual(sorted)
      expect(firstDifference(first.y.data, second.y.data)).toBe(-1)
    })
    fc.assert(property, runs(150))
  },
  timeout,
)
