import { BatchNorm, backward, type FloatArray, forward, type Gradients, type NdArray, type Vector } from "batchnorm"
import { describe, expect, test } from "vitest"
import { label, numbers, place, type Setting, settings } from "./support/arrays.ts"
import { argumentError, expectRefused, type Refusal, unknownOption } from "./support/refuses.ts"
import { shape } from "./support/slots.ts"

const inBoth = settings("ordinary", "resident")
const doubles = { type: "float64", home: "ordinary" } as const
const given = { mean: [0, 0, 0], variance: [1, 1, 1] }
const vectorNames = ["dgamma", "dbeta", "dmean", "dvariance"] as const
const all = ["dx", ...vectorNames, "dresidual"] as const

/** A backward pass to be, of which every gradient can be had unless it says otherwise. */
function bench(setting: Setting, { frozen = true, residual = true } = {}) {
  const x = place(setting, shape, numbers(12))
  const dy = place(setting, shape, numbers(12, 5))
  const out = place(setting, shape, numbers(12, 9))
  const added = residual ? place(setting, shape, numbers(12, 3)) : null
  const { saved } = forward(x, { ...(frozen && given), gamma: [1, 2, 3], beta: [4, 5, 6], residual: added })
  const layer = new BatchNorm(3)
  layer.forward(x, { residual: added, training: !frozen })
  layer.dgamma.set([7, 8, 9])
  layer.dbeta.set([7, 8, 9])
  const { dgamma, dbeta, runningMean, runningVariance } = layer
  const { mean, variance, count, gamma, beta } = saved
  const watched = {
    ...{ x: x.data, dy: dy.data, out: out.data, dgamma, dbeta, runningMean, runningVariance },
    ...{ mean, variance, count, gamma: gamma!, beta: beta! },
    ...(added && { residual: added.data }),
  }
  return { x, dy, out, saved, layer, residual: added, watched }
}
type Bench = ReturnType<typeof bench>

const run = ({ x, dy, saved, residual }: Bench, need: unknown, out: object = {}) =>
  backward<FloatArray, NdArray, keyof Gradients>(dy, x, saved, { need: need as "dx"[], residual, out })

/** A call that is refused, after which the layer can still go back. */
function refuse(around: Bench, call: () => unknown, due: Refusal, hint?: string): void {
  expectRefused(call, due, around.watched, hint)
  const { dx } = around.layer.backward(around.dy)
  expect(dx.shape).toEqual(shape)
}

describe("a gradient of what forward was not given is refused:", () => {
  const what = "gradients of what forward was given"

  test.each(["dmean", "dvariance"] as const)("%s, where the statistics were those of the batch", (name) => {
    for (const setting of inBoth) {
      const around = bench(setting, { frozen: false })
      const expected = `${what}: mean and variance were those of the batch`
      const due = (index: number) => argumentError(`need[${index}]`, expected, `"${name}"`)
      expectRefused(() => run(around, [name]), due(0), around.watched)
      expectRefused(() => run(around, ["dx", "dbeta", name], { dx: around.out }), due(2), around.watched)
    }
  })

  test("dresidual, where there was no residual", () => {
    const due = (index: number) => argumentError(`need[${index}]`, `${what}: there was no residual`, '"dresidual"')
    for (const setting of inBoth) {
      for (const frozen of [true, false]) {
        const around = bench(setting, { frozen, residual: false })
        const out = { dresidual: around.out }
        expectRefused(() => run(around, ["dresidual"], out), due(0), around.watched)
        const layerCall = () => around.layer.backward(around.dy, { need: ["dx", "dresidual"], out })
        refuse(around, layerCall, due(1), label(setting))
      }
    }
  })

  test("none of them, where it was given", () => {
    for (const setting of inBoth) {
      const gradients = run(bench(setting), all)
      expect(Object.keys(gradients)).toEqual([...all])
    }
  })
})

describe("need", () => {
  const names = ["dx", "dgamma", "dbeta", "dmean", "dvariance", "dresidual"]
  const listed = names.map((name) => `"${name}"`).join(" or ")

  test.each([
    ["dm", '"dm"'],
    ["Dx", '"Dx"'],
    ["", '""'],
    ["mean", '"mean"'],
    ["toString", '"toString"'],
    [0, "0"],
    [null, "null"],
    [["dx"], "an Array of 1"],
  ])("of %j is refused, after others too", (name, actual) => {
    const around = bench(doubles)
    for (const [index, need] of [[name], ["dmean", name], ["dx", "dx", name, "dresidual"]].entries()) {
      const due = argumentError(`need[${index}]`, listed, actual)
      expectRefused(() => run(around, need, { dx: around.out }), due, around.watched)
    }
  })

  test.each([
    [null, "null"],
    [true, "true"],
    ["dmean", '"dmean"'],
    [new Set(["dx"]), "a Set"],
    [{ dx: true }, "an Object"],
    [{ length: 1, 0: "dx" }, "an Object"],
  ])("that is no array is refused: %o", (need, actual) => {
    const due = argumentError("need", "an array of names", actual)
    const around = bench(doubles)
    expectRefused(() => run(around, need, { dx: around.out }), due, around.watched)
    refuse(around, () => around.layer.backward(around.dy, { need: need as never }), due)
  })

  test("of the layer has no gradients of its running statistics", () => {
    for (const name of ["dmean", "dvariance"]) {
      const around = bench(doubles)
      const expected = '"dx" or "dgamma" or "dbeta" or "dresidual"'
      const due = argumentError("need[1]", expected, `"${name}"`)
      refuse(around, () => around.layer.backward(around.dy, { need: ["dx", name] as never }), due)
    }
  })

  test("may name a gradient twice, which is then there once", () => {
    expect(Object.keys(run(bench(doubles), ["dmean", "dmean"]))).toEqual(["dmean"])
  })
})

describe("out", () => {
  const apart = (name: string, other: string) =>
    argumentError(name, `none of the elements of ${other}`, "some of them: give it memory of its own")
  const vector = () => new Float64Array(3)

  test("has no other names than the gradients", () => {
    const around = bench(doubles)
    const due = unknownOption("out.dw", "dx, dgamma, dbeta, dmean, dvariance, dresidual")
    expectRefused(() => run(around, all, { dw: vector() }), due, around.watched)
    for (const name of vectorNames) {
      const own = unknownOption(`out.${name}`, "dx, dresidual")
      const layerBench = bench(doubles)
      refuse(layerBench, () => layerBench.layer.backward(layerBench.dy, { out: { [name]: vector() } as never }), own)
    }
  })

  test("has vectors that share no memory with each other", () => {
    const room = vector().map((_, index) => index)
    const wide = new Float64Array(5)
    for (const [index, name] of vectorNames.entries()) {
      for (const before of vectorNames.slice(0, index)) {
        const around = bench(doubles)
        const watched = { ...around.watched, room, wide }
        const same = { [name]: room, [before]: room }
        expectRefused(() => run(around, all, same), apart(`out.${name}`, `out.${before}`), watched)
        const part = { [name]: wide.subarray(2), [before]: wide.subarray(0, 3) }
        expectRefused(() => run(around, all, part), apart(`out.${name}`, `out.${before}`), watched)
      }
    }
  })

  test("has vectors that share no memory with what is read, or with the other results", () => {
    for (const name of vectorNames) {
      const around = bench(doubles)
      const { x, dy, residual, saved, out, watched } = around
      const inside = ({ data }: NdArray) => data.subarray(4, 7) as Vector
      const place = `out.${name}`
      const calls: readonly (readonly [object, string])[] = [
        [{ [name]: inside(x) }, "x.data"],
        [{ [name]: inside(dy) }, "dy.data"],
        [{ [name]: inside(residual!) }, "residual.data"],
        [{ [name]: inside(out), dx: out }, "out.dx.data"],
        [{ [name]: inside(out), dresidual: out }, "out.dresidual.data"],
        ...(["mean", "variance", "count", "gamma", "beta"] as const).map(
          (other) => [{ [name]: saved[other] }, `saved.${other}`] as const,
        ),
      ]
      for (const [target, other] of calls) expectRefused(() => run(around, all, target), apart(place, other), watched)
    }
  })

  test("has dx and dresidual that share no memory with each other", () => {
    for (const setting of inBoth) {
      const around = bench(setting)
      const { dy, layer, watched } = around
      const room = place(setting, [20], numbers(20)).data
      const array = (start: number) => ({ data: room.subarray(start, start + 12), shape })
      for (const start of [0, 1, 8]) {
        const out = { dx: array(0), dresidual: array(start) }
        const due = apart("out.dresidual.data", "out.dx.data")
        expectRefused(() => run(around, all, out), due, { ...watched, room }, label(setting))
        const layerCall = () =>
          layer.backward<FloatArray, NdArray, "dx" | "dresidual">(dy, { need: ["dx", "dresidual"], out })
        expectRefused(layerCall, due, { ...watched, room }, label(setting))
      }
      layer.backward(dy)
    }
  })

  test("has no dresidual in the numbers that are read per channel, or in the layer's own gradients", () => {
    const room = Float64Array.from(numbers(12))
    const target = { data: room, shape }
    const inside = room.subarray(4, 7) as Vector
    for (const name of ["mean", "variance", "count", "gamma", "beta"] as const) {
      const around = bench(doubles)
      inside.set(name === "count" ? [4, 4, 4] : [1, 2, 3])
      const saved = { ...around.saved, [name]: inside }
      const due = apart("out.dresidual.data", `saved.${name}`)
      expectRefused(() => run({ ...around, saved }, ["dresidual"], { dresidual: target }), due, { room })
    }
    const x = { data: Float64Array.of(1, 2, 3), shape: [1, 3] }
    for (const name of ["dgamma", "dbeta"] as const) {
      const layer = new BatchNorm(3)
      layer.forward(x, { residual: x })
      const out = { dresidual: { data: layer[name], shape: [1, 3] } }
      const due = apart(`out.${name}`, "out.dresidual.data")
      expectRefused(() => layer.backward(x, { need: ["dresidual"], out }), due, { own: layer[name] })
    }
  })

  test("is judged, but not written, where need does not name it", () => {
    const { x, dy, saved, residual } = bench(doubles)
    const need = ["dx", "dbeta"] as const
    const call = (out: object) => backward(dy, x, saved, { need, residual, out: out as never })
    for (const name of ["dgamma", "dmean", "dvariance", "dresidual", "dx"]) {
      expect(() => call({ [name]: "none" }), name).toThrow(new RegExp(`^out\\.${name}: `))
    }
    const dgamma = new Float64Array(3).fill(7)
    expect(call({ dgamma })).toEqual(call({}))
    expect([...dgamma]).toEqual([7, 7, 7])
  })
})

test("saved to write into that is frozen is refused, before y is written", () => {
  const { x, saved, y } = { ...bench(doubles), y: new Float64Array(12).fill(7) }
  const out = { y: { data: y, shape }, saved: Object.freeze(structuredClone(saved)) }
  const due = argumentError("out.saved", "an object to write into", "one that is frozen")
  expectRefused(() => forward(x, { out: out as never }), due)
  expect(y).toEqual(new Float64Array(12).fill(7))
})

test("the gradient of a variance at the least numbers is 0 where dgamma is, not 0 times infinity", () => {
  const x = { data: Float64Array.of(5), shape: [1, 1] }
  const { saved } = forward(x, { mean: [5], variance: [1e-310], epsilon: 0 })
  expect(backward(x, x, saved, { need: ["dvariance"] }).dvariance).toEqual(Float64Array.of(0))
})
