import {
  allocate,
  BatchNorm,
  backward,
  type FloatArray,
  forward,
  type Gradients,
  infer,
  moments,
  type NdArray,
  type Saved,
  type Vector,
  type Weights,
} from "batchnorm"
import { describe, expect, test } from "vitest"
import { keep, label, numbers, settings } from "./support/arrays.ts"
import {
  argumentError,
  disposedError,
  expectRefusal,
  expectRefused,
  goneError,
  type Refusal,
  shapeError,
  thrown,
} from "./support/refuses.ts"
import { type Bench, bench, type Slot, shape } from "./support/slots.ts"

const inBoth = settings("ordinary", "resident")

/** Every call that takes weights. */
const slots: readonly Slot<Weights>[] = [
  { call: "moments", argument: "weights", run: (weights, { x }) => moments(x, [0], { weights }) },
  { call: "Moments.push", argument: "weights", run: (weights, { x, moments }) => moments.push(x, { weights }) },
  {
    call: "forward",
    argument: "weights",
    run: (weights, { x, out, saved }) =>
      forward(x, { weights, gamma: [1, 1, 1], beta: [0, 0, 0], out: { y: out, saved } }),
  },
  {
    call: "forward, given statistics",
    argument: "weights",
    run: (weights, { x, out, saved }) => forward(x, { ...saved, weights, out: { y: out, saved } }),
  },
  {
    call: "backward",
    argument: "weights",
    run: (weights, { x, dy, out, saved }) =>
      backward(dy, x, { ...saved, hasWeights: true }, { weights, out: { dx: out } }),
  },
  {
    call: "BatchNorm.forward",
    argument: "weights",
    run: (weights, { x, layer, out }) => layer.forward(x, { weights, out }),
  },
  {
    call: "BatchNorm.forward, not training",
    argument: "weights",
    run: (weights, { x, layer, out }) => layer.forward(x, { weights, out, training: false }),
  },
]

/** Weights are refused as it is due by each of some calls, whatever the element type and place of x. */
function refuse(weights: unknown, due: Refusal, by: readonly Slot<Weights>[] = slots): void {
  for (const { call, run } of by) {
    for (const setting of inBoth) {
      const around = bench(setting)
      expectRefused(() => run(weights as Weights, around), due, around.watched, `${call}, ${label(setting)}`)
      // What the layer kept of the forward pass before is still there.
      const { dx } = bench(setting).layer.backward(around.dy)
      expect(around.layer.backward(around.dy).dx, call).toEqual(dx)
    }
  }
}

describe("weights that are none are refused:", () => {
  const none = (actual: string) => argumentError("weights", "an array of weights, or { data, shape }", actual)

  test.each([
    [2, "2"],
    [true, "true"],
    [1n, "1n"],
    ["111", '"111"'],
    [() => [1, 1, 1], "a function"],
    [{}, "an Object"],
    [{ shape: [3] }, "an Object"],
    [new Set([1]), "a Set"],
    [new DataView(new ArrayBuffer(24)), "a DataView"],
    [Promise.resolve([1, 1, 1]), "a Promise"],
  ])("%s", (weights, actual) => {
    refuse(weights, none(actual))
  })

  test("tensors of other libraries", () => {
    const tensor = (how: string) => argumentError("weights", "{ data, shape }", how)
    refuse(
      { shape: [3], data: async () => new Float32Array(3) },
      tensor("a tensor of TensorFlow.js: pass { data: t.dataSync(), shape: t.shape }"),
    )
    refuse(
      { dims: [3], data: new Float32Array(3) },
      tensor("a tensor of ONNX Runtime: pass { data: t.data, shape: t.dims }"),
    )
  })

  test("{ data, shape } without one of them, or of sizes that do not fit", () => {
    refuse({ data: undefined, shape: [3] }, argumentError("weights.data", "an array of numbers", "undefined"))
    refuse({ data: "111", shape: [3] }, argumentError("weights.data", "an array of numbers", '"111"'))
    refuse({ data: [1, 1, 1] }, shapeError("weights.shape", "an Array of sizes", "undefined"))
    refuse({ data: [1, 1, 1], shape: 3 }, shapeError("weights.shape", "an Array of sizes", "3"))
    const size = "a whole number from 0 on, below 2^53"
    refuse({ data: [1, 1, 1], shape: [-3] }, shapeError("weights.shape[0]", size, "-3"))
    refuse({ data: [1, 1, 1, 1], shape: [3] }, shapeError("weights.data", "3 elements for shape [3]", "4"))
    refuse({ data: [true, true], shape: [4, 3] }, shapeError("weights.data", "12 elements for shape [4, 3]", "2"))
  })

  test("every other one, by strides or from an offset on", () => {
    const data = new Float64Array(6).fill(1)
    const dense = (key: string, expected: number, actual: number) =>
      argumentError(`weights.${key}`, `${expected}: arrays are dense and row-major`, `${actual}: copy it first`)
    refuse({ data, shape: [3], stride: [2] }, dense("stride[0]", 1, 2))
    refuse({ data: data.subarray(3), shape: [3], strides: [-1] }, dense("strides[0]", 1, -1))
    refuse({ data, shape: [3], strides: [1], offset: 3 }, dense("offset", 0, 3))
  })
})

test.each([
  [-1, "-1"],
  [-Number.MIN_VALUE, "-5e-324"],
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  [Number.NEGATIVE_INFINITY, "-Infinity"],
  ["1", '"1"'],
  [null, "null"],
  [undefined, "undefined"],
  [1n, "1n"],
  [[1], "an Array of 1"],
])("a weight of %s is refused, with its index", (value, actual) => {
  const due = (name: string) => argumentError(name, "true, false or a finite weight from 0 on", actual)
  refuse([1, value, 1], due("weights[1]"))
  refuse([true, false, value], due("weights[2]"))
  refuse({ data: [0, 1, 2, value], shape: [4, 1] }, due("weights.data[3]"))
})

test("weights that are holes, or no numbers at all, are refused", () => {
  const due = (name: string, actual: string) => argumentError(name, "true, false or a finite weight from 0 on", actual)
  // biome-ignore lint/suspicious/noSparseArray: it is the point
  refuse([1, , 1], due("weights[1]", "undefined"))
  refuse({ length: 3 }, due("weights[0]", "undefined"))
  refuse(BigInt64Array.of(1n, 1n, 1n), due("weights[0]", "1n"))
  refuse({ data: Float32Array.of(1, 1, Number.NaN), shape: [3] }, due("weights.data[2]", "NaN"))
  refuse(Int8Array.of(0, 0, -1), due("weights[2]", "-1"))
})

describe("weights that do not broadcast to x are refused:", () => {
  const due = (actual: string) => shapeError("weights", "a shape that broadcasts to [4, 3]", actual)

  test.each([0, 2, 4, 12])("a bare array of %i, with the way to say which axes it has", (length) => {
    const hint = ": a bare array lines up with the last axis, else give { data, shape }"
    for (const weights of [Array(length).fill(1), Array(length).fill(true), new Uint8Array(length).fill(1)]) {
      refuse(weights, due(`[${length}]${hint}`))
    }
  })

  test.each([[[4]], [[3, 1]], [[4, 2]], [[3, 4]], [[1, 4, 3]], [[4, 3, 1]], [[0, 3]], [[12]]])(
    "an array of shape %j",
    (sizes) => {
      const data = Array(sizes.reduce((product, size) => product * size, 1)).fill(1)
      refuse({ data, shape: sizes }, due(`[${sizes.join(", ")}]`))
    },
  )
})

describe("weights that are gone are refused:", () => {
  const outside = (argument: string) =>
    argumentError(
      argument,
      "a view inside one live allocation, or an array of your own",
      "a view of the library's memory outside any: it was disposed, or is not from allocate",
    )

  test("an array that was disposed, and views that outlived it", () => {
    for (const { call, run } of slots) {
      for (const setting of inBoth) {
        const around = bench(setting)
        const array = allocate([3], "float64")
        const { data } = array
        array.dispose()
        const cases = [
          [array, disposedError("weights")],
          [data, outside("weights")],
          [{ data, shape: [3] }, outside("weights.data")],
        ] as const
        for (const [weights, due] of cases) expectRefused(() => run(weights, around), due, around.watched, call)
      }
    }
  })

  test("a view of the library's memory outside any allocation", () => {
    refuse(new Uint8Array(keep(allocate([1])).data.buffer, 0, 3), outside("weights"))
  })

  test("views whose buffer was transferred", () => {
    const gone = () => {
      const view = Float32Array.of(1, 1, 1)
      structuredClone(view, { transfer: [view.buffer] })
      return view
    }
    refuse(gone(), goneError("weights"))
    refuse({ data: gone(), shape: [3] }, goneError("weights.data"))
  })
})

describe("a channel without any weight is refused", () => {
  const byBatch = slots.filter(({ call }) => ["moments", "forward", "BatchNorm.forward"].includes(call))
  const none = (channel: number) =>
    argumentError("weights", "an element with weight in each channel", `none in channel ${channel}`)

  test("where the statistics are those of the batch", () => {
    expect(byBatch).toHaveLength(3)
    refuse([1, 0, 1], none(1), byBatch)
    refuse([true, true, false], none(2), byBatch)
    refuse({ data: [0, 0, 0, 0], shape: [4, 1] }, none(0), byBatch)
    refuse({ data: [0, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1], shape: [4, 3] }, none(0), byBatch)
    refuse([-0, 1, 1], none(0), byBatch)
  })

  test("and nowhere else", () => {
    const others = slots.filter((slot) => !byBatch.includes(slot) && slot.call !== "backward")
    expect(others).toHaveLength(3)
    for (const { run } of others) run([1, 0, 1], bench({ type: "float32", home: "ordinary" }))
  })

  test("of an empty batch, by what is more to the point", () => {
    const empty = { data: new Float32Array(0), shape: [0, 3] }
    const due = argumentError("x", "an element per channel", "none: the batch is empty")
    for (const weights of [[1, 1, 1], [0, 0, 0], { data: [], shape: [0, 1] }]) {
      expectRefused(() => forward(empty, { weights }), due)
      expectRefused(() => moments(empty, [0], { weights }), due)
      expectRefused(() => new BatchNorm(3).forward(empty, { weights }), due)
    }
  })
})

describe("a layer that does not train on one element", () => {
  const rows = (...data: (number | boolean)[]) => ({ data, shape: [4, 1] })

  test.each([
    [rows(1, 0, 0, 0), "1 in channel 0"],
    [rows(false, false, true, false), "1 in channel 0"],
    [rows(0.25, 0.25, 0.25, 0.25), "1 in channel 0"],
    [rows(0.5, 0, 0, 0.25), "0.75 in channel 0"],
    [rows(0, 0, 0, 0), "none in channel 0"],
    [{ data: [1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0], shape: [4, 3] }, "1 in channel 1"],
  ])("does not on no more weight than its, %j", (weights, actual) => {
    const due = argumentError("weights", "more weight than 1 in each channel to train on", actual)
    for (const options of [{ convention: "torch" }, { singleElement: "throw" }] as const) {
      for (const setting of inBoth) {
        const { x, dy, out } = bench(setting)
        const layer = new BatchNorm(3, options)
        layer.forward(x)
        const { runningMean, runningVariance } = layer
        const watched = { x: x.data, out: out.data, runningMean, runningVariance }
        expectRefused(() => layer.forward(x, { weights, out }), due, watched, label(setting))
        expect(layer.batches).toBe(1)
        layer.backward(dy)
        layer.forward(x, { weights, training: false })
      }
    }
  })

  test("does on a little more", () => {
    const layer = new BatchNorm(3, { convention: "torch" })
    layer.forward(bench({ type: "float32", home: "ordinary" }).x, { weights: rows(1, 2 ** -9, 0, 0) })
    expect(layer.batches).toBe(1)
  })
})

test("weights so far apart that f64 cannot compare them are refused", () => {
  const { x } = bench(settings("ordinary")[0]!)
  const weights = { data: [1e200, 1e-200, 1e200, 1e-200], shape: [4, 1] }
  const due = argumentError("weights", "weights that f64 can compare", "1e-200 beside 1e+200")
  expectRefused(() => moments(x, [0], { weights }), due)
  expectRefused(() => forward(x, { weights }), due)
  expect(moments(x, [0], { weights: { data: [1e100, 1e-100, 0, 1e100], shape: [4, 1] } }).mean.data).not.toContain(
    Number.NaN,
  )
})

describe("the backward pass", () => {
  // As many in sum as there are elements, as sample weights often are.
  const weights = { data: [2, 1, 0, 1], shape: [4, 1] }

  /** What forward saved, with these weights or none, by the statistics of the batch and by given ones. */
  function passes({ x }: Bench, weights: Weights | null): Saved[] {
    const given = { mean: [0, 0, 0], variance: [1, 1, 1] }
    return [forward(x, { weights }).saved, forward(x, { ...given, weights }).saved]
  }

  function refuseBoth(had: Weights | null, weights: Weights | null | undefined, due: Refusal): void {
    for (const setting of inBoth) {
      const around = bench(setting)
      const { x, dy, out } = around
      for (const saved of passes(around, had)) {
        const { mean, variance, count } = saved
        const watched = { ...around.watched, mean, variance, count }
        const options = { need: ["dx", "dbeta"], weights, out: { dx: out } } as const
        expectRefused(() => backward(dy, x, saved, options), due, watched, label(setting))
      }
    }
  }

  test("is refused without the weights that forward had, even if they sum up to the elements", () => {
    for (const absent of [undefined, null]) {
      const due = argumentError("weights", "those that forward was given", "nothing")
      refuseBoth(weights, absent, due)
      refuseBoth([1, 1, 1], absent, due)
      refuseBoth({ data: [1, 1, 0, 0], shape: [4, 1] }, absent, due)
    }
  })

  test("is refused with weights where forward had none", () => {
    const due = argumentError("weights", "none, as forward was given: saved.hasWeights says if so", "some")
    refuseBoth(null, weights, due)
    refuseBoth(null, [1, 1, 1], due)
  })

  test("is refused with weights of another sum than forward's", () => {
    const due = (channel: number, total: number) =>
      argumentError("weights", `those that forward had, 4 in sum in channel ${channel}`, `${total}`)
    refuseBoth(weights, { data: [2, 1, 0, 2], shape: [4, 1] }, due(0, 5))
    refuseBoth(weights, [1, 1, 0.5], due(2, 2))
    refuseBoth(weights, [1, 0, 1], due(1, 0))
    refuseBoth(weights, { data: [2, 1, 0, 1 + 2 ** -20], shape: [4, 1] }, due(0, 4 + 2 ** -20))
  })

  test("takes the same weights in another form", () => {
    const around = bench({ type: "float64", home: "ordinary" })
    const { x, dy } = around
    const spread = { data: [2, 1, 0, 1].flatMap((weight) => [weight, weight, weight]), shape: [4, 3] }
    for (const saved of passes(around, weights)) {
      expect(backward(dy, x, saved, { weights: spread })).toEqual(backward(dy, x, saved, { weights }))
    }
  })

  test("knows whether there were weights from what forward saved, through a clone and where it saved before", () => {
    const around = bench({ type: "float64", home: "ordinary" })
    const { x, dy } = around
    const { saved, y } = forward(x, { weights })
    expect(saved.hasWeights).toBe(true)
    expect(backward(dy, x, structuredClone(saved), { weights })).toEqual(backward(dy, x, saved, { weights }))
    expect(infer(x, saved)).toEqual(y)
    forward(x, { out: { saved } })
    expect(saved.hasWeights).toBe(false)
    expect(backward(dy, x, saved)).toEqual(backward(dy, x, forward(x).saved))
    expect(forward(x).saved).not.toHaveProperty("hasWeights")
    const due = argumentError("saved.hasWeights", "true or false", '"yes"')
    expectRefused(() => backward(dy, x, { ...saved, hasWeights: "yes" as never }), due, around.watched)
  })
})

describe("the backward pass of the layer", () => {
  const pass = (weights: Weights, setting = inBoth[0]!) => {
    const around = bench(setting)
    around.layer.forward(around.x, { weights })
    around.layer.dgamma.set([7, 8, 9])
    around.layer.dbeta.set([7, 8, 9])
    return around
  }

  test("is refused where the weights were disposed meanwhile", () => {
    const weights = allocate([3], "float64")
    weights.data.set([1, 2, 1])
    const { layer, dy, watched } = pass(weights)
    weights.dispose()
    expectRefused(() => layer.backward(dy), disposedError("weights"), watched)
  })

  test("is refused where the weights were written to meanwhile", () => {
    const data = [1, 2, 1]
    const { layer, dy, watched } = pass(data)
    data[1] = 1
    const due = argumentError("weights", "those that forward had, 8 in sum in channel 1", "4")
    expectRefused(() => layer.backward(dy), due, watched)
    data[1] = Number.NaN
    const none = argumentError("weights[1]", "true, false or a finite weight from 0 on", "NaN")
    expectRefused(() => layer.backward(dy), none, watched)
    data[1] = 2
    expect(layer.backward(dy)).toEqual(pass([1, 2, 1]).layer.backward(dy))
  })

  test("survives an allocate that moves the weights, and is refused where they were a view", () => {
    const array = keep(allocate([3], "float64"))
    array.data.set([1, 2, 1])
    const kept = pass(array)
    const view = pass(array.data)
    const due = pass([1, 2, 1]).layer.backward(kept.dy)
    keep(allocate([array.data.buffer.byteLength / 4]))
    expect(kept.layer.backward(kept.dy)).toEqual(due)
    expectRefusal(
      thrown(() => view.layer.backward(view.dy)),
      goneError("weights"),
    )
  })
})

test("results that share memory with the weights are refused", () => {
  const apart = (name: string) =>
    argumentError(name, "none of the elements of weights", "some of them: give it memory of its own")
  const doubles = { type: "float64", home: "ordinary" } as const
  /** Weights of all elements, a view of those that are to be written among them. */
  const room = new Float64Array(36).fill(1)
  const array = (start: number): NdArray<Float64Array> => ({ data: room.subarray(start, start + 12), shape })
  const vector = room.subarray(14, 17) as Vector
  for (const weights of [{ data: room.subarray(12, 24), shape }, room.subarray(14, 17)]) {
    const around = bench(doubles)
    const { x, layer } = around
    const dy = { data: Float64Array.from(numbers(12, 5)), shape }
    const { saved } = forward(x, { weights, mean: [0, 0, 0], variance: [1, 1, 1], residual: dy })
    const own = { ...saved, mean: new Float64Array(3), variance: new Float64Array(3), count: new Float64Array(3) }
    layer.forward(x, { weights })
    const all = ["dx", "dgamma", "dbeta", "dmean", "dvariance", "dresidual"] as const
    const back = (out: object) => () =>
      backward<FloatArray, NdArray, keyof Gradients>(dy, x, saved, { need: all, weights, out })
    const wrapped = { data: vector, shape: [3] }
    const calls: readonly (readonly [() => unknown, string])[] = [
      [() => moments(x, [0], { weights, out: { mean: wrapped } }), "out.mean.data"],
      [() => moments(x, [0], { weights, out: { variance: wrapped } }), "out.variance.data"],
      ...[4, 12, 20].flatMap((start): (readonly [() => unknown, string])[] => {
        // Bare weights are but three elements.
        if (weights instanceof Float64Array && start === 20) return []
        return [
          [() => forward<FloatArray, NdArray>(x, { weights, out: { y: array(start) } }), "out.y.data"],
          [() => layer.forward<FloatArray, NdArray>(x, { weights, out: array(start) }), "out.data"],
          [back({ dx: array(start) }), "out.dx.data"],
          [back({ dresidual: array(start) }), "out.dresidual.data"],
          [() => layer.backward<FloatArray, NdArray>(dy, { out: { dx: array(start) } }), "out.dx.data"],
        ]
      }),
      ...(["mean", "variance", "count"] as const).map(
        (name) =>
          [() => forward(x, { weights, out: { saved: { ...own, [name]: vector } } }), `out.saved.${name}`] as const,
      ),
      ...(["dgamma", "dbeta", "dmean", "dvariance"] as const).map(
        (name) => [back({ [name]: vector }), `out.${name}`] as const,
      ),
    ]
    for (const [call, name] of calls) expectRefused(call, apart(name), { ...around.watched, room }, name)
  }
})

test("a result that only touches the weights is written", () => {
  const room = new Float64Array(36).fill(1)
  const weights = { data: room.subarray(12, 24), shape }
  const x = { data: Float64Array.from(numbers(12)), shape }
  const due = forward(x, { weights: new Float64Array(3).fill(1) }).y
  for (const start of [0, 24]) {
    const y = { data: room.subarray(start, start + 12), shape }
    expect([...forward<FloatArray, NdArray>(x, { weights, out: { y } }).y.data]).toEqual([...due.data])
  }
  expect([...weights.data]).toEqual(Array(12).fill(1))
})

test("weights whose sum leaves the range of numbers are refused, though each is finite", () => {
  const due = (channel: number) =>
    argumentError(
      "weights",
      "weights of a finite sum in each channel",
      `more than a number holds in channel ${channel}`,
    )
  const most = Number.MAX_VALUE
  refuse({ data: [0, most, most, 0], shape: [4, 1] }, due(0))
  refuse([1, 2 ** 1022, 1], due(1))
  refuse({ data: [1, 1, 1, 1, 1, most, 1, 1, most, 1, 1, 1], shape: [4, 3] }, due(2))
})
