import { allocate, backward, forward, type Gradients, type NdArray, type Usual } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, keep, label, numbers, place, settings } from "./support/arrays.ts"
import { design, expectedGradients, expectedY, layouts, plain } from "./support/dyadic.ts"

const ordinary = { type: "float32", home: "ordinary" } as const
const zeros = (length: number): Float64Array<ArrayBuffer> => new Float64Array(length)
const bits = ({ data }: NdArray) => [...new Uint8Array(data.slice().buffer)]

function expectGradients(
  { dx, dgamma, dbeta }: Pick<Gradients, Usual>,
  due: ReturnType<typeof expectedGradients>,
  hint: string,
) {
  expect(plain(dx.data), hint).toEqual(plain(due.dx))
  expect(plain(dgamma), hint).toEqual(plain(due.dgamma))
  expect(plain(dbeta), hint).toEqual(plain(due.dbeta))
}

describe.each(layouts)("on $name", (layout) => {
  const { shape, axis } = layout
  const made = design(layout)
  const { gamma, beta, mean, variance } = made
  const options = { gamma, beta, axis, epsilon: 0 }

  test("the gradients are those of the closed form", () => {
    for (const setting of everywhere) {
      const x = place(setting, shape, made.x)
      const dy = place(setting, shape, made.dy)
      const result = backward(dy, x, forward(x, options).saved)
      expect(result.dx.shape).toEqual(shape)
      expectGradients(result, expectedGradients(made, made.dy), label(setting))
      expect([...x.data]).toEqual([...made.x])
      expect([...dy.data]).toEqual([...made.dy])
    }
  })

  test("after a ReLU, dy counts where y is above 0", () => {
    const y = expectedY(made)
    const slope = made.dy.map((value, at) => (y[at]! > 0 ? value : 0))
    for (const setting of everywhere) {
      const x = place(setting, shape, made.x)
      const dy = place(setting, shape, made.dy)
      const { saved } = forward(x, { ...options, activation: "relu" })
      expectGradients(backward(dy, x, saved), expectedGradients(made, slope), label(setting))
    }
  })

  test("by statistics that were given, they are constants", () => {
    for (const setting of everywhere) {
      const x = place(setting, shape, made.x)
      const dy = place(setting, shape, made.dy)
      const { saved } = forward(x, { ...options, mean, variance })
      expectGradients(backward(dy, x, saved), expectedGradients(made, made.dy, true), label(setting))
    }
  })

  test("dx may be written over dy, over x, or into another array, with the same bits", () => {
    const values = numbers(made.x.length)
    const slopes = numbers(made.x.length, 5)
    for (const setting of everywhere) {
      const saved = forward(place(setting, shape, values), options).saved
      const make = () => [place(setting, shape, values), place(setting, shape, slopes)] as const
      const [x, dy] = make()
      const due = backward(dy, x, saved)
      for (const { home } of settings("ordinary", "resident")) {
        const dx = place({ type: setting.type, home }, shape, values)
        const result = backward(dy, x, saved, { out: { dx } })
        expect(result.dx).toBe(dx)
        expect(bits(dx), label(setting)).toEqual(bits(due.dx))
      }
      const [overX, keptDy] = make()
      expect(backward(keptDy, overX, saved, { out: { dx: overX } })).toMatchObject({ dbeta: due.dbeta, dx: overX })
      expect(bits(overX), label(setting)).toEqual(bits(due.dx))
      expect([...keptDy.data]).toEqual(slopes)
      const [keptX, overDy] = make()
      expect(backward(overDy, keptX, saved, { out: { dx: overDy } })).toMatchObject({ dgamma: due.dgamma, dx: overDy })
      expect(bits(overDy), label(setting)).toEqual(bits(due.dx))
      expect([...keptX.data]).toEqual(values)
    }
  })
})

test("dy may be x itself", () => {
  for (const setting of everywhere) {
    const x = place(setting, [4, 3], numbers(12))
    const { saved } = forward(x)
    const due = backward(place(setting, [4, 3], numbers(12)), x, saved)
    expect(backward(x, x, saved)).toEqual(due)
    expect([...x.data]).toEqual(numbers(12))
    backward(x, x, saved, { out: { dx: x } })
    expect(bits(x)).toEqual(bits(due.dx))
  }
})

describe("need", () => {
  const x = place(ordinary, [4, 3], numbers(12))
  const dy = place(ordinary, [4, 3], numbers(12, 5))
  const { saved } = forward(x, { gamma: [1, 2, 3] })
  const all = backward(dy, x, saved)
  const given = forward(x, { mean: [0, 0, 0], variance: [1, 1, 1] }).saved

  test("names what is returned, no more", () => {
    expect(Object.keys(all)).toEqual(["dx", "dgamma", "dbeta"])
    for (const need of [["dx"], ["dgamma"], ["dbeta"], ["dgamma", "dbeta"], ["dbeta", "dx"], []] as const) {
      const result = backward(dy, x, saved, { need })
      expect(Object.keys(result)).toEqual([...need])
      expect(all).toMatchObject(result)
    }
    expect(backward(dy, x, saved, { need: undefined })).toEqual(all)
    expect(backward(dy, x, given, { need: ["dx"] }).dx).toEqual(backward(dy, x, given).dx)
  })

  test("says what of out is written", () => {
    const out = { dx: place(ordinary, [4, 3], numbers(12)), dgamma: zeros(3), dbeta: zeros(3).fill(7) }
    backward(dy, x, saved, { need: ["dgamma"], out })
    expect([...out.dx.data]).toEqual(numbers(12))
    expect([...out.dbeta]).toEqual([7, 7, 7])
    expect(out.dgamma).toEqual(all.dgamma)
  })
})

describe("out", () => {
  const x = place(ordinary, [4, 3], numbers(12))
  const dy = place(ordinary, [4, 3], numbers(12, 5))
  const { saved } = forward(x)
  const all = backward(dy, x, saved)

  test("whole is filled, and its arrays are the result", () => {
    const out = { dx: place(ordinary, [4, 3], numbers(12)), dgamma: zeros(3), dbeta: zeros(3) }
    const result = backward(dy, x, saved, { out })
    expect(result).toEqual(all)
    for (const name of ["dx", "dgamma", "dbeta"] as const) expect(result[name]).toBe(out[name])
  })

  test("in part is filled and is part of the result", () => {
    for (const out of [{ dx: place(ordinary, [4, 3], numbers(12)) }, { dgamma: zeros(3) }, { dbeta: zeros(3) }, {}]) {
      const result = backward(dy, x, saved, { out })
      expect(result).toEqual(all)
      for (const [name, array] of Object.entries(out)) expect(result[name as keyof typeof out]).toBe(array)
    }
  })

  test("may lie on the library's memory", () => {
    const dgamma = keep(allocate([3], "float64")).data
    const dx = keep(allocate([4, 3]))
    const result = backward(dy, x, saved, { out: { dx, dgamma } })
    expect(result.dgamma).toBe(dgamma)
    expect([...dgamma]).toEqual([...all.dgamma])
    expect([...dx.data]).toEqual([...all.dx.data])
  })

  test("absent, the results are ordinary arrays that the caller owns", () => {
    for (const setting of everywhere) {
      const array = place(setting, [4, 3], numbers(12))
      const { dx, dgamma, dbeta } = backward(array, array, saved)
      expect(dx.data.constructor).toBe(array.data.constructor)
      expect(new Set([dx.data.buffer, dgamma.buffer, dbeta.buffer, array.data.buffer]).size).toBe(4)
      for (const data of [dx.data, dgamma, dbeta]) {
        expect(data.buffer).toBeInstanceOf(ArrayBuffer)
        expect(data.buffer.byteLength).toBe(data.byteLength)
      }
    }
  })
})

test("a constant channel has no gradient with respect to x, even with ε = 0", () => {
  for (const setting of everywhere) {
    const x = place(setting, [4, 1], [7, 7, 7, 7])
    const { saved } = forward(x, { epsilon: 0, gamma: [3] })
    const { dx, dgamma, dbeta } = backward(place(setting, [4, 1], [1, 2, 3, 4]), x, saved)
    expect([plain(dx.data), [...dgamma], [...dbeta]]).toEqual([[0, 0, 0, 0], [0], [10]])
  }
})

test("one element per channel has no gradient with respect to x", () => {
  for (const setting of everywhere) {
    const x = place(setting, [1, 3], [4, 5, 6])
    const { dx, dgamma, dbeta } = backward(place(setting, [1, 3], [1, 2, 3]), x, forward(x).saved)
    expect([plain(dx.data), plain(dgamma), [...dbeta]]).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [1, 2, 3],
    ])
  }
})

test("a NaN in dy stays in its channel", () => {
  for (const setting of everywhere) {
    const x = place(setting, [4, 3], numbers(12))
    const { saved } = forward(x)
    const clean = backward(place(setting, [4, 3], numbers(12, 5)), x, saved)
    const slopes = numbers(12, 5)
    slopes[4] = Number.NaN
    const { dx, dgamma, dbeta } = backward(place(setting, [4, 3], slopes), x, saved)
    expect([dgamma[1], dbeta[1]]).toEqual([Number.NaN, Number.NaN])
    for (const [at, value] of dx.data.entries()) {
      if (at % 3 === 1) expect(value).toBeNaN()
      else expect(value).toBe(clean.dx.data[at])
    }
    expect([dgamma[0], dgamma[2]]).toEqual([clean.dgamma[0], clean.dgamma[2]])
  }
})

test("gradients agree with finite differences in f64", () => {
  const shape = [6, 2, 3]
  const values = numbers(36).map((value) => value / 4)
  const weights = numbers(36, 7)
  const gamma = [0.75, -1.5]
  const beta = [0.3, 0.2]
  for (const activation of [null, "relu"] as const) {
    const loss = (data: ArrayLike<number>, g: number[], b: number[]) => {
      const { y } = forward({ data: Float64Array.from(data), shape }, { axis: 1, gamma: g, beta: b, activation })
      return y.data.reduce((sum, value, at) => sum + value * weights[at]!, 0)
    }
    const x = { data: Float64Array.from(values), shape }
    const { saved } = forward(x, { axis: 1, gamma, beta, activation })
    const { dx, dgamma, dbeta } = backward({ data: Float64Array.from(weights), shape }, x, saved)
    const step = 2 ** -17
    const slope = (at: number, list: number[], run: (moved: number[]) => number) => {
      const moved = (by: number) => run(list.map((value, index) => value + (index === at ? by : 0)))
      return (moved(step) - moved(-step)) / (2 * step)
    }
    for (const at of values.keys()) {
      expect(dx.data[at]).toBeCloseTo(
        slope(at, values, (moved) => loss(moved, gamma, beta)),
        6,
      )
    }
    for (const at of [0, 1]) {
      expect(dgamma[at]).toBeCloseTo(
        slope(at, gamma, (moved) => loss(values, moved, beta)),
        6,
      )
      expect(dbeta[at]).toBeCloseTo(
        slope(at, beta, (moved) => loss(values, gamma, moved)),
        6,
      )
    }
  }
})

test("a residual without a ReLU is not looked for, whatever array another call had", () => {
  for (const setting of settings("ordinary", "resident")) {
    const [x, dy] = [place(setting, [100, 5], numbers(500)), place(setting, [100, 5], numbers(500, 5))]
    const { saved } = forward(x, { residual: dy })
    const small = place(setting, [2, 1], [1, 2])
    forward(small, { residual: small })
    const { dresidual } = backward(dy, x, saved, { need: ["dresidual"] })
    expect(bits(dresidual)).toEqual(bits(dy))
  }
})
