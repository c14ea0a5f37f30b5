import {
  ArgumentError,
  allocate,
  BatchNorm,
  BatchNormError,
  backward,
  batchNormalization,
  DisposedError,
  forward,
  infer,
  init,
  initSync,
  Moments,
  moments,
  type NdArray,
  OutOfMemoryError,
  ShapeError,
  Standardizer,
  StateError,
  sufficientStatistics,
  UnsupportedError,
} from "batchnorm"
import { describe, expect, test } from "vitest"
import { keep, numbers, place, settings, types } from "./support/arrays.ts"
import {
  argumentError,
  expectRefusal,
  expectRefused,
  type Refusal,
  shapeError,
  stateError,
  thrown,
} from "./support/refuses.ts"
import { type Bench, bench, shape } from "./support/slots.ts"

const ordinary = { type: "float32", home: "ordinary" } as const
const inBoth = settings("ordinary", "resident")

type Call = (bench: Bench) => unknown

/** Each call is refused as it is due, whatever the element type and place of x. */
function refuseAll(calls: readonly (readonly [string, Call, Refusal])[]): void {
  for (const [name, call, due] of calls) {
    for (const setting of inBoth) {
      const around = bench(setting)
      expectRefused(() => call(around), due, around.watched, name)
    }
  }
}

const given = { mean: [0, 0, 0], variance: [1, 1, 1] }

test("every error has its class, its name and a code that holds across copies of the package", () => {
  const error = thrown(() => moments(null as never)) as ArgumentError
  expect(error).toBeInstanceOf(ArgumentError)
  expect(error).toBeInstanceOf(BatchNormError)
  expect(error).toBeInstanceOf(Error)
  expect(error).not.toBeInstanceOf(ShapeError)
  expect(`${error}`).toBe("ArgumentError: x: expected { data, shape }, got null")
  expect(error.stack).toContain("ArgumentError")
  const names = [ArgumentError, BatchNormError, DisposedError, OutOfMemoryError, ShapeError, StateError].map(
    ({ name }) => name,
  )
  expect([...names, UnsupportedError.name]).toEqual([
    "ArgumentError",
    "BatchNormError",
    "DisposedError",
    "OutOfMemoryError",
    "ShapeError",
    "StateError",
    "UnsupportedError",
  ])
})

describe("axes", () => {
  const range = "an axis from -2 to 1"
  const bad = [
    [2, range, "2"],
    [-3, range, "-3"],
    [0.5, range, "0.5"],
    [Number.NaN, range, "NaN"],
    [Number.POSITIVE_INFINITY, range, "Infinity"],
    ["0", "an axis or an array of axes", '"0"'],
    [{}, "an axis or an array of axes", "an Object"],
    [true, "an axis or an array of axes", "true"],
    [Int32Array.of(0), "an axis or an array of axes", "an Int32Array"],
  ] as const

  test.each(bad)("an axis of %s is refused", (axis, expected, actual) => {
    const value = axis as number
    refuseAll([
      ["moments", ({ x }) => moments(x, value), argumentError("axes", expected, actual)],
      ["sufficientStatistics", ({ x }) => sufficientStatistics(x, value), argumentError("axes", expected, actual)],
      [
        "forward",
        ({ x, out }) => forward(x, { axis: value, out: { y: out } }),
        argumentError("axis", expected, actual),
      ],
      ["infer", ({ x, out }) => infer(x, { ...given, axis: value, out }), argumentError("axis", expected, actual)],
    ])
  })

  test.each([
    [[0, 2], 1, range, "2"],
    [[-3], 0, range, "-3"],
    [["1"], 0, range, '"1"'],
    [[undefined], 0, range, "undefined"],
    // biome-ignore lint/suspicious/noSparseArray: it is the point
    [[, 1], 0, range, "undefined"],
    [[0, 0], 1, "each axis once", "0: axis 0 twice"],
    [[1, -1], 1, "each axis once", "-1: axis 1 twice"],
    [[0, 1, -2], 2, "each axis once", "-2: axis 0 twice"],
  ])("axes of %j are refused", (axes, index, expected, actual) => {
    const list = axes as number[]
    const due = (name: string) => argumentError(`${name}[${index}]`, expected, actual)
    refuseAll([
      ["moments", ({ x }) => moments(x, list), due("axes")],
      ["sufficientStatistics", ({ x }) => sufficientStatistics(x, list), due("axes")],
      ["forward", ({ x, out }) => forward(x, { axis: list, out: { y: out } }), due("axis")],
      ["infer", ({ x, out }) => infer(x, { ...given, axis: list, out }), due("axis")],
      [
        "backward",
        ({ x, dy, saved, out }) => backward(dy, x, { ...saved, axis: list }, { out: { dx: out } }),
        due("saved.axis"),
      ],
    ])
  })

  test("the twin of the only axis is refused", () => {
    const x = { data: new Float32Array(3), shape: [3] }
    expectRefused(() => moments(x, [0, -1]), argumentError("axes[1]", "each axis once", "-1: axis 0 twice"))
    expectRefused(() => moments(x, [-1, 0]), argumentError("axes[1]", "each axis once", "0: axis 0 twice"))
    expectRefused(() => forward(x, { axis: [0, -1] }), argumentError("axis[1]", "each axis once", "-1: axis 0 twice"))
    expect([...moments(x, [0]).mean.data]).toEqual([0])
    expect([...moments(x, [-1]).mean.data]).toEqual([0])
  })

  test("a scalar has no axis", () => {
    const x = { data: Float32Array.of(2), shape: [] }
    for (const axis of [0, -1, 1]) {
      expectRefused(() => moments(x, axis), argumentError("axes", "no axis of a scalar", `${axis}`))
      expectRefused(() => forward(x, { axis }), argumentError("axis", "no axis of a scalar", `${axis}`))
    }
  })

  test("the layer refuses an axis that no x can have, or twice, when it is made", () => {
    const expected = "an axis from -32 to 31"
    for (const axis of [32, -33, 0.5, Number.NaN]) {
      expectRefused(() => new BatchNorm(3, { axis }), argumentError("axis", expected, `${axis}`))
      expectRefused(() => new BatchNorm(3, { axis: [0, axis] }), argumentError("axis[1]", expected, `${axis}`))
    }
    expectRefused(() => new BatchNorm(3, { axis: [1, 1] }), argumentError("axis[1]", "each axis once", "1 twice"))
    expectRefused(
      () => new BatchNorm(3, { axis: "1" as never }),
      argumentError("axis", "an axis or an array of axes", '"1"'),
    )
  })

  test("the layer refuses an x without its axis, or with other channels along it", () => {
    const layer = new BatchNorm(3, { convention: "torch" })
    const { runningMean } = layer
    const flat = { data: new Float32Array(3), shape: [3] }
    const wide = { data: new Float32Array(20), shape: [5, 4] }
    const noAxis = shapeError("x.shape", "an axis 1, along which the channels lie", "[3]")
    const otherChannels = shapeError("x.shape[1]", "3 channels along axis [1]", "4")
    for (const call of [(x: NdArray) => layer.forward(x), (x: NdArray) => layer.infer(x)]) {
      expectRefused(() => call(flat), noAxis, { runningMean })
      expectRefused(() => call(wide), otherChannels, { runningMean })
    }
    const several = new BatchNorm(6, { axis: [0, -1] })
    expectRefused(() => several.forward(wide), shapeError("x.shape", "6 channels along axis [0, 1]", "20"))
    expectRefused(
      () => several.forward({ data: new Float32Array(6), shape: [6] }),
      argumentError("axis[1]", "each axis once", "-1: axis 0 twice"),
    )
  })
})

describe("numbers and names", () => {
  test.each([
    [-1e-3, "-0.001"],
    [-Number.MIN_VALUE, "-5e-324"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
    [null, "null"],
    ["1e-3", '"1e-3"'],
    [0n, "0n"],
  ])("an ε of %s is refused", (value, actual) => {
    const epsilon = value as number
    const due = (name: string) => argumentError(name, "a finite number from 0 on", actual)
    refuseAll([
      ["batchNormalization", ({ x, out }) => batchNormalization(x, 0, 1, 0, 1, epsilon, { out }), due("epsilon")],
      ["forward", ({ x, out }) => forward(x, { epsilon, out: { y: out } }), due("epsilon")],
      ["infer", ({ x, out }) => infer(x, { ...given, epsilon, out }), due("epsilon")],
      [
        "backward",
        ({ x, dy, saved, out }) => backward(dy, x, { ...saved, epsilon }, { out: { dx: out } }),
        due("saved.epsilon"),
      ],
      ["new BatchNorm", () => new BatchNorm(3, { epsilon }), due("epsilon")],
    ])
  })

  test.each([
    ["tanh", '"tanh"'],
    ["ReLU", '"ReLU"'],
    [true, "true"],
    [Math.tanh, "a function"],
  ])("an activation of %s is refused", (value, actual) => {
    const activation = value as "relu"
    const due = (name: string) => argumentError(name, '"relu" or null', actual)
    refuseAll([
      ["forward", ({ x, out }) => forward(x, { activation, out: { y: out } }), due("activation")],
      ["infer", ({ x, out }) => infer(x, { ...given, activation, out }), due("activation")],
      ["backward", ({ x, dy, saved }) => backward(dy, x, { ...saved, activation }), due("saved.activation")],
      ["new BatchNorm", () => new BatchNorm(3, { activation }), due("activation")],
    ])
  })

  test.each([
    ["pytorch", '"pytorch"'],
    ["Keras", '"Keras"'],
    ["constructor", '"constructor"'],
    ["__proto__", '"__proto__"'],
    ["toString", '"toString"'],
    ["", '""'],
    [null, "null"],
    [0, "0"],
    [["torch"], "an Array of 1"],
  ])("a convention of %j is refused", (convention, actual) => {
    const expected = '"keras" or "torch" or "onnx" or "tf-fused"'
    expectRefused(
      () => new BatchNorm(3, { convention: convention as "torch" }),
      argumentError("convention", expected, actual),
    )
  })

  test.each([
    [-0.1, "-0.1"],
    [1.1, "1.1"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    ["0.9", '"0.9"'],
  ])("a momentum of %s is refused in every convention", (momentum, actual) => {
    for (const convention of ["keras", "torch", "onnx", "tf-fused"] as const) {
      expectRefused(
        () => new BatchNorm(3, { convention, momentum: momentum as number }),
        argumentError("momentum", "a number from 0 to 1", actual),
      )
    }
  })

  test.each(["keras", "onnx", "tf-fused"] as const)(
    "a momentum of null is refused by %s, which has no such average",
    (convention) => {
      expectRefused(
        () => new BatchNorm(3, { convention, momentum: null }),
        argumentError("momentum", `a number: "${convention}" has no cumulative average`, "null"),
      )
    },
  )

  test.each([
    [undefined, "undefined"],
    [0, "0"],
    [-3, "-3"],
    [1.5, "1.5"],
    [Number.NaN, "NaN"],
    [2 ** 31, "2147483648"],
    [2 ** 60, "1152921504606847000"],
    ["3", '"3"'],
    [[3], "an Array of 1"],
  ])("%s channels are refused", (channels, actual) => {
    const due = argumentError("channels", "a whole number from 1 on, below 2^31", actual)
    expectRefused(() => new BatchNorm(channels as number), due)
  })

  test.each([1, 0, "yes", null])("%j in place of true or false is refused", (value) => {
    const flag = value as unknown as boolean
    const due = (name: string) => argumentError(name, "true or false", JSON.stringify(value))
    refuseAll([
      ["keepDims", ({ x }) => moments(x, [0], { keepDims: flag }), due("keepDims")],
      ["keepDims", ({ x }) => sufficientStatistics(x, [0], { keepDims: flag }), due("keepDims")],
      ["center", () => new BatchNorm(3, { center: flag }), due("center")],
      ["scale", () => new BatchNorm(3, { scale: flag }), due("scale")],
      ["unbiased", () => new BatchNorm(3, { unbiased: flag }), due("unbiased")],
      ["training", ({ x, out, layer }) => layer.forward(x, { training: flag, out }), due("training")],
      ["updateRunning", ({ x, out, layer }) => layer.forward(x, { updateRunning: flag, out }), due("updateRunning")],
      ["inPlace", ({ x, dy, saved }) => backward(dy, x, { ...saved, inPlace: flag }), due("saved.inPlace")],
      ["frozen", ({ x, dy, saved }) => backward(dy, x, { ...saved, frozen: flag }), due("saved.frozen")],
    ])
  })

  test("an unknown policy for NaN is refused", () => {
    expectRefused(
      () => new BatchNorm(3, { nonFinite: "ignore" as never }),
      argumentError("nonFinite", '"skip" or "throw"', '"ignore"'),
    )
  })

  test.each([
    ["skip", '"skip"'],
    [true, "true"],
    [null, "null"],
  ])("a policy of %j for one element per channel is refused", (value, actual) => {
    for (const convention of ["keras", "torch", "onnx", "tf-fused"] as const) {
      expectRefused(
        () => new BatchNorm(3, { convention, singleElement: value as never }),
        argumentError("singleElement", '"allow" or "throw"', actual),
      )
    }
  })

  test("gradients of other names are refused", () => {
    const names = '"dx" or "dgamma" or "dbeta" or "dmean" or "dvariance" or "dresidual"'
    const layerNames = '"dx" or "dgamma" or "dbeta" or "dresidual"'
    const out = (around: Bench) => ({ dx: around.out })
    refuseAll([
      [
        "backward",
        (b) => backward(b.dy, b.x, b.saved, { need: ["dx", "dw"] as never, out: out(b) }),
        argumentError("need[1]", names, '"dw"'),
      ],
      [
        "BatchNorm.backward",
        (b) => b.layer.backward(b.dy, { need: [undefined] as never, out: out(b) }),
        argumentError("need[0]", layerNames, "undefined"),
      ],
      [
        "backward",
        (b) => backward(b.dy, b.x, b.saved, { need: "dx" as never, out: out(b) }),
        argumentError("need", "an array of names", '"dx"'),
      ],
      [
        "BatchNorm.backward",
        (b) => b.layer.backward(b.dy, { need: "dx" as never, out: out(b) }),
        argumentError("need", "an array of names", '"dx"'),
      ],
    ])
  })
})

describe("options", () => {
  const calls: readonly (readonly [string, string, (options: never, bench: Bench) => unknown])[] = [
    ["moments", "options", (options, { x }) => moments(x, [0], options)],
    ["moments", "out", (out, { x }) => moments(x, [0], { out })],
    ["batchNormalization", "options", (options, { x }) => batchNormalization(x, 0, 1, 0, 1, 0, options)],
    ["forward", "options", (options, { x }) => forward(x, options)],
    ["forward", "out", (out, { x }) => forward(x, { out })],
    ["infer", "options", (options, { x }) => infer(x, options)],
    ["backward", "options", (options, { x, dy, saved }) => backward(dy, x, saved, options)],
    ["backward", "out", (out, { x, dy, saved }) => backward(dy, x, saved, { out })],
    ["new BatchNorm", "options", (options) => new BatchNorm(3, options)],
    ["BatchNorm.forward", "options", (options, { x, layer }) => layer.forward(x, options)],
    ["BatchNorm.backward", "options", (options, { dy, layer }) => layer.backward(dy, options)],
    ["BatchNorm.backward", "out", (out, { dy, layer }) => layer.backward(dy, { out })],
    ["BatchNorm.infer", "options", (options, { x, layer }) => layer.infer(x, options)],
    ["initSync", "options", (options) => initSync(options)],
    ["sufficientStatistics", "options", (options, { x }) => sufficientStatistics(x, [0], options)],
    ["new Moments", "options", (options) => new Moments(3, options)],
    ["Moments.push", "options", (options, { x, moments }) => moments.push(x, options)],
    ["new Standardizer", "options", (options) => new Standardizer(options)],
    ["Standardizer.transform", "options", (options, { x, standardizer }) => standardizer.transform(x, options)],
    ["Standardizer.invert", "options", (options, { x, standardizer }) => standardizer.invert(x, options)],
  ]

  test.each([
    [null, "null"],
    [true, "true"],
    [1e-3, "0.001"],
    ["torch", '"torch"'],
    [[], "an Array of 0"],
    [new Float32Array(3), "a Float32Array"],
    [() => ({}), "a function"],
  ])("%s in place of an object of options is refused", (value, actual) => {
    for (const [call, argument, run] of calls) {
      const around = bench(ordinary)
      const due = argumentError(argument, "an object of options", actual)
      expectRefused(() => run(value as never, around), due, around.watched, call)
    }
  })

  test("an array in place of options, as out is for some libraries, is refused", () => {
    for (const [call, argument, run] of calls) {
      const around = bench(ordinary)
      const actual = "an array: say which option it is, as in { out }"
      const due = argumentError(argument, "an object of options", actual)
      expectRefused(() => run(around.out as never, around), due, around.watched, call)
    }
  })

  test("init rejects what is no object of options", async () => {
    const error = await init("kernel.wasm" as never).catch((cause: unknown) => cause)
    expectRefusal(error, argumentError("options", "an object of options", '"kernel.wasm"'))
  })
})

describe("batches", () => {
  test.each([
    ["channels-last", [0, 3], -1],
    ["channels-first", [0, 3, 4], 1],
    ["channels-first, without any pixel", [2, 3, 0], 1],
    ["of several channel axes", [3, 0, 1], [0, 2]],
  ])("an empty batch, %s, has no statistics", (_, sizes, axis) => {
    const due = argumentError("x", "an element per channel", "none: the batch is empty")
    for (const setting of inBoth) {
      const x = place(setting, sizes, [])
      const layer = new BatchNorm(3, { axis })
      const { runningMean, runningVariance } = layer
      expectRefused(() => forward(x, { axis }), due)
      expectRefused(() => layer.forward(x), due, { runningMean, runningVariance })
      expect(layer.batches).toBe(0)
    }
  })

  test("an empty batch has no moments", () => {
    const due = argumentError("x", "an element per channel", "none: the batch is empty")
    for (const axes of [[0], [0, 1]]) {
      expectRefused(() => moments({ data: new Float32Array(0), shape: [0, 3] }, axes), due)
    }
    expectRefused(() => moments({ data: new Float64Array(0), shape: [0] }), due)
  })

  test.each([
    { convention: "torch" },
    { singleElement: "throw" },
    { convention: "tf-fused", singleElement: "throw" },
  ] as const)("a layer with %j refuses to train on one element per channel", (options) => {
    const layer = new BatchNorm(3, { ...options, axis: 1 })
    const { runningMean, runningVariance } = layer
    const due = (actual: string) => argumentError("x", "2 or more elements per channel to train on", actual)
    const watched = { runningMean, runningVariance }
    expectRefused(() => layer.forward({ data: new Float32Array(3), shape: [1, 3] }), due("1"), watched)
    expectRefused(
      () => layer.forward({ data: new Float32Array(0), shape: [0, 3] }),
      due("none: the batch is empty"),
      watched,
    )
    layer.forward({ data: new Float32Array(3), shape: [1, 3] }, { training: false })
    layer.infer({ data: new Float32Array(3), shape: [1, 3] })
    layer.forward({ data: new Float32Array(6), shape: [1, 3, 2] })
  })
})

describe("what forward saved", () => {
  const x = () => place(ordinary, shape, numbers(12))

  test("is refused where it is missing, or is something else", () => {
    const around = bench(ordinary)
    const { dy, saved, out } = around
    const run = (value: unknown) => () => backward(dy, around.x, value as never, { out: { dx: out } })
    const what = "what forward saved"
    expectRefused(run(undefined), argumentError("saved", what, "nothing"), around.watched)
    expectRefused(run(null), argumentError("saved", what, "null"), around.watched)
    expectRefused(run([saved]), argumentError("saved", what, "an Array of 1"), around.watched)
    expectRefused(run(forward(x())), argumentError("saved.mean", "one number per channel", "nothing"), around.watched)
    const { count: _, ...rest } = saved
    expectRefused(run(rest), argumentError("saved.count", "one number per channel", "nothing"), around.watched)
    expectRefused(
      run(JSON.parse(JSON.stringify(saved))),
      argumentError("saved.gamma", "an array of numbers, one per channel", "an Object"),
      around.watched,
    )
  })

  test("is refused where it is of other channels", () => {
    for (const channels of [2, 4]) {
      const other = forward({ data: new Float32Array(channels * 4), shape: [4, channels] }).saved
      refuseAll([
        [
          "backward",
          ({ dy, x, out }) => backward(dy, x, other, { out: { dx: out } }),
          shapeError("saved.mean", "3 numbers, one per channel", `${channels}`),
        ],
      ])
    }
  })

  test("is refused where it is of a batch of another size", () => {
    for (const rows of [1, 3, 5]) {
      const other = forward({ data: new Float32Array(3 * rows), shape: [rows, 3] }).saved
      refuseAll([
        [
          "backward",
          ({ dy, x, out }) => backward(dy, x, other, { out: { dx: out } }),
          shapeError("saved.count[0]", "4, the elements of x per channel", `${rows}`),
        ],
      ])
    }
  })

  test("is refused where it is of another rank", () => {
    const other = forward({ data: new Float32Array(24), shape: [2, 4, 3] }).saved
    refuseAll([
      [
        "backward",
        ({ dy, x, out }) => backward(dy, x, other, { out: { dx: out } }),
        argumentError("saved.axis[0]", "an axis from -2 to 1", "2"),
      ],
    ])
  })

  test("is refused after a forward in place, which left no x", () => {
    for (const setting of inBoth) {
      const around = bench(setting)
      const { saved } = forward(around.x, { out: { y: around.x } })
      expect(saved.inPlace).toBe(true)
      expectRefused(
        () => backward(around.dy, around.x, saved, { out: { dx: around.out } }),
        stateError("saved: forward wrote y over x, so x is gone: give it another array for y to go back", "saved"),
        around.watched,
      )
    }
  })

  test("is as good after a forward into another array, though that lies beside x", () => {
    const room = place(ordinary, [24], numbers(24)).data
    const array = { data: room.subarray(0, 12), shape }
    const { saved } = forward(array, { out: { y: { data: room.subarray(12), shape } } })
    expect(saved.inPlace).toBe(false)
    backward(x(), array, saved)
  })
})

describe("the backward pass of the layer", () => {
  const noForward = stateError("backward: no forward pass to go back from; each forward allows one backward")
  const fresh = () => new BatchNorm(3)

  test("is refused before any forward pass, and after infer alone", () => {
    for (const setting of inBoth) {
      const { x, dy } = bench(setting)
      const layer = fresh()
      const { dgamma, dbeta } = layer
      expectRefused(() => layer.backward(dy), noForward, { dgamma, dbeta })
      layer.infer(x)
      expectRefused(() => layer.backward(dy), noForward, { dgamma, dbeta })
    }
  })

  test("is refused the second time", () => {
    for (const setting of inBoth) {
      const { dy, layer, watched, out } = bench(setting)
      layer.backward(dy)
      expectRefused(() => layer.backward(dy, { out: { dx: out } }), noForward, watched)
    }
  })

  test("is refused after a forward pass in place", () => {
    for (const setting of inBoth) {
      const { x, dy, layer, watched, out } = bench(setting)
      layer.forward(x, { out: x })
      const due = stateError("backward: forward wrote y over x, so x is gone: give forward another `out` to go back")
      expectRefused(() => layer.backward(dy, { out: { dx: out } }), due, watched)
      layer.forward(x)
      layer.backward(dy)
    }
  })

  test("can be tried again after it was refused for its arguments", () => {
    const { x, dy, layer } = bench(ordinary)
    const due = layer.backward(dy)
    layer.forward(x)
    expect(() => layer.backward({ data: new Float32Array(3), shape: [1, 3] })).toThrow(ShapeError)
    expect(() => layer.backward(dy, { need: ["dz" as never] })).toThrow(ArgumentError)
    expect(layer.backward(dy)).toEqual(due)
  })

  test("goes with the last forward pass that was not refused", () => {
    const { dy, layer } = bench(ordinary)
    expect(() => layer.forward({ data: new Float32Array(4), shape: [1, 4] })).toThrow(ShapeError)
    layer.backward(dy)
  })

  test("is refused where x was disposed meanwhile", () => {
    const layer = fresh()
    const x = allocate(shape)
    layer.forward(x)
    x.dispose()
    const { dgamma, dbeta } = layer
    const error = thrown(() => layer.backward({ data: new Float32Array(12), shape }))
    expectRefusal(error, {
      kind: "DisposedError",
      argument: "x",
      message: "x: expected a live array, got one that was disposed",
    })
    expect([...dgamma, ...dbeta]).toEqual([0, 0, 0, 0, 0, 0])
  })

  test("survives an allocate that moves x in memory", () => {
    const layer = fresh()
    const x = keep(allocate(shape))
    x.data.set(numbers(12))
    const before = layer.forward(x)
    keep(allocate([x.data.buffer.byteLength / 4]))
    const dy = { data: Float32Array.from(before.data), shape }
    const { dx } = layer.backward(dy)
    layer.forward({ data: Float32Array.from(numbers(12)), shape })
    expect(dx).toEqual(layer.backward(dy).dx)
  })
})

describe("allocate", () => {
  test.each([
    [undefined, "shape", "an Array of sizes", "undefined"],
    [3, "shape", "an Array of sizes", "3"],
    [[-1], "shape[0]", "a whole number from 0 on, below 2^53", "-1"],
    [[2, 0.5], "shape[1]", "a whole number from 0 on, below 2^53", "0.5"],
    [[Number.NaN], "shape[0]", "a whole number from 0 on, below 2^53", "NaN"],
    [[2 ** 53], "shape[0]", "a whole number from 0 on, below 2^53", "9007199254740992"],
    [[2 ** 30, 2 ** 30], "shape", "fewer than 2^53 elements", "[1073741824, 1073741824]"],
    [Array(33).fill(1), "shape", "at most 32 axes", "33"],
  ])("refuses the shape %j", (sizes, argument, expected, actual) => {
    expectRefused(() => allocate(sizes as number[]), shapeError(argument, expected, actual))
  })

  test.each([
    ["float16", '"float16"'],
    ["f32", '"f32"'],
    [null, "null"],
    [Float32Array, "a function"],
  ])("refuses the element type %s", (dtype, actual) => {
    expectRefused(() => allocate([2], dtype as "float32"), argumentError("dtype", '"float32" or "float64"', actual))
  })

  test.each([
    [[2 ** 30], "float32", 2 ** 32],
    [[2 ** 29], "float64", 2 ** 32],
    [[2 ** 40], "float32", 2 ** 42],
    [[2 ** 52], "float64", 2 ** 55],
  ] as const)("tells that there is no memory for %j of %s, after which all works on", (sizes, type, bytes) => {
    const x = place(ordinary, [2], [1, 3])
    expectRefused(() => allocate(sizes, type as "float32"), {
      kind: "OutOfMemoryError",
      argument: undefined,
      message: `allocate: the engine has no ${bytes} more bytes of WebAssembly memory to give`,
    })
    expect(moments(x).mean.data[0]).toBe(2)
    expect([...keep(allocate([3])).data]).toEqual([0, 0, 0])
  })

  test("gives an array whose data are an error once it was disposed", () => {
    for (const type of ["float32", "float64"] as const) {
      const array = allocate([2], type as "float32")
      expect(array.data).toBeInstanceOf(types[type])
      array.dispose()
      expectRefusal(
        thrown(() => array.data),
        { kind: "DisposedError", argument: "data", message: "data: expected a live array, got one that was disposed" },
      )
      array.dispose()
      expect(array.shape).toEqual([2])
    }
  })
})
