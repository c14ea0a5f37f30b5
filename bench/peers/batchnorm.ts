import { allocate, backward, forward, infer, moments } from "batchnorm"
import type { Workload } from "../workloads.ts"
import type { Mode, Peer } from "./peer.ts"

/** This package. */
export const batchnorm: Peer = {
  name: "batchnorm",
  prepare(workload, mode) {
    const { shape, channels, gamma, beta, epsilon } = workload
    const axis = workload.layout === "channels-last" ? -1 : 1
    const options = { axis, gamma, beta, epsilon }
    const axes = shape.map((_, index) => index).filter((index) => index !== (axis + shape.length) % shape.length)
    const { x, dy, y, dx, dispose } = arrays(workload, mode)
    const { saved } = forward(x, options)
    const resident = mode === "resident"
    const vector = () => new Float64Array(channels)
    const outs = {
      moments: { mean: { data: vector(), shape: [channels] }, variance: { data: vector(), shape: [channels] } },
      forward: { y, saved: structuredClone(saved) },
      backward: { dx, dgamma: vector(), dbeta: vector() },
    }
    return {
      moments() {
        const { mean, variance } = moments(x, axes, resident ? { out: outs.moments } : undefined)
        return { mean: mean.data, variance: variance.data }
      },
      forward() {
        const result = forward(x, resident ? { ...options, out: outs.forward } : options)
        return { y: result.y.data, mean: result.saved.mean, variance: result.saved.variance }
      },
      infer() {
        return { y: infer(x, resident ? { ...saved, out: y } : saved).data }
      },
      backward() {
        const { dx, dgamma, dbeta } = backward(dy, x, saved, resident ? { out: outs.backward } : undefined)
        return { dx: dx.data, dgamma, dbeta }
      },
      dispose,
    }
  },
}

function arrays({ shape, x, dy }: Workload, mode: Mode) {
  if (mode === "io") {
    const empty = () => ({ data: new Float32Array(x.length), shape })
    return { x: { data: x, shape }, dy: { data: dy, shape }, y: empty(), dx: empty(), dispose() {} }
  }
  const all = { x: allocate(shape), dy: allocate(shape), y: allocate(shape), dx: allocate(shape) }
  all.x.data.set(x)
  all.dy.data.set(dy)
  return {
    ...all,
    dispose() {
      for (const array of Object.values(all)) array.dispose()
    },
  }
}
