// Where weights, a residual and its gradient lie changes no bit either.
import { backward, type FloatArray, forward, infer, type NdArray } from "batchnorm"
import fc from "fast-check"
import { expect, test } from "vitest"
import { firstDifference, product } from "../support/numerics-arrays.ts"
import {
  arrayOf,
  dtype,
  family,
  others,
  runs,
  seed,
  shapeAndAxes,
  timeout,
  vectorOf,
  weighting,
  weightsOf,
} from "./arbitraries.ts"
import { place, places } from "./places.ts"

const names = ["x", "dy", "residual"] as const
type Name = (typeof names)[number]

const setting = fc.record({
  view: shapeAndAxes,
  dtype,
  family,
  seed,
  weighting: fc.option(weighting),
  weightsAt: fc.constantFrom("an array", "resident", "floats"),
  activation: fc.constantFrom("relu" as const, null),
  given: fc.boolean(),
  put: fc.record({ x: place, dy: place, residual: place, y: place, dx: place, dresidual: place }),
  /** What the results are written over, if anything. */
  over: fc.record({
    y: fc.constantFrom(null, "x", "residual"),
    dx: fc.constantFrom(null, ...names),
    dresidual: fc.constantFrom(null, ...names),
  }),
})

const ordinary = {
  ...{ x: "ordinary", dy: "ordinary", residual: "ordinary" },
  ...{ y: "ordinary", dx: "ordinary", dresidual: "ordinary" },
}
const fresh = { y: null, dx: null, dresidual: null }

test(
  "forward, infer and backward have the same bits wherever their operands lie and whatever they write over",
  () => {
    const property = fc.property(setting, (setting) => {
      const { dtype, seed, weighting, activation } = setting
      const { shape, axes } = setting.view
      const channels = others(shape, others(shape, axes))
      const count = product(channels.map((axis) => shape[axis]!))
      const arrays: Record<Name, NdArray<FloatArray>> = {
        x: arrayOf(setting.family, shape, dtype, seed),
        dy: arrayOf("normal", shape, dtype, seed + 1),
        residual: arrayOf("normal", shape, dtype, seed + 2),
      }
      const made = weighting && weightsOf(shape, channels, weighting, seed).weights
      const given = {
        mean: vectorOf(count, seed + 2, (random) => random.normal()),
        variance: vectorOf(count, seed + 3, (random) => random.uniform()),
      }
      const options = {
        axis: axes,
        activation,
        gamma: vectorOf(count, seed, (random) => random.normal()),
        beta: vectorOf(count, seed + 1, (random) => random.normal()),
        ...(setting.given ? given : {}),
      }

      /** Everything, with arrays laid down anew for each call. */
      const run = (put: typeof setting.put, over: typeof setting.over, weightsAt: typeof setting.weightsAt) => {
        const live: (() => void)[] = []
        const lay = (name: keyof typeof put, array: NdArray) => {
          const laid = places[put[name]]!(array, dtype)
          live.push(laid.free)
          return laid.array
        }
        const nothing = { data: arrays.x.data.map(() => Number.NaN), shape }
        const numbers = made && { data: Float64Array.from(made.data, Number), shape: made.shape }
        const spread = {
          "an array": () => made,
          floats: () => numbers,
          resident: () => {
            const laid = places.resident!(numbers!, "float64")
            live.push(laid.free)
            return laid.array
          },
        }
        try {
          const weights = made && spread[weightsAt]()
          const inputs = () => ({
            x: lay("x", arrays.x),
            dy: lay("dy", arrays.dy),
            residual: lay("residual", arrays.residual),
          })
          const first = inputs()
          // What backward needs again cannot be written over.
          const overY = activation && over.y === "residual" ? null : over.y
          const y = overY === null ? lay("y", nothing) : first[overY]
          const { saved } = forward<FloatArray, NdArray>(first.x, {
            ...options,
            weights,
            residual: first.residual,
            out: { y },
          })
          const second = inputs()
          const inferred = over.y === null ? lay("y", nothing) : second[over.y]
          infer<FloatArray, NdArray>(second.x, { ...saved, residual: second.residual, out: inferred })
          const third = inputs()
          const dx = over.dx === null ? lay("dx", nothing) : third[over.dx]
          const overDresidual = over.dresidual === over.dx ? null : over.dresidual
          const dresidual = overDresidual === null ? lay("dresidual", nothing) : third[overDresidual]
          const got = backward<FloatArray, NdArray, "dx" | "dresidual" | "dgamma" | "dbeta">(
            third.dy,
            third.x,
            { ...saved, inPlace: false },
            {
              residual: third.residual,
              weights,
              need: ["dx", "dresidual", "dgamma", "dbeta"],
              out: { dx, dresidual },
            },
          )
          const isLeft = names
            .filter((name) => name !== over.dx && name !== overDresidual)
            .map((name) => firstDifference(third[name].data, arrays[name].data))
          expect(isLeft.every((place) => place === -1)).toBe(true)
          return {
            y: y.data.slice(),
            inferred: inferred.data.slice(),
            dx: dx.data.slice(),
            dresidual: dresidual.data.slice(),
            dgamma: got.dgamma,
            dbeta: got.dbeta,
            mean: saved.mean,
            variance: saved.variance,
            count: saved.count,
          }
        } finally {
          for (const free of live) free()
        }
      }
      const due = run(ordinary, fresh, "an array")
      const got = run(setting.put, setting.over, setting.weightsAt)
      for (const name of Object.keys(due) as (keyof typeof due)[]) {
        expect(firstDifference(got[name], due[name]), name).toBe(-1)
      }
      expect(firstDifference(due.inferred, due.y)).toBe(-1)
    })
    fc.assert(property, runs(300))
  },
  timeout,
)
