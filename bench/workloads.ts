/** What a peer is given: an array, its layout, and what goes with it. */
export interface Workload {
  readonly name: string
  readonly layout: "channels-last" | "channels-first"
  readonly shape: readonly number[]
  readonly channels: number
  readonly x: Float32Array<ArrayBuffer>
  readonly dy: Float32Array<ArrayBuffer>
  readonly gamma: Float64Array<ArrayBuffer>
  readonly beta: Float64Array<ArrayBuffer>
  readonly epsilon: number
}

const shapes = {
  A: { layout: "channels-last", shape: [128, 1024] },
  C: { layout: "channels-last", shape: [8, 56, 56, 64] },
  D: { layout: "channels-first", shape: [8, 64, 56, 56] },
} as const

/** The names of the workloads. */
export const names = Object.keys(shapes) as readonly (keyof typeof shapes)[]

/** Data N(0.3, 1.7), γ and β random, ε 1e-3; the same at every run. */
export function workload(name: keyof typeof shapes): Workload {
  const { layout, shape } = shapes[name]
  const channels = (layout === "channels-last" ? shape.at(-1) : shape[1]) as number
  const length = shape.reduce((product, size) => product * size, 1)
  const random = mulberry32(length)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return {
    name,
    layout,
    shape,
    channels,
    x: Float32Array.from({ length }, () => 0.3 + 1.7 * normal()),
    dy: Float32Array.from({ length }, normal),
    gamma: Float64Array.from({ length: channels }, () => 0.5 + random()),
    beta: Float64Array.from({ length: channels }, () => random() - 0.5),
    epsilon: 1e-3,
  }
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
