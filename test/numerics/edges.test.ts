import { backward, batchNormalization, type FloatArray, forward, infer, moments, type NdArray } from "batchnorm"
import { afterEach, describe, expect, test } from "vitest"
import { placesOf } from "../reference.ts"
import { Arrays, dtypes, firstDifference, layouts, ordinary, product, residencies } from "../support/numerics-arrays.ts"
import { Random } from "../support/numerics-random.ts"

const instances = layouts.flatMap((layout) =>
  dtypes.flatMap((dtype) => residencies.map((residency) => ({ layout, dtype, residency }))),
)
const axis = [0, 2]
const lengths = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 64, 65, 257, 511, 512, 513, 1023, 1024, 1025, 8193]
const channelCounts = [1, 2, 3, 4, 5, 7, 8, 16, 17, 31, 63, 64, 65]

describe.each(instances)("$layout, $dtype, $residency", ({ layout, dtype, residency }) => {
  const arrays = new Arrays(residency)
  afterEach(() => arrays.free())

  const shapeOf = (length: number, channels: number) =>
    layout === "channels-last" ? [1, length, channels, 1] : [1, length < 300 ? 1 : 2, channels, length]
  const fill = (shape: number[], value: (statistic: number, index: number) => number): NdArray<FloatArray> => {
    const array = arrays.empty(shape, dtype)
    const { data } = array
    for (const [statistic, places] of placesOf(shape, axis).entries()) {
      for (const [index, place] of places.entries()) data[place] = value(statistic, index)
    }
    return array
  }
  const asElement = (value: number) => (dtype === "float32" ? Math.fround(value) : value)
  // Where an array lies changes no bit (test/property/places.test.ts): some lengths will do.
  const tried = residency === "ordinary" ? lengths : lengths.filter((_, i) => i % 3 === 0)
  const largest = dtype === "float32" ? (2 - 2 ** -23) * 2 ** 127 : Number.MAX_VALUE

  test.each(tried)(
    "a constant channel of %i elements has its constant as mean, no variance and beta as y",
    (length) => {
      const constants = [0, 0.1, -1 / 3, 1e-3, -1e7, 2 ** 24, 1e30, 1e-30, 1e-45, -largest, largest, 4095.5].map(
        asElement,
      )
      const x = fill(shapeOf(length, constants.length), (statistic) => constants[statistic]!)
      const { mean, variance } = moments(x, [1, 3])
      expect(mean.data).toEqual(Float64Array.from(constants))
      expect(variance.data).toEqual(new Float64Array(constants.length))
      const dy = fill(x.shape as number[], (statistic, index) => ((index * 7) % 5) - statistic)
      for (const epsilon of [0, 1e-3]) {
        const { y, saved } = forward(x, {
          axis,
          epsilon,
          gamma: constants.map(() => 3),
          beta: constants.map(() => 0.7),
        })
        expect(y.data.every((value) => value === asElement(0.7))).toBe(true)
        const { dx, dgamma } = backward(dy, x, saved)
        expect(dgamma.every((value) => value === 0)).toBe(true)
        if (epsilon === 0) expect(dx.data.every((value) => value === 0)).toBe(true)
      }
    },
  )

  test.each(channelCounts)("a NaN or infinity stays in its own of %i channels", (channels) => {
    const random = new Random(channels)
    const shape = shapeOf(layout === "channels-last" ? 700 : 350, channels)
    const places = placesOf(shape, axis)
    const values = Float64Array.from({ length: product(shape) }, () => random.normal())
    const slopes = Float64Array.from({ length: product(shape) }, () => random.normal())
    const parameters = {
      axis,
      epsilon: 1e-3,
      gamma: places.map(() => random.normal()),
      beta: places.map(() => random.normal()),
    }
    const run = (x: Float64Array, dy: Float64Array) => {
      const array = arrays.copy(ordinary(x, shape, dtype))
      const { y, saved } = forward(array, parameters)
      const { dx, dgamma, dbeta } = backward(arrays.copy(ordinary(dy, shape, dtype)), array, saved)
      arrays.free()
      return { y: y.data, dx: dx.data, mean: saved.mean, variance: saved.variance, dgamma, dbeta }
    }
    const healthy = run(values, slopes)
    const poisonings = [0, 1, Math.floor(places[0]!.length / 2), places[0]!.length - 1].flatMap((index) =>
      [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((poison) => ({ index, poison })),
    )
    for (const { index, poison } of poisonings) {
      for (const target of ["x", "dy"]) {
        const sick = random.below(channels)
        const [x, dy] = [values.slice(), slopes.slice()]
        ;(target === "x" ? x : dy)[places[sick]![index]!] = poison
        const result = run(x, dy)
        for (const name of ["mean", "variance", "dgamma", "dbeta"] as const) {
          const restored = result[name].slice()
          restored[sick] = healthy[name][sick]!
          expect(firstDifference(restored, healthy[name]), `${name}, ${target} ${poison}`).toBe(-1)
        }
        for (const name of ["y", "dx"] as const) {
          const restored = result[name].slice()
          for (const place of places[sick]!) restored[place] = healthy[name][place]!
          expect(firstDifference(restored, healthy[name]), `${name}, ${target} ${poison}`).toBe(-1)
        }
        if (target === "x") {
          const own = places[sick]!
          expect([result.mean[sick], result.variance[sick]]).toEqual([Number.NaN, Number.NaN])
          expect(own.every((place) => Number.isNaN(result.y[place]!))).toBe(true)
          expect(own.every((place) => Number.isNaN(result.dx[place]!))).toBe(true)
        } else {
          expect(Number.isFinite(result.dbeta[sick])).toBe(false)
        }
      }
    }
  })

  test.each(["mean", "variance", "gamma", "beta"] as const)("a NaN in %s stays in its own channel", (name) => {
    const random = new Random(7)
    for (const channels of channelCounts) {
      const shape = shapeOf(37, channels)
      const x = fill(shape, () => random.normal())
      const options = {
        axis,
        mean: Array.from({ length: channels }, () => random.normal()),
        variance: Array.from({ length: channels }, () => random.uniform()),
        gamma: Array.from({ length: channels }, () => random.normal()),
        beta: Array.from({ length: channels }, () => random.normal()),
      }
      const healthy = infer(x, options).data
      const sick = random.below(channels)
      const { data } = infer(x, { ...options, [name]: options[name].with(sick, Number.NaN) })
      for (const [channel, places] of placesOf(shape, axis).entries()) {
        const right = (place: number) =>
          channel === sick ? Number.isNaN(data[place]!) : Object.is(data[place], healthy[place])
        expect(places.every(right)).toBe(true)
      }
      arrays.free()
    }
  })

  test.each(tried.filter((length) => length > 1))("%i finite elements give finite results, however large", (length) => {
    // x, and a power of two so that its square leaves the range of the elements.
    const makers: ((index: number) => number)[] = [
      (index) => (index % 2 === 0 ? largest : -largest),
      (index) => (index === 0 ? largest : 0),
      (index) => (index === length - 1 ? -largest : largest),
      (index) => largest * (1 - (index % 5) * 2 ** -20),
      (index) => (index % 3 === 0 ? largest / 2 : 1),
      (index) => (index % 2 === 0 ? Math.sqrt(largest) : -1),
      (index) => (index % 7) * (dtype === "float32" ? 1e-45 : 5e-324),
      (index) => 1 + (index % 2) * (dtype === "float32" ? 2 ** -23 : 2 ** -52),
    ]
    const x = fill(shapeOf(length, makers.length), (statistic, index) => asElement(makers[statistic]!(index)))
    const dy = fill(x.shape as number[], (statistic, index) => ((index + statistic) % 3) - 1)
    for (const epsilon of [0, 1e-3]) {
      const { y, saved } = forward(x, { axis, epsilon })
      expect(saved.mean.every(Number.isFinite), `mean ${saved.mean}`).toBe(true)
      expect(saved.variance.every((variance) => variance >= 0)).toBe(true)
      if (dtype === "float32") expect(saved.variance.every(Number.isFinite)).toBe(true)
      for (const [statistic, own] of placesOf(x.shape, axis).entries()) {
        // |x̂| ≤ √m, and what one f64 may lose of the mean.
        const lost = (2 ** -50 * Math.abs(saved.mean[statistic]!)) / Math.sqrt(saved.variance[statistic]! + epsilon)
        const reach = Math.sqrt(own.length) * 1.001 + (lost || 0)
        const out = own.find((place) => !(Math.abs(y.data[place]!) <= reach))
        expect(out, `y ${y.data[out!]}, epsilon ${epsilon}, maker ${statistic}`).toBe(undefined)
      }
      // r may be 2^149·… where x is subnormal and ε 0: only then is dx beyond all bounds.
      if (epsilon > 0) {
        const { dx, dgamma, dbeta } = backward(dy, x, saved)
        for (const data of [dx.data, dgamma, dbeta]) {
          const sick = [...data].findIndex((value) => !Number.isFinite(value))
          expect(sick, `${data[sick]}`).toBe(-1)
        }
      }
    }
  })

  test.each(channelCounts)("one element in each of %i channels has no variance, and beta as y", (channels) => {
    const random = new Random(channels)
    const shape = layout === "channels-last" ? [1, 1, channels, 1] : [channels, 1, 1, 1]
    const x = fill(shape, () => random.normal() * 1e6)
    const beta = Array.from({ length: channels }, () => asElement(random.normal()))
    const { y, saved } = forward(x, { axis, beta, epsilon: 0 })
    expect(saved.variance).toEqual(new Float64Array(channels))
    expect([...saved.mean]).toEqual([...x.data])
    expect([...y.data]).toEqual(beta)
    const { dx } = backward(x, x, saved)
    expect(dx.data.every((value) => value === 0)).toBe(true)
  })

  test("no variance is negative, of elements that hardly differ", () => {
    const random = new Random(3)
    for (const length of tried) {
      const shape = shapeOf(length, 5)
      const step = dtype === "float32" ? 2 ** -23 : 2 ** -52
      const x = fill(shape, (statistic) => asElement((1 + statistic) * 1e5 * (1 + step * random.below(2))))
      expect(moments(x, [1, 3]).variance.data.every((variance) => variance >= 0)).toBe(true)
      arrays.free()
    }
  })

  test("a relu gives +0 for what is not positive, and lets NaN pass", () => {
    const x = fill([1, 6, 1, 1], (_, index) => [-1, -0, 0, 1, Number.NaN, -1e-40][index]!)
    const options = { axis, mean: [0], variance: [1], epsilon: 0, activation: "relu" } as const
    const { data } = infer(x, options)
    expect([...data]).toEqual([0, 0, 0, 1, Number.NaN, 0])
    expect([...data].some((value) => Object.is(value, -0))).toBe(false)
  })
})

test("a scalar is normalized to beta, over no axis and over all", () => {
  for (const dtype of dtypes) {
    const x = ordinary([42], [], dtype)
    expect(moments(x).mean).toEqual({ data: Float64Array.of(42), shape: [] })
    const { y, saved } = forward(x, { axis: [], beta: [2] })
    expect([...y.data]).toEqual([2])
    expect(saved.count).toEqual(Float64Array.of(1))
    expect([...batchNormalization(x, 40, 4, 1, 3, 0).data]).toEqual([4])
    expect([...backward(x, x, saved).dx.data]).toEqual([0])
  }
})

test("a variance of zero and no epsilon give beta, whatever x is", () => {
  for (const dtype of dtypes) {
    const x = ordinary([1, -7, 1e30], [3, 1], dtype)
    expect([...infer(x, { mean: [5], variance: [0], epsilon: 0, beta: [2], gamma: [3] }).data]).toEqual([2, 2, 2])
  }
})
