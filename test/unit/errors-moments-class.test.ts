import { Moments } from "batchnorm"
import { describe, expect, test } from "vitest"
import { numbers } from "./support/arrays.ts"
import { argumentError, expectRefused, goneError, type Refusal } from "./support/refuses.ts"

const x = { data: Float32Array.from(numbers(12)), shape: [4, 3] }
const whole = "a whole number from 1 on, below 2^31"

describe("bytes that toBytes did not write are refused, by what is wrong with them", () => {
  const good = () => new Moments(3, { axis: [-1, 0] }).push({ ...x, shape: [1, 4, 3] }).toBytes()
  const changed = (write: (view: DataView) => void) => {
    const bytes = good()
    write(new DataView(bytes.buffer))
    return bytes
  }
  const word = (index: number, value: number) => changed((view) => view.setInt32(4 * index, value, true))
  /** Of count, mean, meanRest, m2, m2Rest. */
  const float = (column: number, channel: number, value: number) =>
    changed((view) => view.setFloat64(24 + 8 * (3 * column + channel), value, true))
  const refused = (bytes: unknown, due: Refusal) => {
    const watched = ArrayBuffer.isView(bytes) && bytes.byteLength > 0 ? { bytes } : {}
    expectRefused(() => Moments.fromBytes(bytes as Uint8Array), due, watched)
  }

  test("the good ones are not", () => {
    expect(Moments.fromBytes(good()).toBytes()).toEqual(good())
    expect(good()).toHaveLength(24 + 5 * 3 * 8)
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
      refused(float(3, 2, value), argumentError("bytes.m2[2]", "a sum of squares from 0 on", `${value}`))
    }
  })

  test("a mean or squares of nothing, which a later push would have added to its own", () => {
    const nothing = new Moments(3, { axis: [-1, 0] }).toBytes()
    for (const [column, name] of ["mean", "meanRest", "m2", "m2Rest"].entries()) {
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
