import { describe, expect, test } from "vitest"
import {
  allocate,
  backward,
  batchNormalization,
  forward,
  infer,
  moments,
  type ResidentArray,
} from "../../ts/entry/index.ts"
import { traffic } from "../../ts/memory.ts"
import type { FloatArray, NdArray, Saved } from "../../ts/types.ts"
import { firstDifference, product, zeros } from "../support/numerics-arrays.ts"
import { Random } from "../support/numerics-random.ts"
import { type Case, cases } from "./cases.ts"

const memoryBytes = () => {
  const probe = allocate([0])
  const { byteLength } = probe.data.buffer
  probe.dispose()
  return byteLength
}

/** How many times an array of the case was copied in and out. */
function copied({ shape, dtype }: Case, run: () => unknown): { in: number; out: number } {
  const bytes = product(shape) * (dtype === "float32" ? 4 : 8)
  const before = { ...traffic }
  run()
  return { in: (traffic.in - before.in) / bytes, out: (traffic.out - before.out) / bytes }
}

type Inputs = ReturnType<typeof makeInputs>
let made: { of: Case; inputs: Inputs } | undefined

/** Made once for the tests of a case. */
function inputsOf(one: Case): Inputs {
  if (made?.of !== one) made = { of: one, inputs: makeInputs(one) }
  return made.inputs
}

function makeInputs({ shape, axis, dtype }: Case) {
  const random = new Random(5)
  const elements = () => {
    const array = zeros(shape, dtype)
    for (let i = 0; i < array.data.length; i++) array.data[i] = 3 + random.next() / 2 ** 32
    return array
  }
  const channels = product(axis.map((each) => shape[each]!))
  const vector = () => Float64Array.from({ length: channels }, () => 0.5 + random.uniform())
  const parameters = { mean: vector(), variance: vector(), gamma: vector(), beta: vector() }
  const residual = elements()
  // Some sums are above 0 and some below.
  residual.data.forEach((value, i) => {
    residual.data[i] = 2 - value
  })
  const own = shape.map((size, index) => (axis.includes(index) ? 1 : size))
  const period = [1, 0.5, 2, 0, 1, 3, 0]
  const weights = { data: Float64Array.from({ length: product(own) }, (_, i) => period[i % 7]!), shape: own }
  return { x: elements(), dy: elements(), ...parameters, residual, weights }
}

const resident = ({ data, shape }: NdArray): ResidentArray<FloatArray> => {
  const array: ResidentArray<FloatArray> = data instanceof Float32Array ? allocate(shape) : allocate(shape, "float64")
  array.data.set(data)
  return array
}

/** All that is computed of a case. */
function all(x: NdArray<FloatArray>, dy: NdArray<FloatArray>, one: Case, into?: NdArray<FloatArray>) {
  const { mean, variance, gamma, beta } = inputsOf(one)
  const options = { axis: one.axis, gamma, beta, activation: "relu" } as const
  const reduced = [...one.shape.keys()].filter((axis) => !one.axis.includes(axis))
  const out = into ? { out: into } : {}
  const statistics = moments(x, reduced)
  const copy = ({ data }: NdArray) => data.slice()
  const fromForward = forward(x, { ...options, ...(into ? { out: { y: into } } : {}) })
  const y = copy(fromForward.y)
  const fromInfer = copy(infer(x, { ...options, mean, variance, ...out }))
  const { dx, dgamma, dbeta } = backward(dy, x, fromForward.saved, into ? { out: { dx: into } } : {})
  return { mean: statistics.mean.data, variance: statistics.variance.data, y, fromInfer, dx: copy(dx), dgamma, dbeta }
}

/** All that is computed with weights and a residual. */
function withOperands(
  { x, dy, residual }: Record<"x" | "dy" | "residual", NdArray<FloatArray>>,
  one: Case,
  into?: Record<"y" | "dx" | "dresidual", NdArray<FloatArray>>,
) {
  const { weights, gamma, beta } = inputsOf(one)
  const options = { axis: one.axis, gamma, beta, activation: "relu", residual, weights } as const
  const { y, saved } = forward(x, { ...options, ...(into && { out: { y: into.y } }) })
  const need = ["dx", "dgamma", "dbeta", "dresidual"] as const
  const out = into && { dx: into.dx, dresidual: into.dresidual }
  const { dx, dresidual, ...sums } = backward(dy, x, saved, { residual, weights, need, ...(out && { out }) })
  const { mean, variance, count } = saved
  return { mean, variance, count, y: y.data, dx: dx.data, dresidual: dresidual.data, ...sums }
}

describe.each(cases)("$name, $dtype", (one) => {
  const packed = one.name.startsWith("packed")

  test("ordinary arrays go through the staging buffers, at most once each in a pass", () => {
    const { x, dy, mean, variance, gamma, beta } = inputsOf(one)
    const options = { axis: one.axis, gamma, beta }
    const reduced = [...one.shape.keys()].filter((axis) => !one.axis.includes(axis))
    const passes = one.fits ? 1 : 2
    expect(copied(one, () => moments(x, reduced))).toEqual({ in: 1, out: 0 })
    expect(copied(one, () => forward(x, options))).toEqual({ in: passes, out: 1 })
    expect(copied(one, () => infer(x, { ...options, mean, variance }))).toEqual({ in: 1, out: 1 })
    expect(copied(one, () => batchNormalization(x, 0, 1))).toEqual({ in: 1, out: 1 })
    const { saved } = forward(x, options)
    expect(copied(one, () => backward(dy, x, saved))).toEqual({ in: 2 * passes, out: 1 })
    expect(copied(one, () => backward(dy, x, saved, { need: ["dgamma"] }))).toEqual({ in: 2, out: 0 })
    expect(copied(one, () => backward(dy, x, { ...saved, frozen: true }, { need: ["dx"] }))).toEqual({ in: 2, out: 1 })
  })

  test("so does a residual, and weights take none of their way", () => {
    const { x, dy, mean, variance, residual, weights } = inputsOf(one)
    const options = { axis: one.axis, residual }
    const reduced = [...one.shape.keys()].filter((axis) => !one.axis.includes(axis))
    const passes = one.fits ? 1 : 2
    expect(copied(one, () => moments(x, reduced, { weights }))).toEqual({ in: 1, out: 0 })
    expect(copied(one, () => infer(x, { ...options, mean, variance }))).toEqual({ in: 2, out: 1 })
    const saved: Saved[] = []
    const run = (given: object) => saved.push(forward(x, { ...options, ...given }).saved)
    expect(copied(one, () => run({}))).toEqual({ in: passes + 1, out: 1 })
    expect(copied(one, () => run({ activation: "relu", weights }))).toEqual({ in: passes + 1, out: 1 })
    const [plain, gated] = saved as [Saved, Saved]
    const need = ["dx", "dresidual"] as const
    expect(copied(one, () => backward(dy, x, gated, { weights, residual, need }))).toEqual({ in: 3 * passes, out: 2 })
    const given = { ...plain, frozen: true }
    const all = ["dx", "dgamma", "dmean", "dvariance"] as const
    expect(copied(one, () => backward(dy, x, given, { need: all }))).toEqual({ in: 2 * passes, out: 1 })
    expect(copied(one, () => backward(dy, x, given, { need: ["dresidual"] }))).toEqual({ in: 2, out: 1 })
  })

  test("resident arrays are used where they lie", () => {
    const inputs = inputsOf(one)
    const [x, dy] = [resident(inputs.x), resident(inputs.dy)]
    const y = resident({ data: inputs.x.data.map(() => Number.NaN), shape: one.shape })
    const { mean, variance, gamma, beta } = inputs
    const options = { axis: one.axis, gamma, beta }
    const reduced = [...one.shape.keys()].filter((axis) => !one.axis.includes(axis))
    // A packed view is moved first, wherever it lies.
    const [none, once, twice] = packed ? [0, 1, one.fits ? 1 : 2] : [0, 0, 0]
    expect(copied(one, () => moments(x, reduced))).toEqual({ in: once, out: none })
    expect(copied(one, () => forward(x, { ...options, out: { y } }))).toEqual({ in: twice, out: once })
    expect(copied(one, () => infer(x, { ...options, mean, variance, out: y }))).toEqual({ in: once, out: once })
    const { saved } = forward(x, options)
    expect(copied(one, () => backward(dy, x, saved, { out: { dx: y } }))).toEqual({ in: 2 * twice!, out: once })
    if (!packed) {
      // Of arrays of both kinds only the ordinary ones are copied.
      expect(copied(one, () => infer(x, { ...options, mean, variance }))).toEqual({ in: 0, out: 1 })
      expect(copied(one, () => infer(inputs.x, { ...options, mean, variance, out: y }))).toEqual({ in: 1, out: 0 })
      const mixed = copied(one, () => backward(inputs.dy, x, saved, { out: { dx: y } }))
      expect(mixed).toEqual({ in: one.fits ? 1 : 2, out: 0 })
    }
    for (const array of [x, dy, y]) array.dispose()
  })

  test("staged and resident arrays, and any mixture, give the same bits", () => {
    const inputs = inputsOf(one)
    const expected = all(inputs.x, inputs.dy, one)
    const [x, dy] = [resident(inputs.x), resident(inputs.dy)]
    const y = resident({ data: inputs.x.data.map(() => Number.NaN), shape: one.shape })
    const variants = {
      resident: all(x, dy, one, y),
      "resident, into ordinary": all(x, dy, one),
      "x resident": all(x, inputs.dy, one),
      "dy resident": all(inputs.x, dy, one, y),
    }
    for (const [name, got] of Object.entries(variants)) {
      for (const key of Object.keys(expected) as (keyof typeof expected)[]) {
        expect(firstDifference(got[key], expected[key]), `${key}, ${name}`).toBe(-1)
      }
    }
    for (const array of [x, dy, y]) array.dispose()
  })

  test("a resident residual is used where it lies, what is gated is a copy, and the bits are the same", () => {
    const inputs = inputsOf(one)
    const before = memoryBytes()
    const expected = withOperands(inputs, one)
    expect(memoryBytes()).toBe(before)
    const [x, dy, residual] = [resident(inputs.x), resident(inputs.dy), resident(inputs.residual)]
    const y = resident(inputs.x)
    // A packed view is moved first, wherever it lies.
    const [once, passes] = [packed ? 1 : 0, one.fits ? 1 : 2]
    const moved = packed ? passes : 0
    const options = { axis: one.axis, residual, activation: "relu" } as const
    const { saved } = forward(x, options)
    const plainly = copied(one, () => backward(dy, x, saved, { residual, out: { dx: y } }))
    expect(plainly).toEqual({ in: passes + 2 * moved, out: once })
    let got = expected
    const weighted = copied(one, () => {
      got = withOperands({ x, dy, residual }, one, { y, dx: x, dresidual: dy })
    })
    expect(weighted).toEqual({ in: moved + once + 2 * passes + moved, out: 2 * once + 1 })
    for (const key of Object.keys(expected) as (keyof typeof expected)[]) {
      expect(firstDifference(got[key], expected[key]), key).toBe(-1)
    }
    for (const array of [x, dy, residual, y]) array.dispose()
  })

  test("memory does not grow", () => {
    const { x, dy } = inputsOf(one)
    const before = memoryBytes()
    all(x, dy, one)
    expect(memoryBytes()).toBe(before)
  })
})
