// Channels whose coefficients leave the range of their type take a path of their own, with weights and residuals too.
import { backward, forward } from "batchnorm"
import { describe, expect, test } from "vitest"
import { label, numbers, place, product, type Setting, settings } from "./support/arrays.ts"
import { broadcast, groups } from "./support/naive.ts"
import { expectNear, tolerance } from "./support/near.ts"
import { parametersOf } from "./support/weights.ts"

const shapes = [
  { shape: [8, 3], axis: [1], own: [8, 1] },
  { shape: [3, 8], axis: [0], own: [8] },
  { shape: [67, 70], axis: [1], own: [67, 1] },
  { shape: [5, 3, 41], axis: [1], own: [5, 1, 41] },
  { shape: [2, 2, 3, 4, 5], axis: [0, 2, 4], own: [2, 1, 4, 1] },
]

/** What one channel is multiplied by: powers of two, after which nothing but the exponents differs. */
interface Extreme {
  readonly x: number
  /** γ, β and the residual. */
  readonly parameters: number
}

const extremes: { name: string; setting: Setting; extreme: Extreme }[] = [
  ...settings("ordinary", "resident").map((setting) => ({
    name: `faint γ and β, ${label(setting)}`,
    setting,
    extreme: { x: 1, parameters: setting.type === "float32" ? 2 ** -110 : 2 ** -980 },
  })),
  ...settings("ordinary", "resident")
    .filter(({ type }) => type === "float32")
    .map((setting) => ({
      name: `huge x, ${label(setting)}`,
      setting,
      extreme: { x: 2 ** 110, parameters: 1 },
    })),
]

const operands = [
  { weighted: true, added: false, activation: null },
  { weighted: true, added: false, activation: "relu" },
  { weighted: false, added: true, activation: null },
  { weighted: false, added: true, activation: "relu" },
  { weighted: true, added: true, activation: null },
  { weighted: true, added: true, activation: "relu" },
] as const

describe.each(extremes)("$name", ({ setting, extreme }) => {
  test.each(operands)("weights $weighted, residual $added, $activation", ({ weighted, added, activation }) => {
    for (const { shape, axis, own } of shapes) {
      const length = product(shape)
      const places = groups(
        shape,
        [...shape.keys()].filter((each) => !axis.includes(each)),
      )
      const channel = 1
      const inside = new Set(places[channel])
      const data = Array.from({ length: product(own) }, (_, at) => [1, 0, 2, 0.5, 3][at % 5]!)
      const weights = weighted ? { data, shape: own } : null
      const counts = weighted ? broadcast({ data, shape: own }, shape) : numbers(length).map(() => 1)

      /** The results, what was multiplied divided again; poison is in place of what has no weight. */
      const run = ({ x, parameters }: Extreme, poison?: number) => {
        const elements = (seed: number, factor: number) =>
          place(
            setting,
            shape,
            numbers(length, seed).map((value, at) =>
              counts[at] === 0 && poison !== undefined ? poison : inside.has(at) ? value * factor : value,
            ),
          )
        const array = elements(0, x)
        const [dy, residual] = [elements(5, 1), added ? elements(9, parameters) : null]
        const { gamma, beta } = parametersOf(places.length)
        gamma[channel]! *= parameters
        beta[channel]! *= parameters
        const options = { axis, epsilon: 0, gamma, beta, activation, weights, residual }
        const { y, saved } = forward(array, options)
        const need = ["dx", "dgamma", "dbeta"] as const
        const { dx, ...sums } = backward(dy, array, saved, { weights, residual, need })
        const more = added ? backward(dy, array, saved, { weights, residual, need: ["dresidual"] }) : undefined
        const back = (values: ArrayLike<number>, factor: number) =>
          Array.from(values, (value, at) => (inside.has(at) ? value * factor : value) + 0)
        return {
          ...sums,
          y: back(y.data, 1 / parameters),
          dx: back(dx.data, x / parameters),
          dresidual: back(more?.dresidual.data ?? [], 1),
        }
      }
      const [due, got] = [run({ x: 1, parameters: 1 }), run(extreme)]
      const within = tolerance[setting.type]
      expectNear(got.y, due.y, within, "y")
      expectNear(got.dx, due.dx, within, "dx")
      expectNear(got.dgamma, due.dgamma, within, "dgamma")
      expect([got.dbeta, got.dresidual]).toEqual([due.dbeta, due.dresidual])
      const beside = (values: readonly number[]) => values.filter((_, at) => !inside.has(at))
      expect([beside(got.y), beside(got.dx)], "the neighbours' bits").toEqual([beside(due.y), beside(due.dx)])
      const { y: _, ...gradients } = run(extreme, Number.NaN)
      expect({ ...gradients, y: got.y }, "what has no weight").toEqual(got)
    }
  })
})
