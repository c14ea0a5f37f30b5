import type { BatchNorm, BatchNormOptions, Convention, LoadableState } from "batchnorm"
import { describe, expect, test } from "vitest"
import { argumentError, expectRefused, type Refusal, shapeError } from "./support/refuses.ts"
import { centerOff, conventions, full, made, names, off, scaleOff, seven, values, without } from "./support/states.ts"

const others = ["onnx", "tf-fused"] as const

/** Everything in a layer that a load could write, or should not. */
const inside = (layer: BatchNorm) => JSON.stringify([layer, [...layer.dgamma], [...layer.dbeta]])

/** Each entry, as messages list them. */
const contents = (convention: Convention) => `"${convention}" has ${Object.keys(full(convention)).join(", ")}`

describe.each(conventions)("a state by the names of %s", (convention) => {
  test("without a running mean or variance is refused, with what the framework has", () => {
    const layer = seven("keras")
    const due = (name: string) =>
      argumentError(`state.${name}`, `one number per channel: ${contents(convention)}`, "nothing")
    const before = inside(layer)
    for (const name of names[convention].slice(2)) {
      expectRefused(() => layer.load(without(convention, name), convention), due(name))
      expectRefused(() => layer.load({ ...full(convention), [name]: undefined }, convention), due(name))
      expectRefused(() => layer.load({ ...full(convention), [name]: null }, convention), due(name))
    }
    expect(inside(layer)).toBe(before)
  })

  test("with an entry of no framework is refused, with what this one has", () => {
    const layer = seven("keras")
    const before = inside(layer)
    for (const [value, actual] of [
      [[1, 2], "an Array of 2"],
      [3, "3"],
      [Float32Array.of(1, 2), "a Float32Array"],
    ] as const) {
      const due = argumentError("state.momentum", `no such entry: ${contents(convention)}`, actual)
      expectRefused(() => layer.load({ ...full(convention), momentum: value }, convention), due)
    }
    expect(inside(layer)).toBe(before)
    layer.load({ ...full(convention), momentum: undefined, running_std: null }, convention)
  })

  test("of another framework is refused, with its name", () => {
    for (const other of conventions.filter((each) => each !== convention)) {
      const layer = seven(convention)
      const before = inside(layer)
      const state = full(other)
      const unknown = Object.keys(state).find((name) => !Object.keys(full(convention)).includes(name))!
      const actual = typeof state[unknown] === "number" ? `${state[unknown]}` : "an Array of 2"
      const hint = `these are the names of "${other}": load(state, "${other}")`
      const expected = `no such entry: ${contents(convention)}`
      expectRefused(() => layer.load(state), argumentError(`state.${unknown}`, expected, `${actual}: ${hint}`))
      expect(inside(layer)).toBe(before)
      layer.load(state, other)
    }
  })

  test("is refused with the names of a whole model, by the prefix that is too much", () => {
    for (const prefix of ["layer1.bn.", "batch_normalization/", "model/stem/bn.", "./"]) {
      for (const actual of conventions) {
        const state = Object.fromEntries(Object.entries(full(actual)).map(([name, each]) => [prefix + name, each]))
        const layer = made(convention)
        const before = inside(layer)
        const other = actual === convention ? "" : `: these are the names of "${actual}": load(state, "${actual}")`
        const due = argumentError(
          `state.${prefix}${names[actual][0]}`,
          `no such entry: ${contents(convention)}`,
          `an Array of 2: name them by the part after "${prefix}"${other}`,
        )
        expectRefused(() => layer.load(state), due)
        expect(inside(layer)).toBe(before)
      }
    }
  })

  test("is refused with the entries of several layers", () => {
    const models = [
      { "conv.weight": [1, 2], "bn.weight": [1, 2] },
      { "net.conv.weight": [1, 2], "net.bn.weight": [1, 2] },
      { "conv/kernel": [1, 2], moving_mean: [1, 2] },
    ]
    for (const model of models) {
      const due = argumentError(
        `state.${Object.keys(model)[0]}`,
        `no such entry: ${contents(convention)}`,
        "an Array of 2: pass the entries of one layer, named without its prefix",
      )
      expectRefused(() => made(convention).load(model as LoadableState), due)
    }
  })

  test("is refused for other channels", () => {
    for (const name of names[convention]) {
      for (const length of [0, 1, 3, 4]) {
        for (const wrong of [Array(length).fill(1), { data: new Float32Array(length), shape: [length] }]) {
          const layer = seven("keras")
          const before = inside(layer)
          const due = shapeError(`state.${name}`, "2 numbers, one per channel", `${length}`)
          expectRefused(() => layer.load({ ...full(convention), [name]: wrong }, convention), due)
          expect(inside(layer)).toBe(before)
        }
      }
    }
  })

  test("is refused with a negative variance, which its index names", () => {
    const name = names[convention][3]!
    for (const negative of [-1, -Number.MIN_VALUE, Number.NEGATIVE_INFINITY]) {
      const layer = seven("keras")
      const before = inside(layer)
      const due = argumentError(`state.${name}[1]`, "a variance from 0 on", `${negative}`)
      expectRefused(() => layer.load({ ...full(convention), [name]: [1, negative] }, convention), due)
      expect(inside(layer)).toBe(before)
    }
    expect(
      made("keras").load({ ...full(convention), [name]: [-0, Number.NaN] }, convention).runningVariance[1],
    ).toBeNaN()
  })

  test("is refused where it is none", () => {
    const layer = seven("keras")
    const before = inside(layer)
    for (const [value, actual] of [
      [undefined, "undefined"],
      [null, "null"],
      [7, "7"],
      ["gamma", '"gamma"'],
      [Object.values(values), "an Array of 4"],
      [Float32Array.of(1, 2), "a Float32Array"],
      [new Map(Object.entries(full(convention))), "a Map: pass Object.fromEntries(map)"],
      [() => full(convention), "a function"],
    ] as const) {
      const due = argumentError("state", `an object: ${contents(convention)}`, actual)
      expectRefused(() => layer.load(value as never, convention), due)
    }
    expect(inside(layer)).toBe(before)
  })
})

describe("for a layer with scale or center off", () => {
  test.each(conventions)("a state by the names of %s with more is refused: it would not be used", (convention) => {
    const [gamma, beta] = names[convention] as [string, string]
    const calls: readonly (readonly [BatchNormOptions, object, Refusal])[] = [
      [
        scaleOff,
        { [gamma]: [1, 2] },
        argumentError(`state.${gamma}[1]`, "1: the layer has scale off, so it would not use another", "2"),
      ],
      [
        off,
        { [gamma]: [Number.NaN, 1] },
        argumentError(`state.${gamma}[0]`, "1: the layer has scale off, so it would not use another", "NaN"),
      ],
      [
        centerOff,
        { [beta]: [0, 1e-30] },
        argumentError(`state.${beta}[1]`, "0: the layer has center off, so it would not use another", "1e-30"),
      ],
      [
        off,
        { [gamma]: [1, 1], [beta]: [3, 0] },
        argumentError(`state.${beta}[0]`, "0: the layer has center off, so it would not use another", "3"),
      ],
    ]
    for (const [options, more, due] of calls) {
      const layer = seven("keras", options)
      const before = inside(layer)
      expectRefused(() => layer.load({ ...full(convention), ...more }, convention), due)
      expect(inside(layer)).toBe(before)
    }
  })

  test("Keras's state is refused where it lacks what the layer uses", () => {
    const lacks = (name: string, option: string) =>
      argumentError(
        `state.${name}`,
        `one number per channel (none where the layer has ${option} off): ${contents("keras")}`,
        "nothing",
      )
    for (const options of [{}, centerOff]) {
      expectRefused(() => made("keras", options).load(without("keras", "gamma")), lacks("gamma", "scale"))
    }
    for (const options of [{}, scaleOff]) {
      const state = { ...without("keras", "beta"), gamma: [1, 1] }
      expectRefused(() => made("keras", options).load(state), lacks("beta", "center"))
    }
  })

  test("PyTorch's state without weight and bias is only for a layer that uses neither", () => {
    const affineless = without("torch", "weight", "bias")
    const lacks = (name: string) =>
      argumentError(
        `state.${name}`,
        `one number per channel (none where the layer has scale and center off): ${contents("torch")}`,
        "nothing",
      )
    for (const options of [{}, scaleOff, centerOff]) {
      expectRefused(() => made("torch", options).load(affineless), lacks("weight"))
    }
    expect(made("torch", off).load(affineless).batches).toBe(9)
  })

  test("PyTorch's state has weight and bias, or neither", () => {
    const expected = `one number per channel (none where the layer has scale and center off): ${contents("torch")}`
    const [weight, bias] = ["weight", "bias"].map((name) => argumentError(`state.${name}`, expected, "nothing"))
    expectRefused(() => made("torch", off).load({ ...without("torch", "bias"), weight: [1, 1] }), bias!)
    expectRefused(() => made("torch", off).load({ ...without("torch", "weight"), bias: [0, 0] }), weight!)
    expectRefused(() => made("torch", centerOff).load(without("torch", "bias")), bias!)
  })

  test.each(others)("%s's state has both, whatever the layer uses", (convention) => {
    for (const options of [{}, scaleOff, centerOff, off]) {
      for (const name of names[convention].slice(0, 2)) {
        const due = argumentError(`state.${name}`, `one number per channel: ${contents(convention)}`, "nothing")
        const ones = { [names[convention][0]!]: [1, 1], [names[convention][1]!]: [0, 0] }
        const { [name]: _, ...rest } = { ...full(convention), ...ones } as LoadableState
        expectRefused(() => made("keras", options).load(rest, convention), due)
      }
    }
  })
})

describe("the count of batches", () => {
  const counted = (count: LoadableState[string]) => ({ ...full("torch"), num_batches_tracked: count })

  test.each([
    [-1, "-1"],
    [0.5, "0.5"],
    [Number.NaN, "NaN"],
    [2 ** 53, "9007199254740992"],
    [-1n, "-1n"],
    [2n ** 53n, "9007199254740992n"],
    [2n ** 60n, "1152921504606846976n"],
    [10n ** 309n, `${10n ** 309n}n`],
    ["5", '"5"'],
    [true, "true"],
    [["5"], '"5"'],
    [BigInt64Array.of(-2n), "-2n"],
    [[null], "null"],
    [{}, "an Object"],
    [new DataView(new ArrayBuffer(8)), "a DataView"],
  ] as const)("of %s is refused", (count, actual) => {
    const layer = seven("torch")
    const before = inside(layer)
    const due = argumentError("state.num_batches_tracked", "a whole number from 0 on", actual)
    expectRefused(() => layer.load(counted(count as never)), due)
    expect(inside(layer)).toBe(before)
  })

  test("is one number, not several or none", () => {
    for (const several of [[], [1, 2], BigInt64Array.of(1n, 2n), { data: [1, 2, 3], shape: [3] }]) {
      const length = "shape" in several ? 3 : several.length
      expectRefused(
        () => made("torch").load(counted(several)),
        shapeError("state.num_batches_tracked", "1 number", `${length}`),
      )
    }
  })

  test("is missed in a PyTorch state that has none", () => {
    const layer = seven("torch")
    const before = inside(layer)
    const due = argumentError(
      "state.num_batches_tracked",
      "how many batches it has seen (files of PyTorch before 0.4.1 do not say: add a 0)",
      "nothing",
    )
    expectRefused(() => layer.load(without("torch", "num_batches_tracked")), due)
    expect(inside(layer)).toBe(before)
  })

  test.each(["keras", ...others] as const)(
    "is missed where an average is to go on, so a state by the names of %s is refused",
    (convention) => {
      const layer = seven("torch", { momentum: null })
      const before = inside(layer)
      const due = argumentError(
        "convention",
        'one whose state says how many batches it has seen ("torch"), for a momentum of null to go on averaging',
        `"${convention}"`,
      )
      expectRefused(() => layer.load(full(convention), convention), due)
      expect(inside(layer)).toBe(before)
      expect(Object.keys(layer.state(convention))).toEqual(names[convention])
    },
  )
})

test("names that several frameworks have hint at none of them", () => {
  const due = argumentError("state.scale", `no such entry: ${contents("keras")}`, "an Array of 2")
  expectRefused(() => made("keras").load({ scale: [1, 1] }), due)
})

test.each([
  ["pytorch", '"pytorch"'],
  ["constructor", '"constructor"'],
  [null, "null"],
  [["torch"], "an Array of 1"],
])("a state by the convention %j is refused", (convention, actual) => {
  const due = argumentError("convention", '"keras" or "torch" or "onnx" or "tf-fused"', actual)
  const layer = made("torch")
  expectRefused(() => layer.state(convention as never), due)
  expectRefused(() => layer.load(full("torch"), convention as never), due)
})
