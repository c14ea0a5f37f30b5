// The cost of an element, relative to a copy of as many, across sizes, numbers of channels and places in memory; and the
// time of all cores, relative to that of one, across sizes.
import type { NdArray } from "batchnorm"
import * as alone from "batchnorm"
import { startThreads } from "../peers/batchnorm-threads.ts"
import type { Operation } from "../peers/peer.ts"
import { type Effort, type Timed, type Times, time } from "../timing.ts"
import type { Layout } from "../workloads.ts"
import { yardstick } from "../yardstick.ts"

/** What is varied. */
export const sweeps = ["size", "channels", "offset", "threads"] as const
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
  readonly times: OperationTimes
  /** What these are compared with: a copy, or where they are those of all cores, the times of one. */
  readonly copy?: Times | undefined
  readonly alone?: OperationTimes | undefined
}

type OperationTimes = Readonly<Record<(typeof swept)[number], Times>>

interface Place {
  readonly at: number
  readonly layout: Layout
  readonly shape: readonly number[]
  readonly offset: number
}

/** Measures one sweep, point by point. */
export async function* sweep(kind: Sweep, effort: Effort, wasm: WebAssembly.Module): AsyncGenerator<Point> {
  const several = kind === "threads" ? await startThreads() : undefined
  for (const place of places[kind]()) {
    yield several ? measureThreads(several, place, effort) : measure(kind, place, effort, wasm)
  }
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
  threads: () =>
    layouts.flatMap((layout) =>
      [1e3, 3e3, 1e4, 3e4, 1e5, 2e5, 3e5, 5e5, 1e6, 3e6, 1e7, 3e7, 1e8].map((elements): Place => {
        const side = Math.min(56, Math.round(Math.sqrt(elements / 32)))
        const images = Math.round(elements / (side * side * 32))
        const shape = layout === "channels-last" ? [images, side, side, 32] : [images, 32, side, side]
        return { at: images * side * side * 32, layout, shape, offset: 0 }
      }),
    ),
}

async function measure(kind: Sweep, place: Place, effort: Effort, wasm: WebAssembly.Module): Promise<Point> {
  const { at, layout, shape } = place
  const { calls, dispose } = callsOf(alone, place)
  const copy = { name: "copy", run: yardstick(wasm, elementsOf(place)).copy }
  const times = await time([copy, ...calls], effort)
  dispose()
  return { sweep: kind, layout, at, shape, copy: times.get("copy") as Times, times: operationsOf(times, calls) }
}

async function measureThreads(several: Functions, place: Place, effort: Effort): Promise<Point> {
  const { at, layout, shape } = place
  const both = [several, alone].map((functions) => callsOf(functions, place))
  const [all, one] = both.map(({ calls }, index) => calls.map((call) => ({ ...call, name: `${call.name} ${index}` })))
  // Of an operation, one and all take turns.
  const times = await time(all?.flatMap((call, index) => [call, one?.[index] as Timed]) ?? [], effort)
  for (const { dispose } of both) dispose()
  return {
    ...{ sweep: "threads", layout, at, shape },
    times: operationsOf(times, all ?? []),
    alone: operationsOf(times, one ?? []),
  }
}

function operationsOf(times: ReadonlyMap<string, Times>, calls: readonly Timed[]): OperationTimes {
  const entries = swept.map((operation, index) => [operation, times.get((calls[index] as Timed).name)])
  return Object.fromEntries(entries) as OperationTimes
}

/** What is called, of either entry. */
type Functions = Pick<typeof alone, "allocate" | (typeof swept)[number]>

/** Calls on resident arrays with a complete `out`, in the order of `swept`. */
function callsOf({ allocate, ...functions }: Functions, place: Place): { calls: Timed[]; dispose(): void } {
  const { layout, shape, offset } = place
  const length = elementsOf(place)
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
  const { saved } = functions.forward(x, { ...options, out: { y } })
  const vector = () => new Float64Array(channels)
  const moment = () => ({ data: vector(), shape: [channels] })
  const outs = {
    moments: { out: { mean: moment(), variance: moment() } },
    forward: { ...options, out: { y, saved: structuredClone(saved) } },
    infer: { ...saved, out: y },
    backward: { out: { dx, dgamma: vector(), dbeta: vector() } },
  }
  const runs: Record<(typeof swept)[number], () => unknown> = {
    moments: () => functions.moments(x, axes, outs.moments),
    forward: () => functions.forward(x, outs.forward),
    infer: () => functions.infer(x, outs.infer),
    backward: () => functions.backward(dy, x, saved, outs.backward),
  }
  return {
    calls: swept.map((name) => ({ name, run: runs[name] })),
    dispose() {
      for (const allocation of allocations) allocation.dispose()
    },
  }
}

function elementsOf({ shape }: Pick<Place, "shape">): number {
  return shape.reduce((product, size) => product * size, 1)
}

type Resident = NdArray<Float32Array<ArrayBuffer>>

/** Uniform in -1…1, a number of them that shares no factor with how long channels are. */
const noise = Float32Array.from({ length: 2 ** 16 }, (_, index) => ((index * 40503 + 12345) % 65536) / 32768 - 1)
