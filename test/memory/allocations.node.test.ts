import { GCProfiler, getHeapStatistics } from "node:v8"
import { allocate, BatchNorm, backward, forward, infer, moments, type NdArray } from "batchnorm"
import { describe, expect, test } from "vitest"

const collect = globalThis.gc as () => void

/** Bytes that each of some calls allocates: what the heap grew by, and what was collected meanwhile. */
function allocated(call: () => unknown, calls: number): number {
  collect()
  const profiler = new GCProfiler()
  profiler.start()
  const before = getHeapStatistics().used_heap_size
  for (let i = 0; i < calls; i++) call()
  const grown = getHeapStatistics().used_heap_size - before
  const collected = profiler
    .stop()!
    .statistics.map(
      ({ beforeGC, afterGC }) => beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize,
    )
  return collected.reduce((sum, bytes) => sum + bytes, grown) / calls
}

/** The same once the engine has compiled all of it, which takes memory as well: the least of some rounds. */
function allocatedAtLeast(call: () => unknown, enough: number): number {
  for (let i = 0; i < 30_000; i++) call()
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 20 && least >= enough; round++) least = Math.min(least, allocated(call, 20_000))
  return least
}

// An object is of 12 bytes or more.
const none = 1

test("one number that is made into an object at each call is seen", () => {
  const kept = { number: 0 as number | object }
  let next = 0.5
  const call = () => {
    kept.number = {}
    kept.number = next++
  }
  expect(allocatedAtLeast(call, none)).toBeGreaterThan(12)
})

describe.each([
  { shape: [4, 4], axis: 1, dtype: "float32" },
  { shape: [4, 4], axis: 1, dtype: "float64" },
  { shape: [3, 5, 70], axis: 1, dtype: "float32" },
] as const)(
  "on resident arrays of shape $shape, axis $axis, $dtype, with a complete out, nothing is allocated:",
  (one) => {
    const { shape, axis, dtype } = one
    const array = (): NdArray => {
      const made = allocate(shape, dtype)
      for (let i = 0; i < made.data.length; i++) made.data[i] = ((i * 7919) % 101) / 10 - 4
      return made
    }
    const [x, dy, residual, y, dx, dresidual] = [array(), array(), array(), array(), array(), array()]
    const kept = typeof axis === "number" ? [axis] : axis
    const reduced = shape.map((_, index) => index).filter((index) => !(kept as readonly number[]).includes(index))
    const channels = kept.reduce((product: number, index) => product * shape[index]!, 1)
    const vector = (value = 0) => new Float64Array(channels).fill(value)
    const [gamma, beta, mean, variance] = [vector(2), vector(1), vector(3), vector(4)]
    const parameters = { gamma, beta, axis, epsilon: 1e-5 }
    const { saved } = forward(x, parameters)
    const frozen = forward(x, { mean, variance, gamma, axis }).saved
    const added = forward(x, { axis, residual, activation: "relu" }).saved

    const statistics = { mean: { data: vector(), shape: [channels] }, variance: { data: vector(), shape: [channels] } }
    const momentsOptions = { out: statistics }
    const forwardOptions = { ...parameters, out: { y, saved } }
    const givenOptions = { mean, variance, gamma, axis, out: { y, saved: frozen } }
    const residualOptions = { axis, residual, activation: "relu", out: { y, saved: added } } as const
    const inferOptions = { ...parameters, mean, variance, out: y }
    const backwardOptions = { out: { dx, dgamma: vector(), dbeta: vector() } }
    const need = ["dx", "dgamma", "dmean", "dvariance"] as const
    const frozenOptions = { need, out: { dx, dgamma: vector(), dmean: vector(), dvariance: vector() } }
    const aloneOptions = { need: ["dx"] as const, out: { dx } }
    const gatedOptions = { residual, need: ["dx", "dresidual"] as const, out: { dx, dresidual } }

    const layer = new BatchNorm(channels, { axis })
    const torch = new BatchNorm(channels, { axis, convention: "torch", activation: "relu" })
    const [layerOut, layerGradients] = [{ out: y }, { out: { dx } }]

    test.each<[string, () => unknown]>([
      ["moments", () => moments(x, reduced, momentsOptions)],
      ["forward", () => forward(x, forwardOptions)],
      ["forward, given statistics", () => forward(x, givenOptions)],
      ["forward, residual", () => forward(x, residualOptions)],
      ["infer", () => infer(x, inferOptions)],
      ["backward", () => backward(dy, x, saved, backwardOptions)],
      ["backward, given statistics", () => backward(dy, x, frozen, frozenOptions)],
      ["backward, dx alone", () => backward(dy, x, saved, aloneOptions)],
      ["backward, residual", () => backward(dy, x, added, gatedOptions)],
      ["the layer's infer", () => layer.infer(x, layerOut)],
      [
        "the layer's forward and backward",
        () => {
          layer.forward(x, layerOut)
          layer.backward(dy, layerGradients)
        },
      ],
      [
        "the same of PyTorch's convention",
        () => {
          torch.forward(x, layerOut)
          torch.backward(dy, layerGradients)
        },
      ],
    ])("%s", { timeout: 60_000 }, (_, call) => {
      expect(allocatedAtLeast(call, none)).toBeLessThan(none)
    })
  },
)
