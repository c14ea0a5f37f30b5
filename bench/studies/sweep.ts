// The cost of an element, relative to a copy of as many, across sizes, numbers of channels and places in memory.
import { allocate, backward, forward, infer, moments, type NdArray } from "batchnorm"
import type { Operation } from "../peers/peer.ts"
import { type Effort, type Times, time } from "../timing.ts"
import type { Layout } from "../workloads.ts"
import { yardstick } from "../yardstick.ts"

/** What is varied. */
export const sweeps = ["size", "channels", "offset"] as const
export type Sweep = (typeof sweeps)[number]

/** The operations of a sweep. */
export const swept = ["moments", "forward", "infer", "backward"] as const satisfies readonly Operation[]

/** One place on a sweep. */
export interface Point {
  readonly sweep: Sweep
  readonly layout: Layout
  /** The number that is varied: elements, channels, or elements from the start of an allocation. */
  readonly at: number
  readonly shape: readonly number[]
  readonly copy: Times
  readonly times: Readonly<Record<(typeof swept)[number], Times>>
}

interface Place {
  readonly at: number
  readonly layout: Layout
  readonly shape: readonly number[]
  readonly offset: number
}

/** Measures one sweep, point by point. */
export async function* sweep(kind: Sweep, effort: Effort, wasm: WebAssembly.Module): AsyncGenerator<Point> {
  for (const place of places[kind]()) yield measure(kind, place, effort, wasm)
}

const layouts = ["channels-last", "channels-first"] as const
const places: Record<Sweep, () => Place[]> = {
  size: () =>
    layouts.flatMap((layout) =>
      [1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8].map((elements): Place => {
        const images = Math.round(elements / (56 * 56 * 32))
        const shape = layout === "channels-last" ? [images, 56, 56, 32] : [images, 32, 56, 56]
        return { at: images * 56 * 56 * 32, layout, shape, offset: 0 }
      }),
    ),
  channels: () => {
    const powers = [128, 256, 512, 1024, 2048, 4096].flatMap((power) => [power - 1, power, power + 1])
    const counts = [...Array.from({ length: 70 }, (_, index) => index + 1), ...powers].filter((count) => count <= 4096)
    return layouts.flatMap((layout) =>
      counts.map((channels): Place => {
        const rows = Math.ceil(2 ** 20 / channels)
        const shape = layout === "channels-last" ? [rows, channels] : [Math.ceil(rows / 49), channels, 7, 7]
        return { at: channels, layout, shape, offset: 0 }
      }),
    )
  },
  offset: () =>
    layouts.flatMap((layout) =>
      Array.from({ length: 17 }, (_, offset): Place => {
        const shape = layout === "channels-last" ? [2 ** 14, 64] : [8, 64, 47, 43]
        return { at: offset, layout, shape, offset }
      }),
    ),
}

async function measure(kind: Sweep, { at, layout, shape, offset }: Place, effort: Effort, wasm: WebAssembly.Module) {
  const length = shape.reduce((product, size) => product * size, 1)
  const channels = (layout === "channels-last" ? shape.at(-1) : shape[1]) as number
  const axis = layout === "channels-last" ? -1 : 1
  const axes = [...shape.keys()].filter((each) => each !== (axis + shape.length) % shape.length)

  const allocations = Array.from({ length: 4 }, () => allocate([length + offset]))
  const [x, dy, y, dx] = allocations.map(
    (allocation): NdArray<Float32Array<ArrayBuffer>> => ({ data: allocation.data.subarray(offset), shape }),
  ) as [Resident, Resident, Resident, Resident]
  for (let i = 0; i < length; i++) {
    x.data[i] = 0.3 + Math.sqrt(3) * noise[i & (noise.length - 1)]!
    dy.data[i] = noise[(i * 7 + 3) & (noise.length - 1)]!
  }
  const options = { axis, gamma: new Float64Array(channels).fill(1.5), beta: new Float64Array(channels).fill(0.5) }
  const { saved } = forward(x, { ...options, out: { y } })
  const vector = () => new Float64Array(channels)
  const moment = () => ({ data: vector(), shape: [channels] })
  const outs = {
    moments: { out: { mean: moment(), variance: moment() } },
    forward: { ...options, out: { y, saved: structuredClone(saved) } },
    infer: { ...saved, out: y },
    backward: { out: { dx, dgamma: vector(), dbeta: vector() } },
  }
  const times = await time(
    [
      { name: "copy", run: yardstick(wasm, length).copy },
      { name: "moments", run: () => moments(x, axes, outs.moments) },
      { name: "forward", run: () => forward(x, outs.forward) },
      { name: "infer", run: () => infer(x, outs.infer) },
      { name: "backward", run: () => backward(dy, x, saved, outs.backward) },
    ],
    effort,
  )
  for (const allocation of allocations) allocation.dispose()
  const { copy, ...operations } = Object.fromEntries(times) as Record<"copy" | keyof Point["times"], Times>
  return { sweep: kind, layout, at, shape, copy, times: operations }
}

type Resident = NdArray<Float32Array<ArrayBuffer>>

/** Uniform in -1…1, a number of them that shares no factor with how long channels are. */
const noise = Float32Array.from({ length: 2 ** 16 }, (_, index) => ((index * 40503 + 12345) % 65536) / 32768 - 1)
