import { BatchNorm, BatchNormError, type BatchNormOptions, type Convention, type LoadableState } from "batchnorm"
import fc from "fast-check"
import { expect, test } from "vitest"
import { firstDifference } from "../support/numerics-arrays.ts"
import { arrayOf, dtype, family, runs, seed, timeout } from "./arbitraries.ts"

const conventions = ["keras", "torch", "onnx", "tf-fused"] as const
const convention: fc.Arbitrary<Convention> = fc.constantFrom(...conventions)
const flag = fc.boolean()
const channels = fc.integer({ min: 1, max: 70 })

const vectorOf = (length: number, value: fc.Arbitrary<number>) =>
  fc.array(value, { minLength: length, maxLength: length })

/** Parameters and running statistics: any numbers, NaN, -0 and the infinities included, but for negative variances. */
const valuesOf = (length: number) =>
  fc.record({
    gamma: vectorOf(length, fc.double()),
    beta: vectorOf(length, fc.double()),
    runningMean: vectorOf(length, fc.double()),
    runningVariance: vectorOf(length, fc.double({ min: 0 })),
  })

const options: fc.Arbitrary<BatchNormOptions> = fc.record({ convention, scale: flag, center: flag })

const parts = ["gamma", "beta", "runningMean", "runningVariance"] as const

test(
  "a layer comes back from its state by any framework's names with the same bits, and infers with the same bits",
  () => {
    const property = fc.property(
      channels.chain((length) => fc.tuple(fc.constant(length), valuesOf(length))),
      options,
      convention,
      dtype,
      family,
      seed,
      ([length, values], options, convention, dtype, family, seed) => {
        const layer = new BatchNorm(length, { ...options, ...values, axis: -1 })
        const copy = new BatchNorm(length, { ...options, axis: -1 }).load(layer.state(convention), convention)
        for (const part of parts) {
          const used = part === "gamma" ? layer.scale : part === "beta" ? layer.center : true
          if (used) expect(firstDifference(copy[part], layer[part]), part).toBe(-1)
        }
        expect(copy.state(convention)).toEqual(layer.state(convention))
        const x = arrayOf(family, [3, length], dtype, seed)
        expect(firstDifference(copy.infer(x).data, layer.infer(x).data)).toBe(-1)
      },
    )
    fc.assert(property, runs(200))
  },
  timeout,
)

test(
  "a state that goes from framework to framework infers with the same bits at the end",
  () => {
    const way = fc.array(fc.tuple(convention, convention), { minLength: 1, maxLength: 6 })
    const property = fc.property(
      channels.chain((length) => fc.tuple(fc.constant(length), valuesOf(length))),
      options,
      way,
      dtype,
      family,
      seed,
      ([length, values], options, way, dtype, family, seed) => {
        const start = new BatchNorm(length, { ...options, ...values, axis: -1 })
        const { epsilon } = start
        let layer = start
        for (const [own, carried] of way) {
          // Keras's and PyTorch's states may lack γ or β, which is for a layer that has it off.
          const { scale, center } = start
          const next = new BatchNorm(length, { convention: own, epsilon, axis: -1, scale, center })
          layer = next.load(layer.state(carried), carried)
        }
        // ONNX writes ones and zeros, for a layer that uses both.
        const full = new BatchNorm(length, { epsilon, axis: -1 }).load(layer.state("onnx"), "onnx")
        const x = arrayOf(family, [3, length], dtype, seed)
        const due = start.infer(x).data
        expect(firstDifference(layer.infer(x).data, due)).toBe(-1)
        expect(firstDifference(full.infer(x).data, due)).toBe(-1)
      },
    )
    fc.assert(property, runs(150))
  },
  timeout,
)

const damages = ["an entry less", "an entry more", "a number more", "a number less", "a text", "a negative variance"]

test(
  "a state with anything wrong in it is refused, and changes no bit of the layer",
  () => {
    const property = fc.property(
      channels.chain((length) => fc.tuple(fc.constant(length), valuesOf(length), valuesOf(length))),
      convention,
      fc.nat(),
      fc.constantFrom(...damages),
      ([length, values, others], convention, index, damage) => {
        const layer = new BatchNorm(length, { convention, ...values })
        const state: LoadableState = new BatchNorm(length, { convention, ...others }).state()
        const names = Object.keys(state).filter((name) => name !== "num_batches_tracked")
        const name = names[index % names.length]!
        const list = [...(state[name] as Float64Array)] as unknown[]
        const variance = names[3]!
        const { [name]: _, ...rest } = state
        const bad = {
          "an entry less": rest,
          "an entry more": { ...state, [`${name}_`]: list },
          "a number more": { ...state, [name]: [...list, 1] },
          "a number less": { ...state, [name]: list.slice(1) },
          "a text": { ...state, [name]: list.with(index % length, "1") },
          "a negative variance": { ...state, [variance]: list.fill(1).with(index % length, -1e-9) },
        }[damage]
        const before = JSON.stringify(layer)
        expect(() => layer.load(bad as LoadableState)).toThrow(BatchNormError)
        expect(JSON.stringify(layer)).toBe(before)
      },
    )
    fc.assert(property, runs(300))
  },
  timeout,
)
