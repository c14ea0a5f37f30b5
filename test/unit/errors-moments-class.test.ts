import { Moments } from "batchnorm"
import { describe, expect, test } from "vitest"
import { numbers, place, settings } from "./support/arrays.ts"
import { argumentError, expectRefused, goneError, type Refusal, shapeError, unknownOption } from "./support/refuses.ts"

const x = { data: Float32Array.from(numbers(12)), shape: [4, 3] }
const whole = "a whole number from 1 on, below 2^31"
const wrote = "what Moments.toBytes wrote"

/** Of three channels, and all that a failing call must leave alone. */
function bench() {
  const moments = new Moments(3).push(x)
  const bytes = moments.toBytes()
  const { count, mean, m2 } = moments
  return { moments, bytes, watched: { x: x.data, count, mean, m2 } }
}

/** A call on moments that is refused, and leaves them as they were to the last bit. */
function refuse(call: (moments: Moments) => unknown, due: Refusal): void {
  const { moments, bytes, watched } = bench()
  expectRefused(() => call(moments), due, watched, due.message)
  expect(moments.toBytes()).toEqual(bytes)
}

describe("new Moments refuses", () => {
  test.each([
    [undefined, "undefined"],
    [null, "null"],
    [0, "0"],
    [-3, "-3"],
    [1.5, "1.5"],
    [Number.NaN, "NaN"],
    [2 ** 31, "2147483648"],
    ["3", '"3"'],
    [3n, "3n"],
    [[3], "an Array of 1"],
  ])("%s channels", (channels, actual) => {
    expectRefused(() => new Moments(channels as number), argumentError("channels", whole, actual))
  })

  test.each([
    [32, "axis", "32"],
    [-33, "axis", "-33"],
    [0.5, "axis", "0.5"],
    [Number.NaN, "axis", "NaN"],
    [[0, 32], "axis[1]", "32"],
    [["0"], "axis[0]", '"0"'],
    // biome-ignore lint/suspicious/noSparseArray: it is the point
    [[, 1], "axis[0]", "undefined"],
  ])("an axis of %j", (axis, argument, actual) => {
    const due = argumentError(argument, "an axis from -32 to 31", actual)
    expectRefused(() => new Moments(3, { axis: axis as number[] }), due)
  })

  test("axes that are none, or twice", () => {
    const none = (actual: string) => argumentError("axis", "an axis or an array of axes", actual)
    expectRefused(() => new Moments(3, { axis: "0" as never }), none('"0"'))
    expectRefused(() => new Moments(3, { axis: {} as never }), none("an Object"))
    expectRefused(() => new Moments(3, { axis: Int32Array.of(0) as never }), none("an Int32Array"))
    expectRefused(() => new Moments(3, { axis: [1, 1] }), argumentError("axis[1]", "each axis once", "1 twice"))
  })

  test("options of other names", () => {
    for (const name of ["axes", "channels", "weights", "keepDims"]) {
      const due = unknownOption(`options.${name}`, "axis")
      expectRefused(() => new Moments(3, { [name]: 1 } as never), due)
    }
  })
})

describe("push refuses", () => {
  const inBoth = settings("ordinary", "resident")

  test("an x without the channel axis", () => {
    const moments = new Moments(3, { axis: 1 })
    const due = shapeError("x.shape", "an axis 1, along which the channels lie", "[3]")
    expectRefused(() => moments.push({ data: new Float32Array(3), shape: [3] }), due, { mean: moments.mean })
    refuse(
      (other) => other.push({ data: new Float32Array(1), shape: [] }),
      shapeError("x.shape", "an axis -1, along which the channels lie", "[]"),
    )
  })

  test("an x with other channels, even of no elements", () => {
    for (const setting of inBoth) {
      for (const [shape, channels] of [
        [[4, 2], 2],
        [[3, 4], 4],
        [[4], 4],
        [[0, 5], 5],
        [[3, 0], 0],
      ] as const) {
        const array = place(setting, shape, numbers(shape.reduce((a: number, b) => a * b, 1)))
        const axis = shape.length - 1
        const due = shapeError(`x.shape[${axis}]`, `3 channels along axis [${axis}]`, `${channels}`)
        refuse((moments) => moments.push(array), due)
      }
    }
  })

  test("an x with other channels along several axes", () => {
    const moments = new Moments(6, { axis: [0, -1] })
    const watched = { mean: moments.mean }
    expectRefused(() => moments.push(x), shapeError("x.shape", "6 channels along axis [0, 1]", "12"), watched)
    const flat = { data: new Float32Array(6), shape: [6] }
    const due = argumentError("axis[1]", "each axis once", "-1: axis 0 twice")
    expectRefused(() => moments.push(flat), due, watched)
  })

  test("options of other names", () => {
    for (const name of ["weight", "axis", "out", "residual"]) {
      const due = unknownOption(`options.${name}`, "weights")
      refuse((moments) => moments.push(x, { [name]: [1, 1, 1] } as never), due)
    }
  })
})

describe("merge refuses", () => {
  test("what is no Moments", () => {
    const expected = "Moments of this copy of the package: fromBytes makes them of any other's bytes"
    const { moments, bytes } = bench()
    for (const [value, actual] of [
      [undefined, "undefined"],
      [null, "null"],
      [x, "an Object"],
      [bytes, "a Uint8Array"],
      [moments.toJSON(), "an Object"],
      [structuredClone({ ...moments }), "an Object"],
      [Moments, "a function"],
      [[moments], "an Array of 1"],
    ] as const) {
      refuse((own) => own.merge(value as never), argumentError("other", expected, actual))
    }
  })

  test("Moments of other channels", () => {
    for (const channels of [1, 2, 4]) {
      const due = shapeError("other.channels", "3 channels", `${channels}`)
      refuse((moments) => moments.merge(new Moments(channels)), due)
    }
  })
})

describe("bytes that toBytes did not write are refused, by what is wrong with them", () => {
  const good = () => new Moments(3, { axis: [-1, 0] }).push({ ...x, shape: [1, 4, 3] }).toBytes()
  const changed = (write: (view: DataView) => void) => {
    const bytes = good()
    write(new DataView(bytes.buffer))
    return bytes
  }
  const word = (index: number, value: number) => changed((view) => view.setInt32(4 * index, value, true))
  /** Of count, countRest, mean, meanRest, m2, m2Rest. */
  const float = (column: number, channel: number, value: number) =>
    changed((view) => view.setFloat64(24 + 8 * (3 * column + channel), value, true))
  const refused = (bytes: unknown, due: Refusal) => {
    const watched = ArrayBuffer.isView(bytes) && bytes.byteLength > 0 ? { bytes } : {}
    expectRefused(() => Moments.fromBytes(bytes as Uint8Array), due, watched)
  }

  test("the good ones are not", () => {
    expect(Moments.fromBytes(good()).toBytes()).toEqual(good())
    expect(good()).toHaveLength(24 + 6 * 3 * 8)
  })

  test("no Uint8Array", () => {
    for (const [value, actual] of [
      [undefined, "undefined"],
      [null, "null"],
      ["BNMO", '"BNMO"'],
      [[...good()], `an Array of ${good().length}`],
      [good().buffer, "an ArrayBuffer"],
      [new DataView(good().buffer), "a DataView"],
      [new Int8Array(good().buffer), "an Int8Array"],
      [new Uint8ClampedArray(good().buffer), "a Uint8ClampedArray"],
      [new Float64Array(good().buffer), "a Float64Array"],
      [new Blob([good()]), "a Blob"],
    ] as const) {
      refused(value, argumentError("bytes", `a Uint8Array, ${wrote}`, actual))
    }
  })

  test("too few bytes, or too many", () => {
    for (const length of [0, 1, 3, 4, 15]) {
      refused(good().slice(0, length), argumentError("bytes", `${wrote}: 16 bytes or more`, `${length}`))
    }
    const { length } = good()
    for (const actual of [16, 24, length - 1, length + 1, length + 8]) {
      const bytes = new Uint8Array(actual)
      bytes.set(good().subarray(0, actual))
      refused(bytes, argumentError("bytes", `${wrote}: ${length} bytes`, `${actual}`))
    }
  })

  test("more channels or axes than the bytes are for, before any memory is taken for them", () => {
    const due = (length: number) => argumentError("bytes", `${wrote}: ${length} bytes`, `${good().length}`)
    refused(word(2, 4), due(24 + 6 * 4 * 8))
    refused(word(2, 2), due(24 + 6 * 2 * 8))
    refused(word(2, 2 ** 31 - 1), due(24 + 6 * (2 ** 31 - 1) * 8))
    refused(word(3, 3), due(32 + 6 * 3 * 8))
    refused(word(3, 2 ** 31 - 1), due(8 * 2 ** 30 + 16 + 6 * 3 * 8))
  })

  test("another magic number", () => {
    const due = (start: string) => argumentError("bytes", `${wrote}, which begins with 42 4e 4d 4f`, start)
    refused(
      changed((view) => view.setUint8(0, 0x43)),
      due("43 4e 4d 4f"),
    )
    refused(
      changed((view) => view.setUint8(3, 0)),
      due("42 4e 4d 00"),
    )
    refused(
      changed((view) => view.setUint32(0, 0x424e4d4f, true)),
      due("4f 4d 4e 42"),
    )
    refused(new TextEncoder().encode(JSON.stringify(new Moments(1))), due("7b 22 76 65"))
  })

  test("a version, channels or a number of axes that there cannot be", () => {
    for (const value of [0, 2, -1]) refused(word(1, value), argumentError("bytes.version", "1", `${value}`))
    for (const value of [0, -3]) refused(word(2, value), argumentError("bytes.channels", whole, `${value}`))
    const axes = "a whole number from 0 on, below 2^31"
    for (const value of [-1, -2, -4, -(2 ** 31)]) refused(word(3, value), argumentError("bytes.axes", axes, `${value}`))
  })

  test("axes that no x can have, or twice", () => {
    const range = "an axis from -32 to 31"
    for (const value of [32, -33, 2 ** 31 - 1])
      refused(word(5, value), argumentError("bytes.axis[1]", range, `${value}`))
    refused(word(5, -1), argumentError("bytes.axis[1]", "each axis once", "-1 twice"))
  })

  test("counts and sums of squares below 0, and counts that are not finite", () => {
    for (const value of [-1, -Number.MIN_VALUE, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      refused(float(0, 1, value), argumentError("bytes.count[1]", "a finite number from 0 on", `${value}`))
    }
    for (const value of [-1, -Number.MIN_VALUE, Number.NEGATIVE_INFINITY]) {
      refused(float(4, 2, value), argumentError("bytes.m2[2]", "a sum of squares from 0 on", `${value}`))
    }
  })

  test("a mean or squares of nothing, which a later push would have added to its own", () => {
    const nothing = new Moments(3, { axis: [-1, 0] }).toBytes()
    for (const [column, name] of ["countRest", "mean", "meanRest", "m2", "m2Rest"].entries()) {
      for (const value of [5, -0.5, Number.NaN]) {
        const bytes = nothing.slice()
        new DataView(bytes.buffer).setFloat64(24 + 8 * (3 * (column + 1) + 2), value, true)
        const isNegative = name === "m2" && value < 0
        const expected = isNegative ? "a sum of squares from 0 on" : "0, since nothing was counted"
        refused(bytes, argumentError(`bytes.${name}[2]`, expected, `${value}`))
      }
    }
  })

  test("bytes whose buffer was transferred", () => {
    const bytes = good()
    structuredClone(bytes, { transfer: [bytes.buffer] })
    refused(bytes, goneError("bytes"))
  })
})

describe("JSON that toJSON did not write is refused, by what is wrong with it", () => {
  const good = () => JSON.parse(JSON.stringify(new Moments(3, { axis: [-1, 0] }))) as Record<string, unknown>
  const bad = (name: string, value: unknown) => ({ ...good(), [name]: value })
  const refused = (json: unknown, due: Refusal) => expectRefused(() => Moments.fromJSON(json as object), due)

  test("the good one is not", () => {
    expect(Moments.fromJSON(good()).toJSON()).toEqual(good())
  })

  test("no object", () => {
    const expected = "an object that toJSON wrote"
    refused(undefined, argumentError("json", expected, "undefined"))
    refused(null, argumentError("json", expected, "null"))
    refused([], argumentError("json", expected, "an Array of 0"))
    refused(7, argumentError("json", expected, "7"))
    refused('{"version":1}', argumentError("json", expected, '"{\\"version\\":1}": parse it first'))
    refused({}, argumentError("json.version", "what toJSON wrote", "nothing"))
  })

  test("another version", () => {
    refused(bad("version", 2), argumentError("json.version", "1", "2"))
    refused(bad("version", "1"), argumentError("json.version", "1", '"1"'))
  })

  test.each(["channels", "axis", "count", "countRest", "mean", "meanRest", "m2", "m2Rest"])("no %s", (name) => {
    const { [name]: _, ...rest } = good()
    refused(rest, argumentError(`json.${name}`, "what toJSON wrote", "nothing"))
  })

  test("channels that there cannot be", () => {
    for (const [value, actual] of [
      [0, "0"],
      ["3", '"3"'],
      [null, "null"],
      [2 ** 31, "2147483648"],
    ] as const) {
      refused(bad("channels", value), argumentError("json.channels", whole, actual))
    }
    refused(bad("channels", 2), shapeError("json.count", "2 numbers, one per channel", "3"))
    refused(bad("channels", 2 ** 31 - 1), shapeError("json.count", "2147483647 numbers, one per channel", "3"))
  })

  test.each(["count", "countRest", "mean", "meanRest", "m2", "m2Rest"])("a %s that is none", (name) => {
    const path = `json.${name}`
    refused(bad(name, null), argumentError(path, "an Array of numbers", "null"))
    refused(bad(name, { 0: 1, 1: 2, 2: 3 }), argumentError(path, "an Array of numbers", "an Object"))
    refused(bad(name, [1, 2]), shapeError(path, "3 numbers, one per channel", "2"))
    refused(bad(name, [1, 2, 3, 4]), shapeError(path, "3 numbers, one per channel", "4"))
    const expected = 'a number, "NaN", "Infinity", "-Infinity", "-0"'
    for (const [value, actual] of [
      ["1", '"1"'],
      ["", '""'],
      [null, "null"],
      [true, "true"],
    ] as const) {
      refused(bad(name, [1, value, 3]), argumentError(`${path}[1]`, expected, actual))
    }
  })

  test("counts and sums of squares below 0, counts that are not finite, and a mean of nothing", () => {
    for (const value of [-1, "NaN", "Infinity", "-Infinity"]) {
      refused(bad("count", [1, 1, value]), argumentError("json.count[2]", "a finite number from 0 on", `${value}`))
    }
    for (const value of [-1, "-Infinity"]) {
      refused(bad("m2", [0, value, 0]), argumentError("json.m2[1]", "a sum of squares from 0 on", `${value}`))
    }
    for (const name of ["countRest", "mean", "meanRest", "m2", "m2Rest"]) {
      refused(bad(name, [0, 0, 1]), argumentError(`json.${name}[2]`, "0, since nothing was counted", "1"))
    }
  })

  test("axes that are none, that no x can have, or twice", () => {
    for (const [value, actual] of [
      [1, "1"],
      ["1", '"1"'],
      [null, "null"],
      [{ 0: 1 }, "an Object"],
    ] as const) {
      refused(bad("axis", value), argumentError("json.axis", "an Array of axes", actual))
    }
    const range = "an axis from -32 to 31"
    refused(bad("axis", [0, 32]), argumentError("json.axis[1]", range, "32"))
    refused(bad("axis", ["0"]), argumentError("json.axis[0]", range, '"0"'))
    refused(bad("axis", [null]), argumentError("json.axis[0]", range, "null"))
    refused(bad("axis", [0, 1, 0]), argumentError("json.axis[2]", "each axis once", "0 twice"))
  })
})
