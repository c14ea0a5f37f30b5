import { normalizeMoments, sufficientStatistics } from "batchnorm"
import { describe, expect, test } from "vitest"
import { place, settings } from "./support/arrays.ts"
import { argumentError, expectRefused, type Refusal, shapeError } from "./support/refuses.ts"
import { bench, shape } from "./support/slots.ts"

// Malformed parameters are refused in errors-per-channel, wherever they go; bad axes and options in errors.

describe("sufficientStatistics refuses", () => {
  const refuse = (axes: number | number[] | undefined, shift: unknown, due: Refusal) => {
    for (const setting of settings("ordinary", "resident")) {
      const around = bench(setting)
      const call = () => sufficientStatistics(around.x, axes, { shift: shift as number })
      expectRefused(call, due, around.watched, due.message)
    }
  }
  const due = (sizes: string, actual: string) =>
    shapeError("shift", `a shape that broadcasts to ${sizes}, x's with reduced axes of size 1`, actual)

  test("a shift that changes along a reduced axis", () => {
    const whole = { data: new Float64Array(12), shape }
    refuse([0], whole, due("[1, 3]", "[4, 3]"))
    refuse([1], whole, due("[4, 1]", "[4, 3]"))
    refuse([0, 1], whole, due("[1, 1]", "[4, 3]"))
    refuse(undefined, [1, 2, 3], due("[1, 1]", "[3]"))
    refuse(1, [1, 2, 3], due("[4, 1]", "[3]"))
    refuse(-2, { data: new Float32Array(4), shape: [4, 1] }, due("[1, 3]", "[4, 1]"))
  })

  test("a shift that does not broadcast to the sums", () => {
    refuse([0], [1, 2], due("[1, 3]", "[2]"))
    refuse([0], [], due("[1, 3]", "[0]"))
    refuse([0], { data: new Float64Array(3), shape: [1, 1, 3] }, due("[1, 3]", "[1, 1, 3]"))
    refuse([1], [1, 2, 3, 4], due("[4, 1]", "[4]"))
    refuse([], { data: new Float64Array(12), shape: [3, 4] }, due("[4, 3]", "[3, 4]"))
  })

  test("a shift of a scalar's that is none", () => {
    const x = { data: Float32Array.of(2), shape: [] }
    expectRefused(() => sufficientStatistics(x, [], { shift: [2] }), due("[]", "[1]"))
    expect([...sufficientStatistics(x, [], { shift: 2 }).meanSs.data]).toEqual([0])
  })
})

describe("normalizeMoments refuses", () => {
  test.each([0, -0, -1, -Number.MIN_VALUE, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "a count of %d",
    (count) => {
      const due = (index: number) => argumentError(`count[${index}]`, "a finite number above 0", `${count}`)
      expectRefused(() => normalizeMoments(count, 1, 2), due(0))
      expectRefused(() => normalizeMoments([4, 4, count], [1, 1, 1], [2, 2, 2]), due(2))
      const wrapped = { data: Float64Array.of(4, count), shape: [2, 1] }
      expectRefused(() => normalizeMoments(wrapped, [1, 1, 1], [2, 2, 2], 5), due(1))
    },
  )

  test("the sums of no elements", () => {
    const { count, meanSs, varianceSs } = sufficientStatistics({ data: new Float32Array(0), shape: [0, 3] }, [0])
    const due = argumentError("count[0]", "a finite number above 0", "0")
    expectRefused(() => normalizeMoments(count, meanSs, varianceSs), due, { count: count.data, meanSs: meanSs.data })
  })

  test.each([-1, -Number.MIN_VALUE, Number.NEGATIVE_INFINITY])("a sum of squares of %d", (sum) => {
    const due = (index: number) => argumentError(`varianceSs[${index}]`, "a sum of squares from 0 on", `${sum}`)
    expectRefused(() => normalizeMoments(4, 1, sum), due(0))
    expectRefused(() => normalizeMoments(4, 1, [2, sum]), due(1))
  })

  test("what is left out", () => {
    const anyForm = "a number, an array of numbers or { data, shape }"
    const none = (name: string, actual: string) => argumentError(name, anyForm, actual)
    for (const [value, actual] of [
      [undefined, "undefined"],
      [null, "null"],
    ] as const) {
      expectRefused(() => normalizeMoments(value as never, 1, 2), none("count", actual))
      expectRefused(() => normalizeMoments(4, value as never, 2), none("meanSs", actual))
      expectRefused(() => normalizeMoments(4, 1, value as never), none("varianceSs", actual))
      expect(normalizeMoments(4, 1, 2, value)).toEqual(normalizeMoments(4, 1, 2, 0))
    }
  })

  test("shapes that do not broadcast together, by the first that does not fit those before it", () => {
    const array = (...sizes: number[]) =>
      place({ type: "float64", home: "ordinary" }, sizes, Array(sizes.reduce((a, b) => a * b, 1)).fill(4))
    const due = (name: string, sofar: string, actual: string) =>
      shapeError(name, `a shape that broadcasts with ${sofar}`, actual)
    const calls: readonly (readonly [() => unknown, Refusal])[] = [
      [() => normalizeMoments([4, 4], [1, 1, 1], 2), due("meanSs", "[2]", "[3]")],
      [() => normalizeMoments(4, [1, 1], [2, 2, 2]), due("varianceSs", "[2]", "[3]")],
      [() => normalizeMoments(4, [1, 1], [2, 2], [1, 2, 3]), due("shift", "[2]", "[3]")],
      [
        () => normalizeMoments(4, 1, 2, { ...array(2), shape: [3] }),
        shapeError("shift.data", "3 elements for shape [3]", "2"),
      ],
      [() => normalizeMoments(array(3, 1), array(2), array(2, 2)), due("varianceSs", "[3, 2]", "[2, 2]")],
      [() => normalizeMoments(4, array(2, 3), array(2, 1), array(3, 1)), due("shift", "[2, 3]", "[3, 1]")],
      [() => normalizeMoments(4, array(2, 3), array(3), array(4, 1, 2)), due("shift", "[2, 3]", "[4, 1, 2]")],
      [() => normalizeMoments(4, array(0), array(2)), due("varianceSs", "[0]", "[2]")],
    ]
    for (const [call, refusal] of calls) expectRefused(call, refusal, {}, refusal.message)
  })
})
