import { BatchNorm, type BatchNormOptions } from "batchnorm"
import { describe, expect, test } from "vitest"
import { numbers } from "./support/arrays.ts"
import { argumentError, expectRefused, type Refusal, shapeError } from "./support/refuses.ts"

const vectors = ["gamma", "beta", "runningMean", "runningVariance"] as const

const made = (options: BatchNormOptions = {}): BatchNorm =>
  new BatchNorm(3, { gamma: numbers(3, 1), beta: numbers(3, 2), ...options })

/** Through text, as into a file and back. */
const through = (layer: BatchNorm) => BatchNorm.fromJSON(JSON.parse(JSON.stringify(layer)))

function expectSame(copy: BatchNorm, layer: BatchNorm): void {
  const names = [
    "channels",
    "convention",
    "axis",
    "epsilon",
    "activation",
    "momentum",
    "decay",
    "center",
    "scale",
    "nonFinite",
    "unbiased",
    "singleElement",
  ] as const
  for (const name of [...names, "frozen", "batches", "skipped"] as const) {
    expect(copy[name], name).toEqual(layer[name])
  }
  for (const name of vectors) expect([...copy[name]], name).toEqual([...layer[name]])
}

const variants: readonly BatchNormOptions[] = [
  { axis: 1 },
  { convention: "torch" },
  { convention: "torch", momentum: null },
  { convention: "torch", momentum: 0.3, epsilon: 0 },
  { convention: "onnx", nonFinite: "throw" },
  { convention: "tf-fused", axis: [1], activation: "relu", epsilon: 2 ** -30 },
  { axis: -2, center: false, scale: false, momentum: 1 / 3 },
  { axis: 1, unbiased: true, singleElement: "throw" },
  { convention: "torch", unbiased: false, singleElement: "allow" },
]

test.each(variants)("a layer with %j comes back as it was, and goes on as it would", (options) => {
  const layer = made(options)
  const x = (seed: number) => ({ data: Float64Array.from(numbers(48, seed)), shape: [2, 3, 8] })
  for (const seed of [1, 2]) layer.forward({ ...x(seed), data: x(seed).data.map((value) => value / 3) })
  for (const copy of [through(layer), BatchNorm.fromJSON(layer.toJSON())]) {
    expectSame(copy, layer)
    const other = through(layer)
    expect(copy.forward(x(3))).toEqual(other.forward(x(3)))
    expectSame(copy, other)
    expect(JSON.stringify(copy)).not.toBe(JSON.stringify(layer))
  }
  expect(through(layer).infer(x(4))).toEqual(layer.infer(x(4)))
  expect(JSON.stringify(through(layer))).toBe(JSON.stringify(layer))
})

test("every number comes back to the last bit, NaN, the infinities and -0 included", () => {
  const hostile = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -0,
    0,
    5e-324,
    1 / 3,
    1.7976931348623157e308,
  ]
  const layer = new BatchNorm(8, { gamma: hostile, beta: [...hostile].reverse(), runningMean: hostile })
  layer.runningVariance.set(hostile)
  layer.runningVariance[2] = 2 ** -1074
  const copy = through(layer)
  for (const name of vectors) {
    for (const [index, value] of layer[name].entries()) expect(copy[name][index], `${name}[${index}]`).toBe(value)
  }
  expect(JSON.stringify(copy)).toBe(JSON.stringify(layer))
})

test("what was frozen stays frozen, and what was skipped stays counted", () => {
  const layer = made({ axis: 1 })
  layer.frozen = true
  expect(through(layer).frozen).toBe(true)
  layer.frozen = false
  layer.forward({ data: Float64Array.of(Number.NaN, 1, 2, 3, 4, 5), shape: [2, 3] })
  const copy = through(layer)
  expect([copy.frozen, copy.skipped, copy.batches]).toEqual([false, 1, 1])
})

test("a layer shares nothing with the JSON that it came from or went to", () => {
  const layer = made()
  const json = layer.toJSON() as { gamma: number[] }
  const copy = BatchNorm.fromJSON(json)
  json.gamma.fill(99)
  copy.beta.fill(98)
  expect([...layer.gamma, ...copy.gamma]).toEqual([...numbers(3, 1), ...numbers(3, 1)])
  expect([...layer.beta]).toEqual(numbers(3, 2))
})

test("gradients and the last forward are not part of it", () => {
  const layer = made({ axis: 1 })
  layer.forward({ data: Float64Array.from(numbers(6)), shape: [2, 3] })
  const copy = through(layer)
  expect(() => copy.backward({ data: new Float64Array(6), shape: [2, 3] })).toThrow("no forward pass")
  expect([...copy.dgamma]).toEqual([0, 0, 0])
})

describe("JSON that toJSON did not write is refused, by what is wrong with it", () => {
  const good = () => JSON.parse(JSON.stringify(made({ convention: "torch" }))) as Record<string, unknown>
  const bad = (name: string, value: unknown) => ({ ...good(), [name]: value })
  const badOption = (name: string, value: unknown) => bad("options", { ...(good().options as object), [name]: value })
  const wrote = "what toJSON wrote"

  const refused = (json: unknown, due: Refusal) => expectRefused(() => BatchNorm.fromJSON(json as object), due)

  test("no object", () => {
    const expected = "an object that toJSON wrote"
    refused(undefined, argumentError("json", expected, "undefined"))
    refused(null, argumentError("json", expected, "null"))
    refused([], argumentError("json", expected, "an Array of 0"))
    refused(7, argumentError("json", expected, "7"))
    refused("a text", argumentError("json", expected, '"a text": parse it first'))
    refused({}, argumentError("json.version", wrote, "nothing"))
  })

  test("another version", () => {
    refused(bad("version", 2), argumentError("json.version", "1", "2"))
    refused(bad("version", "1"), argumentError("json.version", "1", '"1"'))
    refused(bad("version", undefined), argumentError("json.version", "1", "undefined"))
  })

  test.each(["channels", "options", "frozen", "batches", "skipped", ...vectors])("no %s", (name) => {
    const { [name]: _, ...rest } = good()
    refused(rest, argumentError(`json.${name}`, wrote, "nothing"))
  })

  test.each([
    "convention",
    "axis",
    "epsilon",
    "activation",
    "momentum",
    "center",
    "scale",
    "nonFinite",
    "unbiased",
    "singleElement",
  ])("no %s among the options", (name) => {
    const { [name]: _, ...rest } = good().options as Record<string, unknown>
    refused(bad("options", rest), argumentError(`json.options.${name}`, wrote, "nothing"))
  })

  test.each(vectors)("a %s that is none", (name) => {
    refused(bad(name, null), argumentError(`json.${name}`, "an Array of numbers", "null"))
    refused(bad(name, "1,2,3"), argumentError(`json.${name}`, "an Array of numbers", '"1,2,3"'))
    refused(bad(name, { 0: 1, 1: 2, 2: 3 }), argumentError(`json.${name}`, "an Array of numbers", "an Object"))
    refused(bad(name, [1, 2]), shapeError(`json.${name}`, "3 numbers, one per channel", "2"))
    refused(bad(name, [1, 2, 3, 4]), shapeError(`json.${name}`, "3 numbers, one per channel", "4"))
    const expected = 'a number, "NaN", "Infinity", "-Infinity", "-0"'
    for (const [value, actual] of [
      ["", '""'],
      ["abc", '"abc"'],
      ["1", '"1"'],
      [null, "null"],
      [true, "true"],
      [[1], "an Array of 1"],
    ] as const) {
      refused(bad(name, [1, value, 3]), argumentError(`json.${name}[1]`, expected, actual))
    }
  })

  test("a negative running variance", () => {
    refused(bad("runningVariance", [1, 1, -1]), argumentError("runningVariance[2]", "a variance from 0 on", "-1"))
    refused(
      bad("runningVariance", [1, "-Infinity", 1]),
      argumentError("runningVariance[1]", "a variance from 0 on", "-Infinity"),
    )
  })

  test("counts that are none", () => {
    const count = "a whole number from 0 on"
    for (const [value, actual] of [
      [-1, "-1"],
      [1.5, "1.5"],
      ["2", '"2"'],
      [null, "null"],
    ] as const) {
      refused(bad("batches", value), argumentError("json.batches", count, actual))
    }
    const batches = `a whole number from 0 to ${good().batches}, the batches`
    refused(bad("skipped", [0, -1, 0]), argumentError("json.skipped[1]", batches, "-1"))
    refused(bad("skipped", ["NaN", 0, 0]), argumentError("json.skipped[0]", batches, "NaN"))
    const more = (good().batches as number) + 1
    refused(bad("skipped", [0, 0, more]), argumentError("json.skipped[2]", batches, `${more}`))
    refused(bad("skipped", 0), argumentError("json.skipped", "an Array of numbers", "0"))
    const channels = "a whole number from 1 on, below 2^31"
    refused(bad("channels", 0), argumentError("json.channels", channels, "0"))
    refused(bad("channels", "3"), argumentError("json.channels", channels, '"3"'))
    refused(bad("frozen", "yes"), argumentError("json.frozen", "true or false", '"yes"'))
  })

  test("options that are none", () => {
    refused(bad("options", null), argumentError("json.options", "an object that toJSON wrote", "null"))
    refused(badOption("epsilon", -1), argumentError("epsilon", "a finite number from 0 on", "-1"))
    refused(badOption("axis", "1"), argumentError("axis", "an axis or an array of axes", '"1"'))
    const conventions = '"keras" or "torch" or "onnx" or "tf-fused"'
    refused(badOption("convention", "pytorch"), argumentError("convention", conventions, '"pytorch"'))
    refused(badOption("momentum", 2), argumentError("momentum", "a number from 0 to 1", "2"))
    refused(badOption("unbiased", null), argumentError("unbiased", "true or false", "null"))
    refused(badOption("singleElement", "skip"), argumentError("singleElement", '"allow" or "throw"', '"skip"'))
  })
})
