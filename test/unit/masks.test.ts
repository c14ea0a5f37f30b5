// Elements of weight 0 are as good as taken out.
import { backward, forward, moments, type NdArray } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, label, numbers, place, product, settings, somewhere } from "./support/arrays.ts"
import { design, expectedGradients, expectedY, layouts, plain } from "./support/dyadic.ts"
import { broadcast, groups } from "./support/naive.ts"
import { bits, expectNear } from "./support/near.ts"
import { reducedOf, shapesBeside, weightsBeside } from "./support/weights.ts"

const hostile = [Number.NaN, Number.POSITIVE_INFINITY, 3, Number.NEGATIVE_INFINITY, -2]

// Every number on the way is dyadic and near 1, so that f32 differs by more than this or not at all; in f64 the merging of
// counts that are no powers of two rounds.
const exactly = 1e-13

describe.each(layouts)("on $name", (layout) => {
  const { shape, axis } = layout
  const due = design(layout)
  const { gamma, beta, mean, variance } = due
  const reduced = reducedOf(layout)
  const options = { gamma, beta, axis, epsilon: 0 }

  // The same channels with as many elements again, along the first axis that is reduced and larger than 1.
  const long = reduced.find((each) => shape[each]! > 1)!
  const wide = shape.with(long, shape[long]! * 2)
  const places = groups(wide, reduced)

  /** The design's elements at those that count, in their order, and others between them. */
  const spread = (mask: readonly boolean[], values: ArrayLike<number>, between: (index: number) => number) => {
    const result = new Float64Array(product(wide))
    for (const [channel, all] of places.entries()) {
      const counting = all.filter((each) => mask[each])
      expect(counting.length).toBe(due.places[channel]!.length)
      for (const [index, each] of counting.entries()) result[each] = values[due.places[channel]![index]!]!
      for (const [index, each] of all.filter((each) => !mask[each]).entries()) result[each] = between(index + channel)
    }
    return result
  }
  const kept = (values: ArrayLike<number>, mask: readonly boolean[]) =>
    due.places.flatMap((_, channel) => places[channel]!.filter((each) => mask[each]).map((each) => values[each]!))
  const inOrder = (values: ArrayLike<number>) => due.places.flatMap((all) => all.map((each) => values[each]!))
  const left = (values: ArrayLike<number>, mask: readonly boolean[]) =>
    Array.from(values).filter((_, index) => !mask[index])

  const along = wide.map((size, index) => (index === long ? size : 1))
  const masks = {
    "every other": { data: Array.from({ length: wide[long]! }, (_, index) => index % 2 === 1), shape: along },
    "the first half": { data: Array.from({ length: wide[long]! }, (_, index) => index < shape[long]!), shape: along },
    "others in each channel": {
      data: (() => {
        const scattered: boolean[] = Array(product(wide)).fill(false)
        for (const [channel, all] of places.entries()) {
          // 7 and a power of two times 3 or 5 share no factor.
          for (let index = 0; index < all.length / 2; index++)
            scattered[all[(index * 7 + channel) % all.length]!] = true
        }
        return scattered
      })(),
      shape: wide,
    },
  }

  test.each(Object.entries(masks))("what the mask leaves out is as good as taken out: %s", (_, weights) => {
    const mask = broadcast({ data: weights.data.map(Number), shape: weights.shape }, wide).map(Boolean)
    const values = spread(mask, due.x, (index) => hostile[index % hostile.length]!)
    const dyValues = spread(mask, due.dy, (index) => hostile[(index + 1) % hostile.length]!)
    for (const setting of everywhere) {
      const hint = label(setting)
      const [x, dy] = [place(setting, wide, values), place(setting, wide, dyValues)]
      const statistics = moments(x, reduced, { weights })
      expectNear(statistics.mean.data, mean, exactly, hint)
      expectNear(statistics.variance.data, variance, exactly, hint)
      for (const relu of [false, true]) {
        const activation = relu ? ("relu" as const) : null
        const { y, saved } = forward(x, { ...options, activation, weights })
        expectNear(saved.mean, mean, exactly, hint)
        expect([...saved.count], hint).toEqual(due.places.map((each) => each.length))
        expectNear(kept(y.data, mask), inOrder(expectedY(due, relu)), exactly, hint)
        const { dx, dgamma, dbeta } = backward(dy, x, saved, { weights })
        const slope = relu ? expectedY(due).map((value, at) => (value > 0 ? due.dy[at]! : 0)) : due.dy
        const gradients = expectedGradients(due, slope)
        expectNear(kept(dx.data, mask), inOrder(gradients.dx), exactly, hint)
        expectNear(dgamma, gradients.dgamma, exactly, hint)
        expectNear(dbeta, gradients.dbeta, exactly, hint)
        expect(left(dx.data, mask).every((value) => value === 0)).toBe(true)
      }
    }
  })

  test("the call on the array without them gives the same", () => {
    const values = numbers(product(wide))
    const slopes = numbers(product(wide), 5)
    const weights = masks["others in each channel"]
    const taken = (values: readonly number[]) => {
      const result = new Float64Array(product(shape))
      for (const [channel, all] of places.entries()) {
        for (const [index, each] of all.filter((each) => weights.data[each]).entries()) {
          result[due.places[channel]![index]!] = values[each]!
        }
      }
      return result
    }
    for (const setting of settings("ordinary", "resident")) {
      const within = setting.type === "float32" ? 1e-5 : 1e-12
      const [x, dy] = [place(setting, wide, values), place(setting, wide, slopes)]
      const [shortX, shortDy] = [place(setting, shape, taken(values)), place(setting, shape, taken(slopes))]
      for (const activation of [null, "relu"] as const) {
        const whole = forward(x, { gamma, beta, axis, activation, weights })
        const short = forward(shortX, { gamma, beta, axis, activation })
        expectNear(whole.saved.mean, short.saved.mean, 1e-13, label(setting))
        expectNear(
          whole.saved.variance,
          short.saved.variance,
          setting.type === "float32" ? 1e-6 : 1e-13,
          label(setting),
        )
        expect(whole.saved.count).toEqual(short.saved.count)
        expectNear(kept(whole.y.data, weights.data), inOrder(short.y.data), within, label(setting))
        const gradients = backward(dy, x, whole.saved, { weights })
        const due = backward(shortDy, shortX, short.saved)
        expectNear(kept(gradients.dx.data, weights.data), inOrder(due.dx.data), within, label(setting))
        expectNear(gradients.dgamma, due.dgamma, within, label(setting))
        expectNear(gradients.dbeta, due.dbeta, within, label(setting))
      }
    }
  })

  test("what has no weight changes no bit, whatever is there", () => {
    for (const own of shapesBeside(shape)) {
      const weights = weightsBeside(layout, own)
      const all = broadcast(weights, shape)
      for (const setting of somewhere) {
        const run = (poison: (at: number) => number) => {
          const poisoned = (seed: number) =>
            place(
              setting,
              shape,
              numbers(product(shape), seed).map((value, at) => (all[at] === 0 ? poison(at) : value)),
            )
          const [x, dy, residual] = [poisoned(0), poisoned(5), poisoned(9)]
          const results = [null, "relu" as const].map((activation) => {
            const { y, saved } = forward(x, { gamma, beta, axis, activation, weights, residual })
            const need = ["dx", "dgamma", "dbeta", "dresidual"] as const
            const gradients = backward(dy, x, saved, { weights, residual, need })
            const counting = { data: y.data.filter((_, at) => all[at]! > 0), shape: [] } as NdArray
            return {
              ...gradients,
              saved,
              y: bits(counting),
              dx: plain(gradients.dx.data),
              dresidual: plain(gradients.dresidual.data),
            }
          })
          return { ...moments(x, reduced, { weights }), results }
        }
        const due = run(() => 0)
        const hint = `weights of ${own}, ${label(setting)}`
        expect(
          run(() => Number.NaN),
          hint,
        ).toEqual(due)
        expect(
          run((at) => hostile[at % hostile.length]!),
          hint,
        ).toEqual(due)
      }
    }
  })
})

const rows = { data: [true, false, true, true], shape: [4, 1] }

test("y is that of all elements: NaN where x is NaN, and only there", () => {
  for (const setting of everywhere) {
    const x = place(setting, [4, 2], [1, 2, Number.NaN, 8, 3, 4, 2, 6])
    const { y, saved } = forward(x, { weights: rows, epsilon: 0, beta: [0, 1] })
    expect([[...saved.mean], [...saved.variance]]).toEqual([
      [2, 4],
      [2 / 3, 8 / 3],
    ])
    const [r, s] = [Math.sqrt(3 / 2), Math.sqrt(3 / 8)]
    expectNear(y.data, [-r, 1 - 2 * s, Number.NaN, 1 + 4 * s, r, 1, 0, 1 + 2 * s], 1e-6, label(setting))
    const { data } = forward(x, { weights: rows, activation: "relu" }).y
    expect([...data].map(Number.isNaN)).toEqual([...y.data].map(Number.isNaN))
  }
})

test("dx is 0 where the weight is, whatever arrived there", () => {
  for (const setting of everywhere) {
    const x = place(setting, [4, 2], [1, 2, Number.NaN, Number.POSITIVE_INFINITY, 3, 4, 2, 6])
    const dy = place(setting, [4, 2], [1, 2, 7, Number.NaN, 3, -4, 2, 6])
    const given = { mean: [1, 2], variance: [3, 4], gamma: [-1, 2] }
    for (const options of [{}, given]) {
      const { saved } = forward(x, { ...options, weights: rows })
      const { dx, dgamma, dbeta } = backward(dy, x, saved, { weights: rows })
      expect(plain(dx.data.subarray(2, 4)), label(setting)).toEqual([0, 0])
      expect([...dx.data, ...dgamma].every(Number.isFinite)).toBe(true)
      expect([...dbeta]).toEqual([6, 4])
    }
  }
})

test("a NaN that has weight stays in its channel", () => {
  for (const setting of everywhere) {
    for (const [shape, axis, own, channelOf] of [
      [[4, 3], 1, [4, 1], (at: number) => at % 3],
      [[3, 4], 0, [4], (at: number) => Math.floor(at / 4)],
    ] as const) {
      const weights = { data: [1, 0, 2, 1], shape: own }
      const all = broadcast(weights, shape)
      const sick = all.findIndex((weight, at) => weight > 0 && channelOf(at) === 1)
      const run = (value: number | undefined) => {
        const x = place(
          setting,
          shape,
          numbers(12).map((each, at) => (at === sick && value !== undefined ? value : each)),
        )
        const { y, saved } = forward(x, { axis, weights })
        return { y, saved, ...backward(place(setting, shape, numbers(12, 5)), x, saved, { weights }) }
      }
      const clean = run(undefined)
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const { y, saved, dx, dgamma } = run(value)
        expect([saved.mean[1], saved.variance[1], dgamma[1]]).toEqual([Number.NaN, Number.NaN, Number.NaN])
        for (const at of all.keys()) {
          if (channelOf(at) !== 1) expect([y.data[at], dx.data[at]]).toEqual([clean.y.data[at], clean.dx.data[at]])
          else expect([y.data[at], dx.data[at]! + 0]).toEqual([Number.NaN, all[at] === 0 ? 0 : Number.NaN])
        }
        expect([saved.mean[0], saved.variance[2]]).toEqual([clean.saved.mean[0], clean.saved.variance[2]])
      }
    }
  }
})

test("one element that counts is a channel of one", () => {
  for (const setting of everywhere) {
    for (const at of [0, 1, 2, 3]) {
      const weights = { data: [0, 1, 2, 3].map((row) => row === at), shape: [4, 1] }
      const x = place(setting, [4, 2], numbers(8))
      const { y, saved } = forward(x, { weights, beta: [5, 6], epsilon: 0 })
      expect([...saved.mean]).toEqual(numbers(8).slice(2 * at, 2 * at + 2))
      expect([...saved.variance, ...saved.count]).toEqual([0, 0, 1, 1])
      expect([...y.data.subarray(2 * at, 2 * at + 2)]).toEqual([5, 6])
      expect(plain(backward(x, x, saved, { weights }).dx.data)).toEqual(Array(8).fill(0))
    }
  }
})

test("a mask of its own for each channel tells the channels apart", () => {
  const x = { data: Float64Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2] }
  const weights = { data: [true, false, true, true, false, true], shape: [3, 2] }
  const { saved } = forward(x, { weights })
  expect([[...saved.mean], [...saved.variance], [...saved.count]]).toEqual([
    [2, 5],
    [1, 1],
    [2, 2],
  ])
})
