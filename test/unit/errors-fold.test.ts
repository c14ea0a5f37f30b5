import {
  allocate,
  BatchNorm,
  type ConvLayout,
  type FloatArray,
  type Folded,
  foldIntoConv,
  foldIntoDense,
  forward,
  type NdArray,
} from "batchnorm"
import { describe, expect, test } from "vitest"
import { convLayouts } from "../support/convolutions.ts"
import { label, numbers, place, product, type Setting, settings, types } from "./support/arrays.ts"
import { argumentError, expectRefused, goneError, type Refusal, shapeError, unknownOption } from "./support/refuses.ts"

const inBoth = settings("ordinary", "resident")
const ordinary = { type: "float32", home: "ordinary" } as const
const layoutNames = '"hwio" or "oihw" or "iohw" or "hwoi" or "hwim"'
const someOfThem = "some of them: give it memory of its own"

/** A good set of arguments of three channels, and results that a failing call must leave alone too. */
function bench(setting: Setting) {
  const weights = place(setting, [4, 3], numbers(12))
  const out = { weights: place(setting, [4, 3], numbers(12, 9)), bias: Float64Array.from(numbers(3, 9)) }
  const bias = Float64Array.from(numbers(3, 5))
  const given = {
    mean: Float64Array.of(1, 2, 3),
    variance: Float64Array.of(4, 5, 6),
    gamma: Float64Array.of(7, 8, 9),
    beta: Float64Array.of(1, 3, 5),
  }
  const layer = new BatchNorm(3)
  const { runningMean, runningVariance, gamma, beta } = layer
  const watched = {
    ...{ weights: weights.data, outWeights: out.weights.data, outBias: out.bias, bias },
    ...given,
    ...{ runningMean, runningVariance, layerGamma: gamma, layerBeta: beta },
  }
  return { weights, out, bias, given, layer, watched }
}
type Bench = ReturnType<typeof bench>

/** Each call is refused as it is due, whatever the element type and place of the weights. */
function refuseAll(calls: readonly (readonly [(bench: Bench) => unknown, Refusal])[]): void {
  for (const [call, due] of calls) {
    for (const setting of inBoth) {
      const around = bench(setting)
      expectRefused(() => call(around), due, around.watched, `${label(setting)}: ${due.message}`)
    }
  }
}

const refuse = (call: (bench: Bench) => unknown, due: Refusal): void => refuseAll([[call, due]])

/** Weights for which only the shape is looked at. */
const shaped = (...shape: number[]): NdArray => ({ data: new Float32Array(product(shape)), shape })

describe("weights", () => {
  test.each([[[]], [[12]], [[1, 4, 3]], [[1, 1, 4, 3]]])("of shape %j are no dense layer's", (shape) => {
    for (const layout of ["io", "oi"] as const) {
      const due = shapeError("weights.shape", "2 axes", `[${shape.join(", ")}]`)
      refuse(({ bias, given, out }) => foldIntoDense(shaped(...shape), bias, given, { layout, out }), due)
    }
  })

  test.each([[[]], [[3]], [[4, 3]], [[1, 1, 1, 1, 4, 3]]])("of shape %j are no convolution's", (shape) => {
    for (const layout of convLayouts) {
      const due = shapeError("weights.shape", "3 to 5 axes, 1 to 3 of them of space", `[${shape.join(", ")}]`)
      refuse(({ bias, given, out }) => foldIntoConv(shaped(...shape), bias, given, { layout, out }), due)
    }
  })

  test("of a convolution have to be an array", () => {
    const call = ({ given }: Bench) => foldIntoConv(null as never, null, given, { layout: "hwio" })
    refuse(call, argumentError("weights", "{ data, shape }", "null"))
  })
})

describe("a layout", () => {
  test.each([
    ["hwio", '"hwio"'],
    ["IO", '"IO"'],
    [null, "null"],
    [0, "0"],
  ])("%j is none of a dense layer", (layout, actual) => {
    const options = { layout: layout as never }
    const due = argumentError("layout", '"io" or "oi"', actual)
    refuse(({ weights, bias, given, out }) => foldIntoDense(weights, bias, given, { ...options, out }), due)
  })

  test.each([
    ["io", '"io"'],
    ["oiw", '"oiw"'],
    ["OIHW", '"OIHW"'],
    [null, "null"],
    [1, "1"],
  ])("%j is none of a convolution", (layout, actual) => {
    const options = { layout: layout as never }
    const due = argumentError("layout", layoutNames, actual)
    refuse(({ given, out }) => foldIntoConv(shaped(1, 4, 3), null, given, { ...options, out: out as never }), due)
  })

  test("of a convolution has to be said", () => {
    const call = (options: unknown) => (around: Bench) =>
      foldIntoConv(shaped(1, 4, 3), null, around.given, options as never)
    refuseAll([
      [call(undefined), argumentError("options", "{ layout }", "nothing")],
      [call({}), argumentError("layout", layoutNames, "nothing")],
      [call({ groups: 1 }), argumentError("layout", layoutNames, "nothing")],
      [call(null), argumentError("options", "an object of options", "null")],
      [call("hwio"), argumentError("options", "an object of options", '"hwio"')],
    ])
  })
})

describe("an option that there is not", () => {
  test.each([
    ["groups", "dense"],
    ["axis", "dense"],
    ["transposed", "conv"],
    ["axis", "conv"],
  ])("%s, is refused: %s", (name, kind) => {
    const known = kind === "dense" ? "layout, out" : "layout, groups, out"
    const due = unknownOption(`options.${name}`, known)
    refuse(
      ({ weights, given }) =>
        kind === "dense"
          ? foldIntoDense(weights, null, given, { [name]: 1 } as never)
          : foldIntoConv(shaped(1, 4, 3), null, given, { layout: "hwio", [name]: 1 } as never),
      due,
    )
  })

  test("of out is refused", () => {
    const due = unknownOption("out.y", "weights, bias")
    refuse(({ weights, given }) => foldIntoDense(weights, null, given, { out: { y: weights } as never }), due)
  })
})

describe("groups", () => {
  test.each([
    [0, "0"],
    [-2, "-2"],
    [1.5, "1.5"],
    [Number.NaN, "NaN"],
    [2 ** 31, "2147483648"],
    ["2", '"2"'],
    [null, "null"],
  ])("have to be a whole number: %s", (groups, actual) => {
    for (const layout of ["hwio", "oihw", "iohw", "hwoi"] as const) {
      const due = argumentError("groups", "a whole number from 1 on, below 2^31", actual)
      refuse(({ given }) => foldIntoConv(shaped(3, 3, 3), null, given, { layout, groups: groups as number }), due)
    }
  })

  test.each([
    ["hwio", [2, 2, 4, 6], 3],
    ["oihw", [6, 4, 2, 2], 0],
    ["iohw", [6, 4, 2, 2], 0],
    ["hwoi", [2, 2, 4, 6], 3],
  ] as const)('have to divide the channels that lie side by side: "%s"', (layout, shape, axis) => {
    const due = argumentError("groups", `a divisor of 6, weights.shape[${axis}]`, "4")
    refuse(({ given }) => foldIntoConv(shaped(...shape), null, given, { layout, groups: 4 }), due)
  })

  test.each([1, 2, 6, 0.5, null, "3"])("of a depthwise convolution are its inputs: %j", (groups) => {
    const due = argumentError("groups", 'none or 3, weights.shape[2], for "hwim"', JSON.stringify(groups))
    refuse(
      ({ given }) => foldIntoConv(shaped(2, 2, 3, 1), null, given, { layout: "hwim", groups: groups as number }),
      due,
    )
  })
})

describe("a normalization", () => {
  const expected = "a BatchNorm layer or { mean, variance }"
  const fold = (normalization: unknown) => (around: Bench) =>
    foldIntoDense(around.weights, around.bias, normalization as never, { out: around.out as never })

  test.each([
    [undefined, "nothing"],
    [null, "null"],
    [7, "7"],
    ["keras", '"keras"'],
    [[1, 2, 3], "an Array of 3"],
    [new Float64Array(3), "a Float64Array"],
    [shaped(4, 3), "an array: say which option it is, as in { out }"],
  ])("has to be a layer or options: %j", (value, actual) => {
    refuse(fold(value), argumentError("normalization", expected, actual))
  })

  test("has to have a mean and a variance", () => {
    const missing = (name: string) => argumentError(`normalization.${name}`, "one number per channel", "nothing")
    refuseAll([
      [fold({}), missing("mean")],
      [fold({ mean: [1, 2, 3] }), missing("variance")],
      [fold({ variance: [1, 2, 3], mean: null }), missing("mean")],
      [fold({ runningMean: null, runningVariance: [1, 2, 3], epsilon: 0 }), missing("runningMean")],
      [fold({ runningMean: [1, 2, 3], runningVariance: undefined, epsilon: 0 }), missing("runningVariance")],
    ])
  })

  test.each(["runningMean", "movingMean", "residual", "out", "scale", "eps"])("has no %s", (name) => {
    const known = "mean, variance, gamma, beta, epsilon, axis, activation"
    const due = unknownOption(`normalization.${name}`, known)
    refuse((around) => fold({ ...around.given, [name]: [] })(around), due)
  })

  test("with an activation is refused, with what to do instead", () => {
    const instead = "it cannot be folded; pass { mean, variance, gamma, beta, epsilon } and apply it after the layer"
    const due = argumentError("normalization.activation", `null: ${instead}`, '"relu"')
    const { saved } = forward({ data: Float32Array.from(numbers(12)), shape: [4, 3] }, { activation: "relu" })
    const layer = new BatchNorm(3, { activation: "relu" })
    refuseAll([
      [(around) => fold({ ...around.given, activation: "relu" })(around), due],
      [fold(saved), due],
      [fold(layer), due],
      [(around) => foldIntoConv(shaped(1, 4, 3), null, layer, { layout: "hwio", out: { bias: around.out.bias } }), due],
    ])
  })

  test("with an activation that there is not is refused", () => {
    const due = argumentError("normalization.activation", '"relu" or null', '"tanh"')
    refuse((around) => fold({ ...around.given, activation: "tanh" })(around), due)
  })

  test.each([
    [-1e-3, "-0.001"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    ["0", '"0"'],
    [null, "null"],
  ])("with an ε of %s is refused", (epsilon, actual) => {
    const due = argumentError("normalization.epsilon", "a finite number from 0 on", actual)
    refuse((around) => fold({ ...around.given, epsilon })(around), due)
  })

  test.each(["mean", "variance", "gamma", "beta"])("with other than one %s for each output is refused", (name) => {
    for (const length of [0, 1, 2, 4, 12]) {
      const due = shapeError(`normalization.${name}`, "3 numbers, one per channel", `${length}`)
      refuse((around) => fold({ ...around.given, [name]: new Float64Array(length).fill(1) })(around), due)
    }
  })

  test.each([-1, -Number.MIN_VALUE, Number.NEGATIVE_INFINITY])(
    "with a variance of %f is refused, by its index",
    (one) => {
      const due = argumentError("normalization.variance[1]", "a variance from 0 on", `${one}`)
      refuse((around) => fold({ ...around.given, variance: [1, one, 1] })(around), due)
    },
  )

  test.each([
    ["io", [4, 3], 1],
    ["oi", [3, 4], 0],
  ] as const)('of a layer with other channels than the outputs is refused: "%s"', (layout, shape, axis) => {
    for (const channels of [1, 2, 4]) {
      const layer = new BatchNorm(channels)
      const due = shapeError(`weights.shape[${axis}]`, `${channels} output channels, as the normalization has`, "3")
      refuse(({ out: { bias } }) => foldIntoDense(shaped(...shape), null, layer, { layout, out: { bias } }), due)
    }
  })

  const six = "6 output channels, as the normalization has"
  const mismatches: readonly (readonly [ConvLayout, number | undefined, number[], number, string])[] = [
    ["hwio", undefined, [3, 4, 8], 2, "8"],
    ["hwio", 2, [3, 2, 2, 8], 3, "8"],
    ["oihw", 2, [4, 2, 1, 1, 1], 0, "4"],
    ["iohw", undefined, [6, 4, 3], 1, "4"],
    ["iohw", 3, [6, 6, 3], 1, "6 in each of 3 groups: 18"],
    ["hwoi", 2, [3, 3, 4, 6], 2, "4 in each of 2 groups: 8"],
    ["hwim", undefined, [3, 3, 4, 2], 3, "2 in each of 4 groups: 8"],
  ]
  test.each(mismatches)(
    'of a layer with other channels than a convolution is refused: "%s", %s groups, %j',
    (...row) => {
      const [layout, groups, shape, axis, actual] = row
      const layer = new BatchNorm(6)
      const options = groups === undefined ? { layout } : { layout, groups }
      refuse(
        () => foldIntoConv(shaped(...shape), null, layer, options),
        shapeError(`weights.shape[${axis}]`, six, actual),
      )
      const { runningMean: mean, runningVariance: variance } = layer
      const channels = actual.split(" ").at(-1)
      const due = shapeError("normalization.mean", `${channels} numbers, one per channel`, "6")
      refuse(() => foldIntoConv(shaped(...shape), null, { mean, variance }, options), due)
    },
  )

  test("of a layer whose running variance is negative is refused, by the name that it has there", () => {
    const layer = new BatchNorm(3)
    layer.runningVariance[2] = -0.5
    refuse(fold(layer), argumentError("normalization.runningVariance[2]", "a variance from 0 on", "-0.5"))
  })

  test("that looks like a layer is judged as one", () => {
    const like = { runningMean: [1, 2, 3], runningVariance: [1, 2, 3], epsilon: 0 }
    const { epsilon: _, ...withoutEpsilon } = like
    const oneEach = "an array of numbers, one per channel"
    refuseAll([
      [fold(withoutEpsilon), argumentError("normalization.epsilon", "the epsilon of the layer", "nothing")],
      [fold(new BatchNorm(3).toJSON()), argumentError("normalization.epsilon", "the epsilon of the layer", "nothing")],
      [fold({ ...like, scale: "yes" }), argumentError("normalization.scale", "true or false", '"yes"')],
      [fold({ ...like, center: 1 }), argumentError("normalization.center", "true or false", "1")],
      [fold({ ...like, runningMean: 5 }), argumentError("normalization.runningMean", oneEach, "5")],
      [fold({ ...like, runningVariance: "1" }), argumentError("normalization.runningVariance", oneEach, '"1"')],
      [
        fold({ ...like, runningMean: { data: [1, 2], shape: [2] } }),
        shapeError("normalization.runningMean", "3 numbers, one per channel", "2"),
      ],
      [
        fold({ ...like, runningVariance: [1] }),
        shapeError("normalization.runningVariance", "3 numbers, one per channel", "1"),
      ],
      [fold({ ...like, gamma: [1] }), shapeError("normalization.gamma", "3 numbers, one per channel", "1")],
      [fold({ ...like, activation: "elu" }), argumentError("normalization.activation", '"relu" or null', '"elu"')],
    ])
  })
})

describe("a bias", () => {
  test.each([0, 1, 2, 4, 12])("of %i numbers is none of three outputs", (length) => {
    const due = shapeError("bias", "3 numbers, one per channel", `${length}`)
    refuse(
      ({ weights, given, out }) => foldIntoDense(weights, new Float32Array(length), given, { out: out as never }),
      due,
    )
  })

  test("has to be an array of numbers", () => {
    const due = argumentError("bias", "an array of numbers, one per channel", "0")
    refuse(({ weights, given, out }) => foldIntoDense(weights, 0 as never, given, { out: out as never }), due)
  })
})

describe("out", () => {
  const into =
    (
      out: (bench: Bench) => Partial<Folded<NdArray>> | unknown,
      bias: (bench: Bench) => ArrayLike<number> = (b) => b.bias,
    ) =>
    (around: Bench) =>
      foldIntoDense<FloatArray, NdArray>(around.weights, bias(around), around.given, { out: out(around) as never })

  test.each([
    [null, "null"],
    [5, "5"],
    [[], "an Array of 0"],
    [shaped(4, 3), "an array: say which option it is, as in { out }"],
  ])("has to be an object of places: %j", (value, actual) => {
    refuse(
      into(() => value),
      argumentError("out", "an object of options", actual),
    )
  })

  test("has weights of the shape and type of the given ones", () => {
    for (const setting of inBoth) {
      const around = bench(setting)
      const other: Setting["type"] = setting.type === "float32" ? "float64" : "float32"
      const weights = place({ ...setting, type: other }, [4, 3], numbers(12))
      const [expected, actual] = ([setting.type, other] as const).map((type) => `a ${types[type].name}`)
      const due = argumentError("out.weights.data", `${expected}, as weights.data`, actual!)
      const { bias } = around.out
      expectRefused(() => into(() => ({ weights, bias }))(around), due, { ...around.watched, out: weights.data })
    }
    for (const shape of [[3, 4], [12], [4, 3, 1], [4, 2], [0, 3]]) {
      const due = shapeError("out.weights.shape", "[4, 3], as weights.shape", `[${shape.join(", ")}]`)
      refuse(
        into(({ out: { bias } }) => ({ weights: shaped(...shape), bias })),
        due,
      )
    }
    refuse(
      into(() => ({ weights: null })),
      argumentError("out.weights", "{ data, shape }", "null"),
    )
  })

  test("has a bias of one f64 for each output", () => {
    const bias = (value: unknown) => into(({ out: { weights } }) => ({ weights, bias: value }))
    const oneEach = "3 numbers, one per channel"
    refuseAll([
      [bias(new Float32Array(3)), argumentError("out.bias", "a Float64Array", "a Float32Array")],
      [bias([0, 0, 0]), argumentError("out.bias", "a Float64Array", "an Array of 3")],
      [bias(null), argumentError("out.bias", "a Float64Array", "null")],
      [bias({ data: new Float64Array(3), shape: [3] }), argumentError("out.bias", "a Float64Array", "an Object")],
      [bias(new Float64Array(2)), shapeError("out.bias", oneEach, "2")],
      [bias(new Float64Array(12)), shapeError("out.bias", oneEach, "12")],
    ])
    const gone = new Float64Array(3)
    structuredClone(gone, { transfer: [gone.buffer] })
    refuse(bias(gone), goneError("out.bias"))
    const array = allocate([3], "float64")
    const stray = array.data
    array.dispose()
    const due = argumentError(
      "out.bias",
      "a view inside one live allocation, or an array of your own",
      "a view of the library's memory outside any: it was disposed, or is not from allocate",
    )
    const around = bench(ordinary)
    expectRefused(() => bias(stray)(around), due, around.watched)
  })

  test.each([-11, -3, -1, 1, 3, 11])("has no weights that begin %i elements from the given ones", (shift) => {
    for (const setting of inBoth) {
      const around = bench(setting)
      const room = place(setting, [36], numbers(36)).data
      const weights = { data: room.subarray(12, 24), shape: [4, 3] }
      const out = { weights: { data: room.subarray(12 + shift, 24 + shift), shape: [4, 3] }, bias: around.out.bias }
      const due = argumentError("out.weights.data", "the elements of weights.data, or none of them", "some of them")
      expectRefused(() => into(() => out)({ ...around, weights }), due, { ...around.watched, room }, label(setting))
      const conv = () =>
        foldIntoConv<FloatArray, NdArray>({ ...weights, shape: [2, 2, 3] }, null, around.given, {
          layout: "hwio",
          out: { ...out, weights: { ...out.weights, shape: [2, 2, 3] } },
        })
      expectRefused(conv, due, { ...around.watched, room }, label(setting))
    }
  })

  test("has no weights that overlap what is read per channel", () => {
    const setting = { type: "float64", home: "ordinary" } as const
    const none = (name: string) => argumentError("out.weights.data", `none of the elements of ${name}`, someOfThem)
    for (const name of ["mean", "variance", "gamma", "beta"] as const) {
      const around = bench(setting)
      around.weights.data.fill(1)
      around.out.weights.data.fill(2)
      const given = { ...around.given, [name]: around.out.weights.data.subarray(9, 12) }
      expectRefused(
        () => into(({ out }) => out)({ ...around, given: given as never }),
        none(`normalization.${name}`),
        around.watched,
      )
      // In place the weights are written as well.
      const own = { ...around.given, [name]: around.weights.data.subarray(0, 3) }
      const inPlace = into(({ weights }) => ({ weights }))
      expectRefused(() => inPlace({ ...around, given: own as never }), none(`normalization.${name}`), around.watched)
    }
    const around = bench(setting)
    const bias = () => around.out.weights.data.subarray(3, 6)
    expectRefused(() => into(({ out }) => out, bias)(around), none("bias"), around.watched)
  })

  test("has no bias that overlaps the weights, or what is read per channel", () => {
    const setting = { type: "float64", home: "ordinary" } as const
    const none = (name: string) => argumentError("out.bias", `none of the elements of ${name}`, someOfThem)
    const around = bench(setting)
    const { weights, out, given, layer } = around
    const refused = (bias: FloatArray, name: string, normalization: unknown = given) => {
      const call = () => into(() => ({ weights: out.weights, bias }))({ ...around, given: normalization as never })
      expectRefused(call, none(name), around.watched, name)
    }
    refused(weights.data.subarray(0, 3), "weights.data")
    refused(out.weights.data.subarray(9), "out.weights.data")
    for (const name of ["mean", "variance", "gamma", "beta"] as const) refused(given[name], `normalization.${name}`)
    for (const name of ["runningMean", "runningVariance", "gamma", "beta"] as const) {
      refused(layer[name], `normalization.${name}`, layer)
    }
  })

  test("has no bias that overlaps a part of the given one, or holds it as another type", () => {
    const due = argumentError("out.bias", "the elements of bias, or none of them", "some of them")
    const room = Float64Array.from(numbers(8))
    const around = bench(ordinary)
    const cases = [
      [room.subarray(2, 5), room.subarray(3, 6)],
      [room.subarray(2, 5), room.subarray(0, 3)],
      [new Float32Array(room.buffer, 16, 3), room.subarray(2, 5)],
    ] as const
    for (const [bias, target] of cases) {
      const call = into(
        ({ out: { weights } }) => ({ weights, bias: target }),
        () => bias,
      )
      expectRefused(() => call(around), due, { ...around.watched, room })
    }
  })

  test("that only touches what is read is written", () => {
    const room = Float64Array.from(numbers(24))
    const weights = { data: room.subarray(6, 18), shape: [4, 3] }
    const bias = room.subarray(3, 6)
    const given = { mean: room.subarray(18, 21), variance: [1, 1, 1] }
    const due = foldIntoDense(weights, bias, given)
    const out = { weights, bias: room.subarray(0, 3) }
    expect(foldIntoDense(weights, bias, given, { out })).toEqual(due)
  })
})
