import { type BackwardOptions, backward, type ForwardOptions, forward, type NdArray } from "batchnorm"
import { afterEach, describe, expect, test } from "vitest"
import { placesOf } from "../reference.ts"
import { Arrays, dtypes, ordinary, product, residencies } from "../support/numerics-arrays.ts"
import { channelOf, gather, judgeBackward } from "../support/numerics-contract.ts"
import { Random } from "../support/numerics-random.ts"

const views = [
  { name: "channels-last", shape: [9, 5], axis: [1] },
  { name: "channels-first", shape: [3, 4, 5], axis: [1] },
  { name: "two reduced axes around the channels", shape: [2, 3, 2, 4], axis: [1, 2] },
  { name: "an outer axis, as instance norm", shape: [2, 7, 3], axis: [0, 2] },
  { name: "axes that alternate", shape: [2, 3, 2, 3, 2], axis: [1, 3] },
  { name: "axes that alternate, the last one kept", shape: [2, 3, 2, 3, 2], axis: [0, 2, 4] },
  { name: "rows, as layer norm", shape: [4, 9], axis: [0] },
  { name: "one channel", shape: [4, 5], axis: [] },
  { name: "a tile and a lane more", shape: [3, 2049], axis: [1] },
  { name: "more than a block", shape: [150, 6], axis: [1] },
  { name: "segments of more than a block", shape: [2, 2, 1030], axis: [1] },
]
const modes = [
  { relu: false, frozen: false },
  { relu: true, frozen: false },
  { relu: false, frozen: true },
  { relu: true, frozen: true },
]
const cases = views.flatMap((view) => modes.map((mode) => ({ ...view, ...mode })))

/** x, dy and options, from a seed. */
function setUp({ shape, axis, relu, frozen }: (typeof cases)[number], seed: number) {
  const random = new Random(seed)
  const channels = placesOf(shape, axis).length
  const vector = (value: () => number) => Float64Array.from({ length: channels }, value)
  const elements = () => Float64Array.from({ length: product(shape) }, () => random.normal())
  const statistics = { mean: vector(() => random.normal()), variance: vector(() => 0.3 + random.uniform()) }
  const options = {
    axis,
    epsilon: 0.1,
    gamma: vector(() => 0.5 + random.uniform()),
    beta: vector(() => random.normal() / 2),
    activation: relu ? "relu" : null,
    ...(frozen ? statistics : {}),
  } as const
  return { x: elements(), dy: elements(), options, random }
}

describe.each(cases)("$name, relu $relu, frozen $frozen", (one) => {
  const { shape, axis, relu, frozen } = one

  test("central differences of the loss Σ dy·y give dx, dgamma and dbeta", () => {
    const { x, dy, options, random } = setUp(one, 11)
    const loss = (values: Float64Array<ArrayBuffer>, changed: ForwardOptions<NdArray> = options) => {
      const { y } = forward({ data: values, shape }, changed as ForwardOptions<NdArray<Float64Array>>)
      return y.data.reduce((sum, value, i) => sum + value * dy[i]!, 0)
    }
    const { y, saved } = forward({ data: x, shape }, options)
    const { dx, dgamma, dbeta } = backward({ data: dy, shape }, { data: x, shape }, saved)
    const step = 2 ** -17
    const slope = (at: (change: number) => number) => (at(step) - at(-step)) / (2 * step)
    const changed = (vector: Float64Array<ArrayBuffer>, index: number, by: number) =>
      vector.with(index, vector[index]! + by)

    // No difference may straddle the corner of a ReLU.
    const before = forward({ data: x, shape }, { ...options, activation: null }).y.data
    const corners = placesOf(shape, axis).map((places) => relu && places.some((i) => Math.abs(before[i]!) < 1e-3))
    const statistics = placesOf(shape, axis)
    const looked = statistics.length > 40 ? [0, 1, 2047, 2048] : [...statistics.keys()]
    let compared = 0
    for (const statistic of looked.filter((statistic) => !corners[statistic])) {
      const places = statistics[statistic]!
      for (const place of places.length > 40 ? places.filter(() => random.below(20) === 0) : places) {
        expect(slope((change) => loss(changed(x, place, change)))).toBeCloseTo(dx.data[place]!, 7)
        compared += 1
      }
      const { gamma, beta } = options
      const byGamma = slope((change) => loss(x, { ...options, gamma: changed(gamma, statistic, change) }))
      expect(byGamma).toBeCloseTo(dgamma[statistic]!, 6)
      const byBeta = slope((change) => loss(x, { ...options, beta: changed(beta, statistic, change) }))
      expect(byBeta).toBeCloseTo(dbeta[statistic]!, 6)
    }
    expect(y.data.length).toBe(product(shape))
    expect(compared).toBeGreaterThan(0)
  })

  describe.each(dtypes.flatMap((dtype) => residencies.map((residency) => ({ dtype, residency }))))(
    "$dtype, $residency",
    ({ dtype, residency }) => {
      const arrays = new Arrays(residency)
      afterEach(() => arrays.free())

      test.each(["out of place", "over dy", "over x"])("the closed form agrees with the oracle, %s", (place) => {
        const { x, dy, options } = setUp(one, 12)
        const input = arrays.copy(ordinary(x, shape, dtype))
        const elements = input.data.slice()
        const { y, saved } = forward(input, options)
        const slope = arrays.copy(ordinary(dy, shape, dtype))
        const through = slope.data.map((value, i) => (relu && !(y.data[i]! > 0) ? 0 : value))
        const out = place === "out of place" ? arrays.empty(shape, dtype) : place === "over dy" ? slope : input
        const want: BackwardOptions<NdArray, "dx" | "dgamma" | "dbeta"> = { out: { dx: out } }
        const { dx, dgamma, dbeta } = backward(slope, input, saved, want)
        expect(dx).toBe(out)

        const broken: string[] = []
        const statistics = [...placesOf(shape, axis).entries()]
        for (const [statistic, places] of statistics.filter(([each]) => each < 40 || each >= 2040)) {
          const parameters = { gamma: saved.gamma![statistic]!, beta: saved.beta![statistic]!, epsilon: saved.epsilon }
          const channel = channelOf(saved.mean[statistic]!, saved.variance[statistic]!, parameters)
          const whole = { x: gather(elements, places), at: [...places.keys()] }
          const got = { dgamma: dgamma[statistic]!, dbeta: dbeta[statistic]!, dx: gather(dx.data, places) }
          judgeBackward(dtype, channel, whole, gather(through, places), got, frozen, (quantity, ratio, what) => {
            if (!(ratio <= 1)) broken.push(`${quantity} of channel ${statistic}: error / bound ${ratio}, ${what}`)
          })
        }
        expect(broken).toEqual([])
      })
    },
  )

  test("what is not needed is not returned, and what is has the same bits", () => {
    const { x, dy, options } = setUp(one, 13)
    const [input, slope] = [ordinary(x, shape, "float32"), ordinary(dy, shape, "float32")]
    const { saved } = forward(input, options)
    const all = backward(slope, input, saved)
    for (const need of [["dx"], ["dgamma"], ["dbeta"], ["dgamma", "dbeta"], ["dx", "dbeta"], []] as const) {
      const some = backward(slope, input, saved, { need })
      expect(Object.keys(some)).toEqual(need)
      for (const name of need) expect(some).toHaveProperty(name, all[name])
    }
  })
})
