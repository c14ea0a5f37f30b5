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
import type { FloatArray, NdArray } from "../../ts/types.ts"
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
  return { x: elements(), dy: elements(), mean: vector(), variance: vector(), gamma: vector(), beta: vector() }
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

  test("memory does not grow", () => {
    const { x, dy } = inputsOf(one)
    const before = memoryBytes()
    all(x, dy, one)
    expect(memoryBytes()).toBe(before)
  })
})
