import { allocate, BatchNorm, backward, type FloatArray, forward, infer, type NdArray, type Vector } from "batchnorm"
import { describe, expect, test } from "vitest"
import { keep, label, numbers, place, type Setting, settings } from "./support/arrays.ts"
import {
  argumentError,
  disposedError,
  expectRefusal,
  expectRefused,
  goneError,
  type Refusal,
  thrown,
} from "./support/refuses.ts"
import { bench, operands, shape } from "./support/slots.ts"

const inBoth = settings("ordinary", "resident")
const doubles = { type: "float64", home: "ordinary" } as const
const statistics = { mean: [0, 0, 0], variance: [1, 1, 1] }

// What is no array like x is refused in errors-arrays and errors-results, wherever a residual goes.

test("a residual that is refused leaves the layer the forward pass that it had", () => {
  const bad = { data: new Float32Array(12), shape: [3, 4] }
  for (const { call, run } of operands.filter(({ call }) => call.startsWith("BatchNorm"))) {
    const around = bench({ type: "float32", home: "ordinary" })
    const due = bench(around.setting).layer.backward(around.dy)
    expect(() => run(bad, around), call).toThrow("residual.shape")
    expect(around.layer.backward(around.dy), call).toEqual(due)
  }
})

describe("the backward pass", () => {
  /** A forward pass with or without a residual, by the statistics of the batch and by given ones. */
  function refuse(
    forwards: { readonly activation: "relu" | null; readonly residual: boolean },
    given: NdArray | null | undefined,
    due: Refusal,
    need: readonly ("dx" | "dbeta" | "dresidual")[] = ["dx", "dbeta"],
  ): void {
    for (const setting of inBoth) {
      const around = bench(setting)
      const { x, dy, out } = around
      for (const frozen of [{}, statistics]) {
        const { activation } = forwards
        const { saved } = forward(x, { ...frozen, activation, residual: forwards.residual ? dy : null })
        const { mean, variance, count } = saved
        const watched = { ...around.watched, mean, variance, count }
        const options = { need, residual: given, out: { dx: out } }
        expectRefused(() => backward(dy, x, saved, options), due, watched, label(setting))
      }
    }
  }

  test("after a ReLU is refused without the residual that forward had", () => {
    const due = argumentError("residual", "the one that forward was given", "nothing")
    for (const need of [["dx"], ["dbeta"], ["dresidual"], []] as const) {
      refuse({ activation: "relu", residual: true }, undefined, due, need)
      refuse({ activation: "relu", residual: true }, null, due, need)
    }
  })

  test("without a ReLU does not need it, and may be given it", () => {
    const { x, dy } = bench(doubles)
    const residual = place(doubles, shape, numbers(12, 3))
    const { saved } = forward(x, { residual })
    expect(backward(dy, x, saved)).toEqual(backward(dy, x, saved, { residual }))
  })

  test("is refused with a residual where forward had none", () => {
    const due = argumentError("residual", "none, as forward was given: saved.hasResidual says if so", "one")
    for (const activation of [null, "relu"] as const) {
      for (const setting of inBoth) {
        const residual = place(setting, shape, numbers(12, 3))
        const around = bench(setting)
        const { x, dy, out } = around
        for (const frozen of [{}, statistics]) {
          const { saved } = forward(x, { ...frozen, activation })
          const call = () => backward(dy, x, saved, { residual, out: { dx: out } })
          expectRefused(call, due, { ...around.watched, residual: residual.data }, label(setting))
        }
      }
    }
  })

  test("knows whether there was one from what forward saved, through a clone and where it saved before", () => {
    const around = bench(doubles)
    const { x, dy } = around
    const residual = place(doubles, shape, numbers(12, 3))
    const { saved, y } = forward(x, { residual, activation: "relu" })
    expect(saved.hasResidual).toBe(true)
    expect(backward(dy, x, structuredClone(saved), { residual })).toEqual(backward(dy, x, saved, { residual }))
    expect(infer(x, { ...saved, residual })).toEqual(y)
    forward(x, { activation: "relu", out: { saved } })
    expect(saved.hasResidual).toBe(false)
    expect(backward(dy, x, saved)).toEqual(backward(dy, x, forward(x, { activation: "relu" }).saved))
    expect(forward(x).saved).not.toHaveProperty("hasResidual")
    const due = argumentError("saved.hasResidual", "true or false", "1")
    expectRefused(() => backward(dy, x, { ...saved, hasResidual: 1 as never }), due, around.watched)
  })
})

describe("y over the residual", () => {
  const due = (name: string) =>
    argumentError(name, "none of the elements of residual.data", "some of them: give it memory of its own")

  test("is refused before a ReLU, whose backward pass needs the residual", () => {
    for (const setting of inBoth) {
      const around = bench(setting)
      const { x, dy } = around
      const trained = () => {
        const layer = new BatchNorm(3, { activation: "relu" })
        layer.forward(x)
        return layer
      }
      const layer = trained()
      const { runningMean, runningVariance } = layer
      const array = place(setting, shape, numbers(12, 3))
      const calls: readonly (readonly [() => unknown, string])[] = [
        [() => forward(x, { residual: array, activation: "relu", out: { y: array } }), "out.y.data"],
        [() => forward(x, { ...statistics, residual: array, activation: "relu", out: { y: array } }), "out.y.data"],
        [() => layer.forward(x, { residual: array, out: array }), "out.data"],
        [() => layer.forward(x, { residual: array, out: array, training: false }), "out.data"],
      ]
      const watched = { ...around.watched, array: array.data, runningMean, runningVariance }
      for (const [call, name] of calls) expectRefused(call, due(name), watched, label(setting))
      expect(layer.backward(dy)).toEqual(trained().backward(dy))
    }
  })

  test("is written where there is no ReLU, or no backward pass", () => {
    for (const setting of inBoth) {
      const { x, layer } = bench(setting)
      const make = () => place(setting, shape, numbers(12, 3))
      const relu = new BatchNorm(3, { activation: "relu" })
      const calls: readonly ((residual: NdArray, out?: NdArray) => NdArray)[] = [
        (residual, y) => forward(x, { residual, ...(y && { out: { y } }) }).y,
        (residual, out) => layer.forward(x, { residual, out }),
        (residual, out) => layer.infer(x, { residual, out }),
        (residual, out) => relu.infer(x, { residual, out }),
        (residual, out) => infer(x, { ...statistics, activation: "relu", residual, out }),
      ]
      for (const call of calls) {
        const array = make()
        expect([...call(array, array).data]).toEqual([...call(make()).data])
      }
    }
  })
})

describe("a result that overlaps the residual in part is refused", () => {
  const due = (name: string) => argumentError(name, "the elements of residual.data, or none of them", "some of them")

  test.each([-11, -3, -1, 1, 3, 11])("%i elements from it", (shift) => {
    for (const setting of inBoth) {
      const around = bench(setting)
      const { x, dy, saved, layer } = around
      const room = place(setting, [36], numbers(36)).data
      const residual = { data: room.subarray(12, 24), shape }
      const out = { data: room.subarray(12 + shift, 24 + shift), shape }
      const trained = new BatchNorm(3)
      trained.forward(x, { residual })
      const had = { ...saved, hasResidual: true }
      const calls: readonly (readonly [() => unknown, string])[] = [
        [() => forward<FloatArray, NdArray>(x, { residual, out: { y: out } }), "out.y.data"],
        [() => forward<FloatArray, NdArray>(x, { ...saved, residual, out: { y: out } }), "out.y.data"],
        [() => infer<FloatArray, NdArray>(x, { ...saved, residual, out }), "out.data"],
        [() => layer.forward<FloatArray, NdArray>(x, { residual, out }), "out.data"],
        [() => layer.forward<FloatArray, NdArray>(x, { residual, out, training: false }), "out.data"],
        [() => layer.infer<FloatArray, NdArray>(x, { residual, out }), "out.data"],
        [() => backward<FloatArray, NdArray>(dy, x, had, { residual, out: { dx: out } }), "out.dx.data"],
        [
          () =>
            backward<FloatArray, NdArray, "dresidual">(dy, x, had, {
              need: ["dresidual"],
              residual,
              out: { dresidual: out },
            }),
          "out.dresidual.data",
        ],
        [() => trained.backward<FloatArray, NdArray>(dy, { out: { dx: out } }), "out.dx.data"],
        [
          () =>
            trained.backward<FloatArray, NdArray, "dresidual">(dy, { need: ["dresidual"], out: { dresidual: out } }),
          "out.dresidual.data",
        ],
      ]
      for (const [call, name] of calls) expectRefused(call, due(name), { ...around.watched, room }, name)
    }
  })
})

test("numbers per channel that share memory with the residual are refused", () => {
  const around = bench(doubles)
  const { x, dy } = around
  const residual = { data: Float64Array.from(numbers(12)), shape }
  const inside = residual.data.subarray(2, 5) as Vector
  const { saved } = forward(x, { ...statistics, residual })
  const vector = () => new Float64Array(3)
  const own = { ...saved, mean: vector(), variance: vector(), count: vector() }
  const due = (name: string) =>
    argumentError(name, "none of the elements of residual.data", "some of them: give it memory of its own")
  const watched = { ...around.watched, residual: residual.data }
  for (const name of ["mean", "variance", "count"] as const) {
    const call = () => forward(x, { residual, out: { saved: { ...own, [name]: inside } } })
    expectRefused(call, due(`out.saved.${name}`), watched)
  }
  for (const name of ["dgamma", "dbeta", "dmean", "dvariance"] as const) {
    const call = () => backward(dy, x, saved, { need: [name], residual, out: { [name]: inside } })
    expectRefused(call, due(`out.${name}`), watched)
  }
})

describe("the backward pass of the layer", () => {
  const pass = (residual: NdArray, setting: Setting = doubles) => {
    const around = bench(setting)
    const layer = new BatchNorm(3, { activation: "relu" })
    layer.forward(around.x, { residual })
    layer.dgamma.set([7, 8, 9])
    layer.dbeta.set([7, 8, 9])
    const { dgamma, dbeta } = layer
    return { layer, dy: around.dy, watched: { ...around.watched, dgamma, dbeta } }
  }
  const resident = () => {
    const array = allocate(shape, "float64")
    array.data.set(numbers(12, 3))
    return array
  }

  test("is refused where the residual was disposed meanwhile", () => {
    const residual = resident()
    const { layer, dy, watched } = pass(residual)
    residual.dispose()
    expectRefused(() => layer.backward(dy), disposedError("residual"), watched)
  })

  test("survives an allocate that moves the residual, and is refused where it was a view", () => {
    const residual = keep(resident())
    const kept = pass(residual)
    const view = pass({ data: residual.data, shape })
    const due = pass(place(doubles, shape, numbers(12, 3))).layer.backward(kept.dy)
    keep(allocate([residual.data.buffer.byteLength / 4]))
    expect(kept.layer.backward(kept.dy)).toEqual(due)
    expectRefusal(
      thrown(() => view.layer.backward(view.dy)),
      goneError("residual.data"),
    )
  })
})
