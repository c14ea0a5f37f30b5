/** What a peer is given: arrays, their layout, and what goes with them. */
export interface Workload {
  readonly name: string
  readonly layout: Layout
  readonly shape: readonly number[]
  readonly channels: number
  /** The axes that the statistics are taken over. */
  readonly axes: readonly number[]
  /** N(0.3, 1.7). */
  readonly x: Float32Array<ArrayBuffer>
  /** N(0, 1). */
  readonly dy: Float32Array<ArrayBuffer>
  // Numbers of float32, which some peers store them in.
  readonly gamma: Float64Array<ArrayBuffer>
  readonly beta: Float64Array<ArrayBuffer>
  /** Statistics for infer. */
  readonly mean: Float64Array<ArrayBuffer>
  readonly variance: Float64Array<ArrayBuffer>
  readonly epsilon: number
}

export type Layout = "channels-last" | "channels-first"
export interface Shape {
  readonly layout: Layout
  readonly shape: readonly number[]
}

export const workloads = {
  A: { layout: "channels-last", shape: [128, 1024] },
  B: { layout: "channels-last", shape: [32, 256] },
  C: { layout: "channels-last", shape: [8, 56, 56, 64] },
  D: { layout: "channels-first", shape: [8, 64, 56, 56] },
  E: { layout: "channels-last", shape: [32, 112, 112, 64] },
  F: { layout: "channels-first", shape: [32, 64, 112, 112] },
  G: { layout: "channels-last", shape: [1, 112, 112, 32] },
  H: { layout: "channels-last", shape: [8, 7, 7, 2048] },
  I: { layout: "channels-first", shape: [8, 2048, 7, 7] },
} as const satisfies Record<string, Shape>

export type WorkloadName = keyof typeof workloads
export const workloadNames = Object.keys(workloads) as readonly WorkloadName[]

/** The same kinds of shape with a few elements per channel, for tests of answers. */
export function small({ layout, shape }: Shape): Shape {
  const channelAxis = channelAxisOf({ layout, shape })
  return {
    layout,
    shape: shape.map((size, axis) => (axis === channelAxis ? size : Math.min(size, axis === 0 ? 5 : 3))),
  }
}

/** Data of a shape, the same at every run. */
export function workload(name: string, { layout, shape }: Shape): Workload {
  const channelAxis = channelAxisOf({ layout, shape })
  const channels = shape[channelAxis] as number
  const length = shape.reduce((product, size) => product * size, 1)
  const random = mulberry32(length)
  const perChannel = (draw: () => number) => Float64Array.from({ length: channels }, () => Math.fround(draw()))
  return {
    name,
    layout,
    shape,
    channels,
    axes: [...shape.keys()].filter((axis) => axis !== channelAxis),
    x: normals(length, random, 0.3, 1.7),
    dy: normals(length, random, 0, 1),
    gamma: perChannel(() => 0.5 + random()),
    beta: perChannel(() => random() - 0.5),
    mean: perChannel(() => 0.2 + 0.2 * random()),
    variance: perChannel(() => 2 + 2 * random()),
    epsilon: 1e-3,
  }
}

function channelAxisOf({ layout, shape }: Shape): number {
  return layout === "channels-last" ? shape.length - 1 : 1
}

/** Box, Muller. */
function normals(length: number, random: () => number, mean: number, deviation: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length)
  for (let i = 0; i < length; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()))
    const angle = 2 * Math.PI * random()
    values[i] = mean + radius * Math.cos(angle)
    if (i + 1 < length) values[i + 1] = mean + radius * Math.sin(angle)
  }
  return values
}

function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
