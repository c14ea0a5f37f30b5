import { backward, forward, type Gradients, type NdArray } from "batchnorm"
import { describe, expect, test } from "vitest"
import { firstDifference } from "../support/numerics-arrays.ts"
import { everywhere, label, numbers, place, product, type Setting, somewhere } from "./support/arrays.ts"
import { layouts } from "./support/dyadic.ts"
import { expectNear } from "./support/near.ts"
import { parametersOf, weightsBeside } from "./support/weights.ts"

const names = ["dx", "dgamma", "dbeta", "dmean", "dvariance", "dresidual"] as const

const subsets = Array.from({ length: 2 ** names.length }, (_, which) => names.filter((_, bit) => (which >> bit) % 2))

const dataOf = (result: NdArray | Float64Array) => ("data" in result ? result.data : result)
/** The elements, so that results of any kind compare alike. */
const elementsOf = (result: NdArray | Float64Array) => [...dataOf(result)]
const elementsOfAll = (results: Partial<Gradients>) =>
  Object.fromEntries(Object.entries(results).map(([name, result]) => [name, elementsOf(result)]))

const operands = [
  { weighted: false, activation: null },
  { weighted: false, activation: "relu" },
  { weighted: true, activation: null },
  { weighted: true, activation: "relu" },
] as const

describe.each(layouts)("on $name", (layout) => {
  const { shape, axis } = layout
  const length = product(shape)
  const channels = product(axis.map((each) => shape[each]!))
  const given = {
    mean: Array.from({ length: channels }, (_, channel) => (channel % 5) - 2),
    variance: Array.from({ length: channels }, (_, channel) => 1 + (channel % 7)),
  }

  /** All that backward takes, of statistics that are given or the batch's. */
  const make = (setting: Setting, isGiven: boolean, { weighted, activation }: (typeof operands)[number]) => {
    const [x, dy] = [place(setting, shape, numbers(length)), place(setting, shape, numbers(length, 5))]
    const residual = place(setting, shape, numbers(length, 9))
    const options = { residual, weights: weighted ? weightsBeside(layout, shape) : null }
    const { saved } = forward(x, {
      ...{ axis, activation, epsilon: 0.01 },
      ...parametersOf(channels),
      ...options,
      ...(isGiven ? given : {}),
    })
    return { x, dy, saved, options }
  }

  test.each(operands)("any of the gradients are those of all of them: weights $weighted, $activation", (operand) => {
    for (const setting of somewhere) {
      for (const isGiven of [true, false]) {
        const { x, dy, saved, options } = make(setting, isGiven, operand)
        const possible = names.filter((name) => isGiven || (name !== "dmean" && name !== "dvariance"))
        const all = backward(dy, x, saved, { ...options, need: possible })
        for (const need of subsets.filter((subset) => subset.every((name) => possible.includes(name)))) {
          const got = backward(dy, x, saved, { ...options, need })
          expect(Object.keys(got), label(setting)).toEqual(need)
          for (const name of need) {
            expect(firstDifference(dataOf(got[name]), dataOf(all[name])), `${name} of ${need}`).toBe(-1)
          }
        }
        expect(elementsOfAll(backward(dy, x, saved, options))).toEqual(
          elementsOfAll(backward(dy, x, saved, { ...options, need: ["dx", "dgamma", "dbeta"] })),
        )
      }
    }
  })

  test("dmean and dvariance are the slopes of the sum of dy·y in f64", () => {
    const setting = { type: "float64", home: "ordinary" } as const
    for (const operand of operands.filter(({ activation }) => activation === null)) {
      const { x, dy, saved, options } = make(setting, true, operand)
      const { dmean, dvariance } = backward(dy, x, saved, { ...options, need: ["dmean", "dvariance"] })
      const counts = options.weights?.data
      const step = 2 ** -12
      const slopeOf = (name: "mean" | "variance") =>
        Array.from({ length: channels }, (_, channel) => {
          const loss = (by: number) => {
            const moved = { ...given, [name]: given[name].map((value, at) => value + (at === channel ? by : 0)) }
            const { y } = forward(x, { ...saved, ...moved, residual: options.residual })
            return [...y.data].reduce((sum, value, at) => sum + (counts?.[at] === 0 ? 0 : value * dy.data[at]!), 0)
          }
          return (loss(step) - loss(-step)) / (2 * step)
        })
      expectNear(dmean, slopeOf("mean"), 1e-6, "dmean")
      expectNear(dvariance, slopeOf("variance"), 1e-6, "dvariance")
    }
  })
})

const shape = [4, 3]
const array = (seed: number): NdArray<Float32Array> => ({ data: Float32Array.from(numbers(12, seed)), shape })
const [x, dy, residual] = [array(0), array(5), array(9)]
const statistics = { mean: [0, 1, 2], variance: [1, 2, 3] }
const { saved } = forward(x, { ...statistics, gamma: [1, -2, 3], residual, activation: "relu" })
const all = backward(dy, x, saved, { need: names, residual })
const fresh = (): Gradients<NdArray<Float32Array>> => ({
  ...{ dx: array(1), dresidual: array(2) },
  ...{ dgamma: new Float64Array(3), dbeta: new Float64Array(3) },
  ...{ dmean: new Float64Array(3), dvariance: new Float64Array(3) },
})

describe("need", () => {
  test("is dx, dgamma and dbeta unless it is given", () => {
    for (const options of [{ residual }, { residual, need: undefined }]) {
      expect(Object.keys(backward(dy, x, saved, options))).toEqual(["dx", "dgamma", "dbeta"])
    }
    const plain = forward(x).saved
    for (const options of [undefined, {}, { need: undefined, out: undefined }]) {
      expect(Object.keys(backward(dy, x, plain, options))).toEqual(["dx", "dgamma", "dbeta"])
    }
  })

  test("may be in any order, and the result is in that", () => {
    for (const need of [["dresidual", "dx"], ["dvariance", "dbeta", "dmean"], [...names].reverse()] as const) {
      const got = backward(dy, x, saved, { need, residual })
      expect(Object.keys(got)).toEqual([...need])
      expect(all).toMatchObject(got)
    }
  })

  test("may be empty: nothing is computed or written", () => {
    const out = fresh()
    const before = elementsOfAll(out)
    expect(backward(dy, x, saved, { need: [], residual, out })).toEqual({})
    expect(elementsOfAll(out)).toEqual(before)
  })

  test("is left as it was", () => {
    const need = Object.freeze(["dmean", "dx"] as const)
    expect(Object.keys(backward(dy, x, saved, { need, residual }))).toEqual(["dmean", "dx"])
  })
})

describe("out", () => {
  test("whole is filled, and each result is the array given", () => {
    const out = fresh()
    const got = backward(dy, x, saved, { need: names, residual, out })
    for (const name of names) expect(got[name], name).toBe(out[name])
    expect(got).toEqual(all)
  })

  test("in part is filled, and the rest is made", () => {
    for (const part of subsets) {
      const whole = fresh()
      const out = Object.fromEntries(part.map((name) => [name, whole[name]]))
      const got = backward(dy, x, saved, { need: names, residual, out })
      expect(got).toEqual(all)
      for (const name of names) expect(Object.values(out).includes(got[name]), name).toBe(part.includes(name))
    }
  })

  test("of what was not asked for is left as it was", () => {
    for (const need of subsets) {
      const out = fresh()
      const before = elementsOfAll(out)
      const got = backward(dy, x, saved, { need, residual, out })
      expect(new Set(Object.keys(got))).toEqual(new Set(need))
      for (const name of names) {
        const due = need.includes(name) ? elementsOf(all[name]) : before[name]
        expect(elementsOf(out[name]), `${name} beside ${need}`).toEqual(due)
      }
    }
  })
})

test("results that are not given lie on buffers of their own", () => {
  for (const setting of everywhere) {
    const [x, dy, residual] = [0, 5, 9].map((seed) => place(setting, shape, numbers(12, seed))) as [
      NdArray,
      NdArray,
      NdArray,
    ]
    const { saved } = forward(x, { ...statistics, residual })
    const { dx, dresidual, ...vectors } = backward(dy, x, saved, { need: names })
    for (const result of [dx, dresidual]) {
      expect(result.data.constructor).toBe(x.data.constructor)
      expect([result.shape, result.data.buffer.byteLength]).toEqual([shape, result.data.byteLength])
    }
    const buffers = [dx.data, dresidual.data, ...Object.values(vectors)].map(({ buffer }) => buffer)
    expect(new Set(buffers).size).toBe(6)
    for (const { data } of [x, dy, residual]) expect(buffers).not.toContain(data.buffer)
    for (const buffer of buffers) expect(buffer).toBeInstanceOf(ArrayBuffer)
  }
})

test("dmean and dvariance of a channel without variance or ε are 0, as dx is", () => {
  for (const activation of [null, "relu"] as const) {
    const { saved } = forward(x, { mean: [1, 2, 3], variance: [0, 4, 0], epsilon: 0, activation, beta: [1, 1, 1] })
    const { dx, dmean, dvariance } = backward(dy, x, saved, { need: ["dx", "dmean", "dvariance"] })
    expect([dmean[0], dmean[2], dvariance[0], dvariance[2]]).toEqual([0, 0, 0, 0])
    expect([...dx.data].filter((_, at) => at % 3 !== 1).map((value) => value + 0)).toEqual(Array(8).fill(0))
    expect(dmean[1]).not.toBe(0)
  }
})
