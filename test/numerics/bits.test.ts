// The wasm build gives the very bits of the native one: test/vectors/README.md says how inputs and digests are made.
import { backward, forward, moments } from "batchnorm"
import { describe, expect, test } from "vitest"
import { placesOf } from "../reference.ts"
import { Arrays, ordinary, product, residencies } from "../support/numerics-arrays.ts"
import { digest, uniform } from "../support/vectors.ts"
import cases from "../vectors/bits.json" with { type: "json" }

type Case = (typeof cases)[number]

function element(family: string, center: number, scale: number, u: number, statistic: number, index: number): number {
  switch (family) {
    case "uniform":
      return center + scale * u
    case "constant":
      return center
    case "ramp":
      return center + scale * index
    case "steps":
      return center + scale * (Math.floor(index / 61) + u / 64)
    case "clusters":
      return center + scale * ((index % 7 < 3 ? 1 : -1) + u / 1024)
    case "outliers":
      return center + scale * u * (index < 5 ? 65536 : 1)
    case "sparse":
      return index < 70 || u < 0.75 ? 0 : center + scale * u
    case "nan":
      return statistic % 3 === 1 && index === 2 ? Number.NaN : center + scale * u
    case "mixed": {
      const own = scale * 2 ** [0, 60, -100, 100, -140][statistic % 5]!
      const families = ["uniform", "constant", "ramp", "outliers", "sparse", "clusters"]
      return element(families[statistic % 6]!, center * own, own, u, statistic, index)
    }
    default:
      throw new Error(`unknown family ${family}`)
  }
}

/** The weight of element `index` of a channel. */
function weight(family: string, u: number, index: number): number {
  switch (family) {
    case "mask":
      return index === 0 || u >= 0 ? 1 : 0
    case "runs":
      return Math.floor(index / 61) % 2 === 0 ? 1 : 0
    case "fraction":
      return 0.5 - u / 2
    case "unequal":
      return (1.5 + u) * 2 ** Math.floor(60 * u)
    default:
      throw new Error(`unknown family ${family}`)
  }
}

function inputsOf(one: Case) {
  const { shape, seed } = one
  const dtype = one.dtype === "f32" ? "float32" : "float64"
  const axis = [...shape.keys()].filter((each) => !one.reducedAxes.includes(each))
  const places = placesOf(shape, axis)
  const statisticOf = new Int32Array(product(shape))
  const indexOf = new Int32Array(product(shape))
  for (const [statistic, own] of places.entries()) {
    for (const [index, place] of own.entries()) [statisticOf[place], indexOf[place]] = [statistic, index]
  }
  const next = uniform(seed)
  const make = (value: (place: number) => number) =>
    ordinary(
      Float64Array.from({ length: product(shape) }, (_, place) => value(place)),
      shape,
      dtype,
    )
  const x = make((place) => element(one.family, one.center, one.scale, next(), statisticOf[place]!, indexOf[place]!))
  const dy = make(() => one.dyScale * next())
  // Kept axes before the reduced ones are outers, whose channels have the same numbers.
  const kept = axis.filter((each) => shape[each] !== 1)
  const lastReduced = one.reducedAxes.filter((each) => shape[each] !== 1)
  const inner = lastReduced.filter((each) => kept.every((own) => own < each))
  const before = lastReduced.filter((each) => !inner.includes(each))
  const outerAxes = before.length > 0 ? kept.filter((each) => each < before[0]!) : []
  const outer = product(outerAxes.map((each) => shape[each]!))
  const channels = places.length / outer
  const vector = (value: (u: number) => number) => {
    const numbers = Array.from({ length: channels }, () => value(next()))
    return Float64Array.from({ length: places.length }, (_, statistic) => numbers[statistic % channels]!)
  }
  const gamma = vector((u) => one.gammaScale * u)
  const beta = vector((u) => u)
  const mean = vector((u) => u)
  const variance = vector((u) => u + 1.5)
  const options = { axis, gamma, beta, epsilon: one.epsilon, activation: one.relu ? ("relu" as const) : null }
  const residual = one.residual === undefined ? undefined : make(() => one.residual! * next())
  const family = one.weights
  const weights =
    family === undefined
      ? undefined
      : { shape, data: Float64Array.from(indexOf, (index) => weight(family, next(), index)) }
  return { x, dy, residual, weights, options: one.frozen ? { ...options, mean, variance } : options }
}

test("the generator and the digest are those of the readme", () => {
  const next = uniform(1)
  expect([next(), next(), next()].map((u) => u * 2 ** 23)).toEqual([2131946, -8342711, 460484])
  expect(digest(Float64Array.of(1))).toBe("aab1693229ba1db8")
  expect(digest()).toBe("cbf29ce484222325")
})

describe.each(residencies)("%s", (residency) => {
  test.each(cases)("$name: the bits of the native build", (one) => {
    const { x, dy, residual: added, weights, options } = inputsOf(one)
    const arrays = new Arrays(residency)
    try {
      const [input, slope] = [arrays.copy(x), arrays.copy(dy)]
      const residual = added && arrays.copy(added)
      const [y, dx] = [arrays.empty(one.shape, x.data instanceof Float32Array ? "float32" : "float64"), slope]
      const { mean, variance } = moments(input, one.reducedAxes, { weights })
      const { saved } = forward(input, { ...options, residual, weights, out: { y } })
      const need: ("dx" | "dgamma" | "dbeta" | "dresidual")[] = ["dx", "dgamma", "dbeta"]
      if (residual) need.push("dresidual")
      const gradients = backward(slope, input, saved, { need, residual, weights, out: { dx } })
      expect({
        moments: digest(mean.data, variance.data),
        y: digest(y.data),
        gradients: digest(gradients.dgamma, gradients.dbeta),
        dx: digest(dx.data),
        ...(residual && { dresidual: digest(gradients.dresidual.data) }),
      }).toEqual(one.digests)
    } finally {
      arrays.free()
    }
  })
})
