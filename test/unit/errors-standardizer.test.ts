import { Standardizer } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, label, numbers, place, settings } from "./support/arrays.ts"
import { argumentError, expectRefused, type Refusal, shapeError, stateError } from "./support/refuses.ts"

const inBoth = settings("ordinary", "resident")
const x = { data: Float32Array.from(numbers(12)), shape: [4, 3] }

// What is no array, and no place to write to, is refused in errors-arrays and errors-results; bad batches in errors-batches.

describe("new Standardizer refuses", () => {
  const range = "an axis from -32 to 31"
  test.each([
    [32, "axis", range, "32"],
    [-33, "axis", range, "-33"],
    [1.5, "axis", range, "1.5"],
    [[0, "1"], "axis[1]", range, '"1"'],
    [[null], "axis[0]", range, "null"],
    [[0, 0], "axis[1]", "each axis once", "0 twice"],
    ["0", "axis", "an axis or an array of axes", '"0"'],
    [{}, "axis", "an axis or an array of axes", "an Object"],
  ])("an axis of %j", (axis, argument, expected, actual) => {
    expectRefused(() => new Standardizer({ axis: axis as number[] }), argumentError(argument, expected, actual))
  })
})

test("before adapt there is nothing to standardize by", () => {
  const due = stateError("no statistics yet: adapt the standardizer to data first")
  for (const standardizer of [new Standardizer(), Standardizer.fromJSON(new Standardizer({ axis: [] }).toJSON())]) {
    for (const setting of inBoth) {
      const array = place(setting, [4, 3], numbers(12))
      const out = place(setting, [4, 3], numbers(12, 5))
      const watched = { array: array.data, out: out.data }
      expectRefused(() => standardizer.transform(array, { out }), due, watched)
      expectRefused(() => standardizer.invert(array, { out }), due, watched)
    }
    expectRefused(() => standardizer.mean, due)
    expectRefused(() => standardizer.standardDeviation, due)
  }
})

describe("data of other columns are refused", () => {
  const calls = ["transform", "invert"] as const

  test.each([
    [[4, 2], 2],
    [[3, 4], 4],
    [[1], 1],
    [[0, 4], 4],
    [[2, 2, 12], 12],
  ])("of shape %j", (sizes, columns) => {
    const standardizer = new Standardizer().adapt([x])
    const axis = sizes.length - 1
    const due = shapeError(`x.shape[${axis}]`, `3 channels along axis [${axis}]`, `${columns}`)
    for (const setting of everywhere) {
      const values = numbers(sizes.reduce((product, size) => product * size, 1))
      const array = place(setting, sizes, values)
      const out = place(setting, sizes, values)
      const watched = { array: array.data, out: out.data }
      for (const call of calls) expectRefused(() => standardizer[call](array, { out }), due, watched, label(setting))
    }
  })

  test("along several axes, along none, or without the axis", () => {
    const several = new Standardizer({ axis: [0, -1] }).adapt([{ ...x, shape: [2, 2, 3] }])
    const one = new Standardizer({ axis: 1 }).adapt([x])
    for (const call of calls) {
      expectRefused(() => several[call](x), shapeError("x.shape", "6 channels along axis [0, 1]", "12"))
      const flat = { data: new Float32Array(6), shape: [6] }
      expectRefused(() => several[call](flat), argumentError("axis[1]", "each axis once", "-1: axis 0 twice"))
      const due = shapeError("x.shape", "an axis 1, along which the channels lie", "[6]")
      expectRefused(() => one[call](flat), due)
    }
  })
})

test("what is written into the means or deviations that it gave out does not reach it", () => {
  const standardizer = new Standardizer().adapt([x])
  const due = standardizer.transform(x)
  standardizer.mean.fill(7)
  standardizer.standardDeviation.fill(7)
  const row = { data: Float64Array.of(1, 2, 3), shape: [1, 3] }
  standardizer.invert<Float64Array, typeof row>(row, { out: { data: standardizer.mean, shape: [1, 3] } })
  expect(standardizer.transform(x)).toEqual(due)
})

describe("JSON that toJSON did not write is refused, by what is wrong with it", () => {
  const good = () => JSON.parse(JSON.stringify(new Standardizer({ axis: [1, -1] }).adapt([{ ...x, shape: [2, 2, 3] }])))
  const bad = (name: string, value: unknown) => ({ ...good(), [name]: value })
  const refused = (json: unknown, due: Refusal) => expectRefused(() => Standardizer.fromJSON(json as object), due)

  test("the good one is not", () => {
    expect(Standardizer.fromJSON(good()).toJSON()).toEqual(good())
  })

  test("no object", () => {
    const expected = "an object that toJSON wrote"
    refused(undefined, argumentError("json", expected, "undefined"))
    refused(null, argumentError("json", expected, "null"))
    refused([1], argumentError("json", expected, "an Array of 1"))
    refused("{}", argumentError("json", expected, '"{}": parse it first'))
    refused({}, argumentError("json.version", "what toJSON wrote", "nothing"))
  })

  test("another version", () => {
    refused(bad("version", 0), argumentError("json.version", "1", "0"))
    refused(bad("version", null), argumentError("json.version", "1", "null"))
  })

  test.each(["axis", "mean", "variance"])("no %s", (name) => {
    const { [name]: _, ...rest } = good()
    refused(rest, argumentError(`json.${name}`, "what toJSON wrote", "nothing"))
  })

  test("axes that are none, that no x can have, or twice", () => {
    refused(bad("axis", -1), argumentError("json.axis", "an Array of axes", "-1"))
    refused(bad("axis", null), argumentError("json.axis", "an Array of axes", "null"))
    refused(bad("axis", [0, 99]), argumentError("json.axis[1]", "an axis from -32 to 31", "99"))
    refused(bad("axis", ["0"]), argumentError("json.axis[0]", "an axis from -32 to 31", '"0"'))
    refused(bad("axis", [1, 1]), argumentError("json.axis[1]", "each axis once", "1 twice"))
  })

  test("a mean without a variance, or a variance without a mean", () => {
    refused(bad("mean", null), argumentError("json.mean", "an Array of numbers", "null"))
    refused(bad("variance", null), argumentError("json.variance", "an Array of numbers", "null"))
  })

  test("numbers that are none, or not one for each column", () => {
    const length = good().mean.length as number
    for (const name of ["mean", "variance"]) {
      refused(bad(name, { 0: 1 }), argumentError(`json.${name}`, "an Array of numbers", "an Object"))
      const expected = 'a number, "NaN", "Infinity", "-Infinity", "-0"'
      refused(bad(name, Array(length).fill("1")), argumentError(`json.${name}[0]`, expected, '"1"'))
      refused(bad(name, Array(length).fill(null)), argumentError(`json.${name}[0]`, expected, "null"))
    }
    refused(bad("variance", [1]), shapeError("json.variance", `${length} numbers, one per channel`, "1"))
    refused(bad("mean", [1]), shapeError("json.variance", "1 numbers, one per channel", `${length}`))
    refused({ ...good(), mean: [], variance: [] }, shapeError("json.mean", "a number for each column", "none"))
  })

  test("a negative variance", () => {
    for (const value of [-1, -Number.MIN_VALUE, "-Infinity"]) {
      const variance = good().variance.with(1, value)
      refused(bad("variance", variance), argumentError("json.variance[1]", "a variance from 0 on", `${value}`))
    }
  })
})
