import { memoryUsage } from "node:process"
import {
  allocate,
  BatchNorm,
  backward,
  batchNormalization,
  forward,
  infer,
  Moments,
  moments,
  Standardizer,
} from "batchnorm"
import { expect, test } from "vitest"
import { zeros } from "../support/numerics-arrays.ts"

const collect = globalThis.gc as () => void

const shape = [64, 32]
const x = zeros(shape, "float32")
x.data.forEach((_, i) => {
  x.data[i] = (i * 7919) % 101
})
const resident = { x: allocate(shape), dy: allocate(shape), y: allocate(shape) }
resident.x.data.set(x.data)

const vector = () => new Float64Array(32)
const gamma = vector().fill(2)
const beta = vector().fill(1)
const y = zeros(shape, "float32")
const { saved } = forward(x, { gamma, beta })
const statistics = { mean: { data: vector(), shape: [32] }, variance: { data: vector(), shape: [32] } }
const gradients = { dx: zeros(shape, "float32"), dgamma: vector(), dbeta: vector() }
const layer = new BatchNorm(32)
const residual = zeros(shape, "float32")
const added = forward(x, { activation: "relu", residual }).saved
const frozen = forward(x, { mean: gamma, variance: beta, residual }).saved
const every = {
  ...{ ...gradients, dresidual: zeros(shape, "float32") },
  ...{ dmean: vector(), dvariance: vector() },
}
const names = ["dx", "dgamma", "dbeta", "dmean", "dvariance", "dresidual"] as const

const callsPerRound = 20_000
const calls: Record<string, () => unknown> = {
  moments: () => moments(x, 0, { out: statistics }),
  "moments, resident": () => moments(resident.x, 0, { out: statistics }),
  forward: () => forward(x, { gamma, beta, out: { y, saved } }),
  "forward, resident": () => forward(resident.x, { gamma, beta, out: { y: resident.y, saved } }),
  "forward, frozen": () => forward(x, { mean: gamma, variance: beta, gamma, beta, out: { y, saved: { ...saved } } }),
  infer: () => infer(x, { mean: gamma, variance: beta, gamma, beta, out: y }),
  "infer, resident": () => infer(resident.x, { mean: gamma, variance: beta, gamma, beta, out: resident.y }),
  backward: () => backward(x, x, saved, { out: gradients }),
  "backward, resident": () => backward(resident.dy, resident.x, saved, { out: { ...gradients, dx: resident.y } }),
  "backward, dx alone": () => backward(x, x, saved, { need: ["dx"], out: { dx: gradients.dx } }),
  "backward, dgamma alone": () => backward(x, x, saved, { need: ["dgamma"], out: { dgamma: gradients.dgamma } }),
  batchNormalization: () => batchNormalization(x, 1, 2, 3, 4, 1e-3, { out: y }),
  "batchNormalization, a number per channel": () => batchNormalization(x, gamma, beta, gamma, beta, 1e-3, { out: y }),
  "the layer's infer": () => layer.infer(x, { out: y }),
  "forward, residual": () => forward(x, { residual, activation: "relu", out: { y, saved: added } }),
  "infer, residual": () => infer(x, { mean: gamma, variance: beta, residual, out: y }),
  "backward, residual": () => backward(x, x, added, { residual, need: ["dx", "dresidual"], out: every }),
  "backward, all gradients": () => backward(x, x, frozen, { residual, need: names, out: every }),
}

// A typed array of more than 64 bytes has a buffer of its own, which V8 counts at once.
test.each(Object.entries(calls))("%s with a complete out makes no array", (_, call) => {
  call()
  collect()
  const before = memoryUsage().arrayBuffers
  for (let i = 0; i < 10; i++) call()
  expect(memoryUsage().arrayBuffers).toBeLessThanOrEqual(before)
})

const sums = new Moments(32)
const standardizer = new Standardizer()

/** What makes arrays, but keeps none, however many batches go by. */
const parts: Record<string, () => unknown> = {
  "Moments.push": () => sums.push(x),
  "the standardizer's adapt": () => standardizer.adapt([x, resident.x]),
  "the layer's recalibrate": () => layer.recalibrate([resident.x]),
}

test.each(Object.entries({ ...calls, ...parts }))("%s leaves nothing on the heap", { timeout: 30_000 }, (_, call) => {
  const used = () => {
    collect()
    collect()
    return memoryUsage().heapUsed
  }
  const round = () => {
    const before = used()
    for (let i = 0; i < callsPerRound; i++) call()
    return used() - before
  }
  // An object takes 12 bytes at least, so 4 a call are none. What the engine compiles and forgets, after each
  // collection anew, comes and goes: one of some rounds has to show no more.
  const grown: number[] = []
  while (grown.length < 20 && !(grown.at(-1)! < 4 * callsPerRound)) grown.push(round())
  expect(grown.at(-1), `bytes in each round of ${callsPerRound} calls: ${grown}`).toBeLessThan(4 * callsPerRound)
})

test("results that nobody holds are collected", async () => {
  const used = () => {
    collect()
    return memoryUsage().heapUsed + memoryUsage().arrayBuffers
  }
  const round = () => {
    for (let i = 0; i < 2000; i++) backward(x, x, forward(x).saved)
  }
  round()
  const before = used()
  round()
  // The engine frees buffers in a thread of its own.
  await expect.poll(() => used() - before, { timeout: 5000 }).toBeLessThan(200_000)
})
