import { backward, forward, infer, type NdArray, type Saved } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, label, numbers, place, product, type Setting, settings, somewhere } from "./support/arrays.ts"
import { design, expectedGradients, expectedY, layouts, plain } from "./support/dyadic.ts"
import { bits, expectNear, tolerance } from "./support/near.ts"
import { slopes, solve } from "./support/textbook.ts"
import { weightsBeside } from "./support/weights.ts"

const activations = [null, "relu"] as const

/** Multiples of 1/4, so that sums with a design's y are exact. */
const quarters = (length: number, seed = 0): number[] => numbers(length, seed).map((value) => Math.round(value * 4) / 4)

describe.each(layouts)("on $name", (layout) => {
  const { shape, axis } = layout
  const due = design(layout)
  const { gamma, beta, mean, variance } = due
  const length = due.x.length
  const added = quarters(length, 3)
  const z = expectedY(due).map((value, at) => value + added[at]!)
  const options = { gamma, beta, axis, epsilon: 0 }

  test("forward adds the residual, then takes what is above 0", () => {
    for (const setting of everywhere) {
      const [x, residual] = [place(setting, shape, due.x), place(setting, shape, added)]
      const linear = forward(x, { ...options, residual })
      expect(linear.y.shape).toEqual(shape)
      expect(plain(linear.y.data), label(setting)).toEqual(plain(z))
      const rectified = forward(x, { ...options, residual, activation: "relu" })
      expect([...rectified.y.data], label(setting)).toEqual(z.map((value) => Math.max(0, value)))
      expect([[...x.data], [...residual.data]]).toEqual([[...due.x], added])
    }
  })

  test("statistics are those of x alone, and what is saved says that there was a residual", () => {
    for (const setting of everywhere) {
      const [x, residual] = [place(setting, shape, due.x), place(setting, shape, added)]
      const { saved } = forward(x, { ...options, residual })
      expect(saved).toEqual({ ...forward(x, options).saved, hasResidual: true })
    }
  })

  test("infer, and forward by given statistics, add it likewise", () => {
    for (const activation of activations) {
      for (const setting of everywhere) {
        const [x, residual] = [place(setting, shape, due.x), place(setting, shape, added)]
        const given = { ...options, mean, variance, activation, residual }
        const y = infer(x, given)
        expect(plain(y.data), label(setting)).toEqual(plain(activation ? z.map((value) => Math.max(0, value)) : z))
        const frozen = forward(x, given)
        expect(bits(frozen.y)).toEqual(bits(y))
        expect([frozen.saved.frozen, frozen.saved.hasResidual]).toEqual([true, true])
      }
    }
  })

  test("what forward saved and the residual are options for infer, and give the bits of y", () => {
    for (const activation of activations) {
      for (const setting of everywhere) {
        const [x, residual] = [place(setting, shape, numbers(length)), place(setting, shape, numbers(length, 3))]
        const { y, saved } = forward(x, { gamma, beta, axis, activation, residual })
        expect(bits(infer(x, { ...saved, residual })), label(setting)).toEqual(bits(y))
        expect(bits(infer(x, saved))).toEqual(bits(infer(x, { ...saved, residual: null })))
      }
    }
  })

  test("backward lets dy through where the sum was above 0, and that is dresidual", () => {
    const need = ["dx", "dgamma", "dbeta", "dresidual"] as const
    for (const activation of activations) {
      const slope = due.dy.map((value, at) => (activation && !(z[at]! > 0) ? 0 : value))
      for (const given of [{}, { mean, variance }]) {
        const gradients = expectedGradients(due, slope, "mean" in given)
        for (const setting of everywhere) {
          const hint = label(setting)
          const [x, residual] = [place(setting, shape, due.x), place(setting, shape, added)]
          const dy = place(setting, shape, due.dy)
          const { saved } = forward(x, { ...options, ...given, activation, residual })
          const got = backward(dy, x, saved, { residual, need })
          expect(got.dresidual.shape).toEqual(shape)
          expect(plain(got.dresidual.data), hint).toEqual(plain(slope))
          expect(plain(got.dx.data), hint).toEqual(plain(gradients.dx))
          expect(plain(got.dgamma), hint).toEqual(plain(gradients.dgamma))
          expect(plain(got.dbeta), hint).toEqual(plain(gradients.dbeta))
          for (const [array, values] of [
            [x, due.x],
            [dy, due.dy],
            [residual, added],
          ] as const) {
            expect([...array.data], "inputs are left as they were").toEqual([...values])
          }
        }
      }
    }
  })

  test("with weights, dresidual is 0 where they are", () => {
    const weights = weightsBeside(layout, shape)
    const need = ["dx", "dgamma", "dbeta", "dresidual"] as const
    const [x, dy, residual] = [numbers(length), numbers(length, 5), numbers(length, 9)]
    for (const activation of activations) {
      const problem = {
        shape,
        axis,
        x,
        epsilon: 0.01,
        gamma,
        beta,
        weights: weights.data,
        residual,
        relu: activation !== null,
      }
      const expected = { ...solve(problem), ...slopes(problem, dy) }
      for (const setting of settings("ordinary", "resident")) {
        const within = tolerance[setting.type]
        const [array, slope] = [place(setting, shape, x), place(setting, shape, dy)]
        const operands = { weights, residual: place(setting, shape, residual) }
        const { y, saved } = forward(array, { gamma, beta, axis, epsilon: 0.01, activation, ...operands })
        expectNear(y.data, expected.y, within, label(setting))
        const got = backward(slope, array, saved, { ...operands, need })
        expectNear(got.dx.data, expected.dx, within, label(setting))
        expectNear(got.dgamma, expected.dgamma, within, label(setting))
        expectNear(got.dbeta, expected.dbeta, within, label(setting))
        expect(plain(got.dresidual.data), label(setting)).toEqual(plain(expected.dresidual))
      }
    }
  })

  test("y may be written over x or, without a ReLU, over the residual, with the same bits", () => {
    for (const setting of everywhere) {
      const make = () =>
        ({ x: place(setting, shape, numbers(length)), residual: place(setting, shape, numbers(length, 3)) }) as const
      for (const activation of activations) {
        const fresh = make()
        const due = forward(fresh.x, { gamma, beta, axis, activation, residual: fresh.residual })
        for (const over of activation ? (["x"] as const) : (["x", "residual"] as const)) {
          const { x, residual } = make()
          const out = { x, residual }[over]
          const { y, saved } = forward(x, { gamma, beta, axis, activation, residual, out: { y: out } })
          expect(y).toBe(out)
          expect(bits(y), `over ${over}, ${label(setting)}`).toEqual(bits(due.y))
          expect(saved).toEqual({ ...due.saved, inPlace: over === "x" })
        }
        const given = { ...due.saved, activation }
        for (const over of ["x", "residual"] as const) {
          const { x, residual } = make()
          const out = { x, residual }[over]
          expect(infer(x, { ...given, residual, out })).toBe(out)
          expect(bits(out), `infer over ${over}, ${label(setting)}`).toEqual(bits(due.y))
        }
      }
    }
  })
})

describe("backward with a residual", () => {
  const need = ["dx", "dgamma", "dbeta", "dresidual"] as const
  const shapes = [
    { shape: [8, 3], axis: [1], own: [8, 1] },
    { shape: [3, 64], axis: [0], own: [64] },
    { shape: [2, 2, 3, 4, 5], axis: [0, 2, 4], own: [2, 1, 4, 1] },
  ]
  const places = ["new", "x", "dy", "residual"] as const
  const targets = places.flatMap((dx) => places.map((dresidual) => ({ dx, dresidual })))

  test.each(targets.filter(({ dx, dresidual }) => dx === "new" || dx !== dresidual))(
    "may write dx over $dx and dresidual over $dresidual",
    (target) => {
      for (const { shape, axis, own } of shapes) {
        const length = product(shape)
        const weights = { data: Array.from({ length: product(own) }, (_, at) => (at * 5) % 4), shape: own }
        for (const operands of [{}, { weights }]) {
          for (const activation of activations) {
            const run = (setting: Setting, target: { dx: string; dresidual: string }) => {
              const arrays: Record<string, NdArray> = {
                x: place(setting, shape, numbers(length)),
                dy: place(setting, shape, numbers(length, 5)),
                residual: place(setting, shape, numbers(length, 9)),
              }
              const { x, dy, residual } = arrays as { x: NdArray; dy: NdArray; residual: NdArray }
              const { saved } = forward(x, { axis, activation, residual, ...operands })
              const out = {
                dx: arrays[target.dx] ?? place(setting, shape, numbers(length, 1)),
                dresidual: arrays[target.dresidual] ?? place(setting, shape, numbers(length, 1)),
              }
              const got = backward(dy, x, saved, { need, residual, ...operands, out })
              expect(got.dx).toBe(out.dx)
              expect(got.dresidual).toBe(out.dresidual)
              for (const [seed, name] of [
                [0, "x"],
                [5, "dy"],
                [9, "residual"],
              ] as const) {
                if (name === target.dx || name === target.dresidual) continue
                expect([...arrays[name]!.data], `${name} is left as it was`).toEqual(numbers(length, seed))
              }
              return { dx: bits(got.dx), dresidual: bits(got.dresidual), dgamma: got.dgamma, dbeta: got.dbeta }
            }
            for (const type of ["float32", "float64"] as const) {
              const due = run({ type, home: "ordinary" }, { dx: "new", dresidual: "new" })
              for (const home of ["ordinary", "resident", "inside a live allocation"] as const) {
                expect(run({ type, home }, target), `${type}, ${home}, ${shape}`).toEqual(due)
              }
            }
          }
        }
      }
    },
  )

  test("computes what the ReLU let through from x and the residual: there is no mask", () => {
    for (const setting of everywhere) {
      const [x, dy] = [place(setting, [8, 3], numbers(24)), place(setting, [8, 3], numbers(24, 5))]
      const residual = place(setting, [8, 3], numbers(24, 9))
      const { saved } = forward(x, { activation: "relu", residual })
      const [low, high] = [-100, 100].map((value) => place(setting, [8, 3], Array(24).fill(value))) as [
        NdArray,
        NdArray,
      ]
      expect(plain(backward(dy, x, saved, { need, residual: low }).dresidual.data)).toEqual(Array(24).fill(0))
      expect([...backward(dy, x, saved, { need, residual: high }).dresidual.data]).toEqual(numbers(24, 5))
    }
  })

  test("does not need it without a ReLU, and takes it all the same", () => {
    for (const setting of everywhere) {
      const [x, dy] = [place(setting, [8, 3], numbers(24)), place(setting, [8, 3], numbers(24, 5))]
      const residual = place(setting, [8, 3], numbers(24, 9))
      const { saved } = forward(x, { residual })
      const due = backward(dy, x, forward(x).saved)
      for (const options of [undefined, { residual: null }, { residual }]) {
        expect(backward(dy, x, saved, options)).toEqual(due)
      }
      const { dresidual } = backward(dy, x, saved, { need: ["dresidual"] })
      expect(bits(dresidual)).toEqual(bits(dy))
      expect(dresidual.data.buffer).not.toBe(dy.data.buffer)
    }
  })
})

test("the residual may be x itself, or dy, in backward too", () => {
  for (const setting of everywhere) {
    for (const activation of activations) {
      const make = () => place(setting, [8, 3], numbers(24))
      const x = make()
      const due = forward(x, { activation, residual: make() })
      const { y, saved } = forward(x, { activation, residual: x })
      expect(bits(y), label(setting)).toEqual(bits(due.y))
      const need = ["dx", "dresidual", "dgamma"] as const
      const gradients = backward(make(), x, saved, { need, residual: make() })
      const copies = { dx: bits(gradients.dx), dresidual: bits(gradients.dresidual), dgamma: gradients.dgamma }
      const run = (out?: { dx: NdArray }) => {
        const { dx, dresidual, dgamma } = backward(x, x, saved, { need, residual: x, ...(out && { out }) })
        return { dx: bits(dx), dresidual: bits(dresidual), dgamma }
      }
      expect(run()).toEqual(copies)
      expect(run({ dx: x })).toEqual(copies)
    }
  }
})

test("x, the residual and the results may lie in different places", () => {
  const homes = ["ordinary", "resident"] as const
  for (const type of ["float32", "float64"] as const) {
    for (const activation of activations) {
      const run = (home: Record<"x" | "residual" | "dy" | "out", (typeof homes)[number]>) => {
        const at = (name: keyof typeof home, seed: number) =>
          place({ type, home: home[name] }, [8, 3], numbers(24, seed))
        const [x, residual, dy] = [at("x", 0), at("residual", 9), at("dy", 5)]
        const { y, saved } = forward(x, { activation, residual, out: { y: at("out", 1) } })
        const out = { dx: at("out", 1), dresidual: at("out", 1) }
        const { dx, dresidual } = backward(dy, x, saved, { need: ["dx", "dresidual"], residual, out })
        return [bits(y), bits(dx), bits(dresidual)]
      }
      const due = run({ x: "ordinary", residual: "ordinary", dy: "ordinary", out: "ordinary" })
      for (let which = 1; which < 16; which++) {
        const home = (bit: number) => homes[(which >> bit) % 2]!
        expect(run({ x: home(0), residual: home(1), dy: home(2), out: home(3) }), `${which}`).toEqual(due)
      }
    }
  }
})

test("a NaN in the residual stays in its element", () => {
  for (const setting of everywhere) {
    for (const activation of activations) {
      const [x, dy] = [place(setting, [8, 3], numbers(24)), place(setting, [8, 3], numbers(24, 5))]
      const [residual, sick] = [place(setting, [8, 3], numbers(24, 9)), place(setting, [8, 3], numbers(24, 9))]
      sick.data[7] = Number.NaN
      const [due, got] = [forward(x, { activation, residual }), forward(x, { activation, residual: sick })]
      expect(got.saved).toEqual(due.saved)
      for (const [at, value] of got.y.data.entries()) expect(value).toBe(at === 7 ? Number.NaN : due.y.data[at])
      const { dx } = backward(dy, x, got.saved, { residual: sick })
      expect(dx.data.every(Number.isFinite)).toBe(true)
    }
  }
})

test("a scalar and an empty batch may have a residual", () => {
  for (const setting of somewhere) {
    const [x, residual] = [place(setting, [], [2.5]), place(setting, [], [3])]
    const { y, saved } = forward(x, { beta: [7], residual })
    expect([y.shape, [...y.data]]).toEqual([[], [10]])
    expect([...backward(residual, x, saved, { need: ["dresidual"] }).dresidual.data]).toEqual([3])
    const none = place(setting, [0, 3], [])
    const empty = forward(none, { mean: [1, 2, 3], variance: [1, 1, 1], residual: none, activation: "relu" })
    expect([empty.y.shape, empty.y.data.length, empty.saved.hasResidual]).toEqual([[0, 3], 0, true])
    const { dresidual } = backward(none, none, empty.saved, { need: ["dresidual"], residual: none })
    expect([dresidual.shape, dresidual.data.length]).toEqual([[0, 3], 0])
  }
})

describe("saved.hasResidual", () => {
  const x = place({ type: "float32", home: "ordinary" }, [4, 3], numbers(12))
  const dy = place({ type: "float32", home: "ordinary" }, [4, 3], numbers(12, 5))
  const residual = place({ type: "float32", home: "ordinary" }, [4, 3], numbers(12, 9))
  const vectors = (): Saved =>
    ({
      ...{ mean: new Float64Array(3), variance: new Float64Array(3), count: new Float64Array(3) },
      ...{ gamma: null, beta: null },
    }) as unknown as Saved

  test("is there where there was a residual, and only there", () => {
    for (const options of [{}, { mean: [0, 0, 0], variance: [1, 1, 1] }, { weights: [1, 2, 3] }]) {
      expect(Object.keys(forward(x, options).saved)).not.toContain("hasResidual")
      expect(Object.keys(forward(x, { ...options, residual: null }).saved)).not.toContain("hasResidual")
      expect(Object.keys(forward(x, { ...options, out: { saved: vectors() } }).saved)).not.toContain("hasResidual")
      expect(forward(x, { ...options, residual }).saved.hasResidual).toBe(true)
      expect(forward(x, { ...options, residual, out: { saved: vectors() } }).saved.hasResidual).toBe(true)
    }
  })

  test("of vectors that are saved into again is that of the last call", () => {
    const saved = vectors()
    forward(x, { residual, out: { saved } })
    forward(x, { out: { saved } })
    expect(saved.hasResidual).toBe(false)
    expect(backward(dy, x, saved)).toEqual(backward(dy, x, forward(x).saved))
    forward(x, { residual, out: { saved } })
    expect(saved.hasResidual).toBe(true)
  })

  test("survives a structured clone, by which backward goes as well", () => {
    const { saved } = forward(x, { residual, activation: "relu" })
    const clone = structuredClone(saved)
    expect(clone).toEqual(saved)
    const need = ["dx", "dresidual"] as const
    expect(backward(dy, x, clone, { residual, need })).toEqual(backward(dy, x, saved, { residual, need }))
  })

  test("does not ask for a residual where what was saved is options of another forward", () => {
    const { saved } = forward(x, { residual })
    const again = forward(x, saved)
    expect(Object.keys(again.saved)).not.toContain("hasResidual")
    expect(again.y).toEqual(infer(x, saved))
  })
})
