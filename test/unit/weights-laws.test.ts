// What weights mean, said by calls without them.
import { backward, forward, infer, moments, type Weights } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, label, numbers, place, product, type Setting, settings, somewhere } from "./support/arrays.ts"
import { type Layout, layouts, plain } from "./support/dyadic.ts"
import { broadcast, groups } from "./support/naive.ts"
import { bits, expectNear, tolerance } from "./support/near.ts"
import { slopes } from "./support/textbook.ts"
import { parametersOf, reducedOf, shapesBeside, weightsBeside } from "./support/weights.ts"

/** All that weights have a part in. */
function run(layout: Layout, setting: Setting, weights?: Weights) {
  const { shape, axis } = layout
  const [x, dy] = [place(setting, shape, numbers(product(shape))), place(setting, shape, numbers(product(shape), 5))]
  const parameters = parametersOf(product(axis.map((each) => shape[each]!)))
  const { mean, variance } = moments(x, reducedOf(layout), { weights })
  const { y, saved } = forward(x, { axis, ...parameters, weights })
  const { dx, dgamma, dbeta } = backward(dy, x, saved, { weights })
  const { count, ...rest } = saved
  return { count, mean, variance, y, saved: rest, dx, dgamma, dbeta }
}

describe.each(layouts)("on $name", (layout) => {
  const { shape, axis } = layout
  const reduced = reducedOf(layout)
  const places = groups(shape, reduced)

  test("weights that are all the same are no weights, but for the count", () => {
    for (const setting of somewhere) {
      const within = tolerance[setting.type]
      const due = run(layout, setting)
      for (const own of shapesBeside(shape)) {
        for (const weight of [true, 3, 0.1]) {
          const got = run(layout, setting, { data: Array(product(own)).fill(weight), shape: own })
          const hint = `${weight}, ${label(setting)}`
          expectNear(got.mean.data, due.mean.data, setting.type === "float32" ? 1e-6 : 1e-13, hint)
          expectNear(got.variance.data, due.variance.data, setting.type === "float32" ? 1e-6 : 1e-13, hint)
          expectNear(got.y.data, due.y.data, within, hint)
          expectNear(got.dx.data, due.dx.data, within, hint)
          expectNear(got.dgamma, due.dgamma, within, hint)
          expect(got.dbeta, hint).toEqual(due.dbeta)
          expectNear(
            got.count,
            due.count.map((count) => count * Number(weight)),
            1e-14,
            hint,
          )
        }
      }
    }
  })

  test("weights times a power of two give the same bits, and that many times the count", () => {
    for (const setting of somewhere) {
      for (const own of shapesBeside(shape)) {
        const { data } = weightsBeside(layout, own)
        const due = run(layout, setting, { data, shape: own })
        for (const factor of [2 ** -900, 2, 2 ** 900]) {
          const got = run(layout, setting, { data: data.map((weight) => weight * factor), shape: own })
          expect(got, `2^${Math.log2(factor)}`).toEqual({ ...due, count: due.count.map((count) => count * factor) })
        }
      }
    }
  })

  test("a whole weight is that many elements more", () => {
    for (const own of shapesBeside(shape)) {
      const half = weightsBeside(layout, own)
      const weights = { data: half.data.map((weight) => weight * 4), shape: own }
      const all = broadcast(weights, shape)
      const x = numbers(product(shape))
      for (const setting of somewhere) {
        const { mean, variance, count } = run(layout, setting, weights)
        for (const [channel, each] of places.entries()) {
          const repeated = each.flatMap((at) => Array<number>(all[at]!).fill(x[at]!))
          const due = moments(place({ type: "float64", home: "ordinary" }, [repeated.length], repeated))
          const got = [mean.data[channel]!, variance.data[channel]!]
          expectNear(got, [due.mean.data[0]!, due.variance.data[0]!], 1e-13, `${own}, ${label(setting)}`)
          expect(count[channel]).toBe(repeated.length)
        }
      }
    }
  })

  test("an element of weight 3 has the y of three, and what arrives at them has the same gradients", () => {
    const long = reduced.find((each) => shape[each]! > 1)!
    const own = shape.map((size, index) => (index === long ? size : 1))
    const data = Array.from({ length: shape[long]! }, (_, index) => [2, 0, 1, 3][index % 4]!)
    const copies = data.flatMap((weight, index) => Array<number>(weight).fill(index))
    const more = shape.with(long, copies.length)
    // Of each element of the longer array, the place in the other.
    const inner = product(shape.slice(long + 1))
    const source = Array.from({ length: product(more) }, (_, at) => {
      const [outer, index] = [Math.floor(at / inner / copies.length), Math.floor(at / inner) % copies.length]
      return (outer * shape[long]! + copies[index]!) * inner + (at % inner)
    })
    const weights = { data, shape: own }
    const all = broadcast(weights, shape)
    const [x, dy] = [numbers(product(shape)), numbers(product(shape), 5)]
    for (const setting of settings("ordinary", "resident")) {
      const within = tolerance[setting.type]
      const parameters = { axis, ...parametersOf(places.length) }
      const longX = place(
        setting,
        more,
        source.map((at) => x[at]!),
      )
      const longDy = place(
        setting,
        more,
        source.map((at) => dy[at]! / all[at]!),
      )
      const due = forward(longX, parameters)
      const dueGradients = backward(longDy, longX, due.saved)
      const [shortX, shortDy] = [place(setting, shape, x), place(setting, shape, dy)]
      const { y, saved } = forward(shortX, { ...parameters, weights })
      const gradients = backward(shortDy, shortX, saved, { weights })
      expectNear(
        source.map((at) => y.data[at]!),
        due.y.data,
        within,
        label(setting),
      )
      const dx = new Float64Array(x.length)
      for (const [index, at] of source.entries()) dx[at]! += dueGradients.dx.data[index]!
      expectNear(gradients.dx.data, dx, 2 * within, label(setting))
      expectNear(gradients.dgamma, dueGradients.dgamma, within, label(setting))
      expectNear(gradients.dbeta, dueGradients.dbeta, within, label(setting))
    }
  })

  test("two elements that count give numbers without rounding, wherever they lie", () => {
    const [x, weights] = [new Float64Array(product(shape)).fill(Number.NaN), new Float64Array(product(shape))]
    const due = places.map((each, channel) => {
      const at = [(channel * 3) % each.length, (channel * 5 + 1) % each.length]
      if (at[0] === at[1]) at[1] = (at[0]! + 1) % each.length
      const share = [
        [1, 1],
        [1, 3],
        [7, 1],
        [0.5, 1.5],
      ][channel % 4]!
      const values = [((channel * 37) % 41) / 8 - 2, ((channel * 29) % 43) / 4 - 3]
      for (const side of [0, 1]) {
        x[each[at[side]!]!] = values[side]!
        weights[each[at[side]!]!] = share[side]!
      }
      const total = share[0]! + share[1]!
      const distance = values[0]! - values[1]!
      return {
        mean: (values[0]! * share[0]! + values[1]! * share[1]!) / total,
        variance: (share[0]! * share[1]! * distance ** 2) / total ** 2,
        total,
      }
    })
    for (const setting of everywhere) {
      const array = place(setting, shape, x)
      const { mean, variance } = moments(array, reduced, { weights: { data: weights, shape } })
      expect(plain(mean.data), label(setting)).toEqual(due.map((each) => each.mean))
      expect(plain(variance.data), label(setting)).toEqual(due.map((each) => each.variance))
      const { saved } = forward(array, { axis, weights: { data: weights, shape } })
      expect([saved.mean, saved.variance]).toEqual([mean.data, variance.data])
      expect([...saved.count]).toEqual(due.map((each) => each.total))
    }
  })

  test("by statistics that are given, weights change nothing but the count and what goes back", () => {
    const [x, dy] = [numbers(product(shape)), numbers(product(shape), 5)]
    const given = {
      mean: places.map((_, channel) => ((channel * 3) % 7) / 2 - 1),
      variance: places.map((_, channel) => ((channel * 5) % 11) + 0.5),
    }
    const options = { axis, epsilon: 0.01, ...parametersOf(places.length), ...given }
    for (const own of shapesBeside(shape)) {
      const weights = weightsBeside(layout, own)
      const all = broadcast(weights, shape)
      for (const setting of somewhere) {
        for (const relu of [false, true]) {
          const activation = relu ? ("relu" as const) : null
          const [array, slope] = [place(setting, shape, x), place(setting, shape, dy)]
          const due = forward(array, { ...options, activation })
          const { y, saved } = forward(array, { ...options, activation, weights })
          expect(bits(y), label(setting)).toEqual(bits(due.y))
          expect(bits(infer(array, saved))).toEqual(bits(y))
          const count = Float64Array.from(places, (each) => each.reduce((total, at) => total + all[at]!, 0))
          expect(saved).toEqual({ ...due.saved, count, hasWeights: true })
          const need = ["dx", "dgamma", "dbeta", "dmean", "dvariance"] as const
          const got = backward(slope, array, saved, { need, weights })
          const problem = { shape, axis, x, epsilon: 0.01, ...parametersOf(places.length), given, relu, weights: all }
          const gradients = slopes(problem, dy)
          const within = tolerance[setting.type]
          expectNear(got.dx.data, gradients.dx, within, `dx, ${label(setting)}`)
          for (const name of need.slice(1)) expectNear(got[name as "dmean"], gradients[name], within, name)
        }
      }
    }
  })
})

test("by statistics that are given, no element of a channel has to count", () => {
  for (const setting of everywhere) {
    const x = place(setting, [3, 2], numbers(6))
    const given = { mean: [1, 2], variance: [3, 4] }
    for (const weights of [[0, 1], { data: Array<boolean>(3).fill(false), shape: [3, 1] }]) {
      const { y, saved } = forward(x, { ...given, weights })
      expect(bits(y)).toEqual(bits(infer(x, given)))
      const { dx, dgamma, dbeta } = backward(x, x, saved, { weights })
      expect([saved.count[0], dgamma[0], dbeta[0]]).toEqual([0, 0, 0])
      expect(plain(dx.data).filter((_, at) => at % 2 === 0)).toEqual([0, 0, 0])
    }
  }
})
