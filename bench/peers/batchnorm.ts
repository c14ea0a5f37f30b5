import type { NdArray } from "batchnorm"
import * as alone from "batchnorm"
import type { Workload } from "../workloads.ts"
import { type Peer, task } from "./peer.ts"

type Dtype = "float32" | "float64"

/** This package, and itself with the same numbers as float64. */
export const batchnorm: Peer = { name: "batchnorm", prepare: prepareAs(alone, "float32") }
export const batchnormF64: Peer = { name: "batchnorm f64", prepare: prepareAs(alone, "float64") }

/** What is called, of either entry. */
type Functions = Pick<typeof alone, "allocate" | "backward" | "forward" | "infer" | "moments">

export function prepareAs({ allocate, backward, forward, infer, moments }: Functions, dtype: Dtype): Peer["prepare"] {
  return (workload, mode) => {
    const { layout, axes, channels, gamma, beta, epsilon, mean, variance } = workload
    const axis = layout === "channels-last" ? -1 : 1
    const options = { axis, gamma, beta, epsilon }
    const given = { ...options, mean, variance }
    const { x, dy, y, dx, dispose } = arraysOf(
      workload,
      mode === "resident" ? (shape) => resident(allocate, shape, dtype) : undefined,
      dtype,
    )
    const { saved } = forward(x, options)

    const vector = () => new Float64Array(channels)
    const moment = () => ({ data: vector(), shape: [channels] })
    const outs =
      mode === "fresh"
        ? {}
        : {
            moments: { mean: moment(), variance: moment() },
            forward: { y, saved: structuredClone(saved) },
            infer: y,
            backward: { dx, dgamma: vector(), dbeta: vector() },
          }
    // Objects are made once: what is measured is the call.
    const momentsOptions = { out: outs.moments }
    const forwardOptions = { ...options, out: outs.forward }
    const inferOptions = { ...given, out: outs.infer }
    const backwardOptions = { out: outs.backward }
    return {
      tasks: {
        moments: task(() => {
          const { mean, variance } = moments(x, axes, momentsOptions)
          return { mean: mean.data, variance: variance.data }
        }),
        forward: task(() => {
          const { y, saved } = forward(x, forwardOptions)
          return { y: y.data, mean: saved.mean, variance: saved.variance }
        }),
        infer: task(() => ({ y: infer(x, inferOptions).data })),
        backward: task(() => {
          const { dx, dgamma, dbeta } = backward(dy, x, saved, backwardOptions)
          return { dx: dx.data, dgamma, dbeta }
        }),
        step: task(() => {
          const { y, saved } = forward(x, forwardOptions)
          const { dx, dgamma, dbeta } = backward(dy, x, saved, backwardOptions)
          return { y: y.data, dx: dx.data, dgamma, dbeta }
        }),
      },
      dispose,
    }
  }
}

interface Arrays extends Record<"x" | "dy" | "y" | "dx", NdArray<Float32Array<ArrayBuffer>>> {
  dispose(): void
}

function arraysOf(
  { shape, x, dy }: Workload,
  resident: ((shape: readonly number[]) => ReturnType<typeof ordinary>) | undefined,
  dtype: Dtype,
): Arrays {
  const places = resident ? resident(shape) : ordinary(shape, x.length, dtype)
  places.x.data.set(x)
  places.dy.data.set(dy)
  // What is called takes either type; that all arrays are of one is seen to here.
  return places as Arrays
}

function resident(allocate: typeof alone.allocate, shape: readonly number[], dtype: Dtype) {
  const empty = () => (dtype === "float32" ? allocate(shape) : allocate(shape, "float64"))
  const all = { x: empty(), dy: empty(), y: empty(), dx: empty() }
  const dispose = () => {
    for (const array of Object.values(all)) array.dispose()
  }
  return { ...all, dispose }
}

function ordinary(shape: readonly number[], length: number, dtype: Dtype) {
  const empty = () => ({ data: dtype === "float32" ? new Float32Array(length) : new Float64Array(length), shape })
  return { x: empty(), dy: empty(), y: empty(), dx: empty(), dispose() {} }
}
