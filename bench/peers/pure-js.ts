// The best plain loops: one pass for the moments around the first element (sums in f64), one for the map. Where
// channels are neighbours, four rows at a time against typed accumulators; where a channel's elements are, four of them.
import type { Workload } from "../workloads.ts"
import { type Mode, type Peer, task } from "./peer.ts"

type Numbers = Float64Array<ArrayBuffer>

interface Loops {
  /** s = Σ(x-k), q = Σ(x-k)². */
  moments(x: Float32Array, k: Numbers, s: Numbers, q: Numbers): void
  /** y = a·x + b. */
  affine(x: Float32Array, a: Numbers, b: Numbers, y: Float32Array): void
  /** s = Σdy, p = Σdy·(x-k). */
  sums(x: Float32Array, dy: Float32Array, k: Numbers, s: Numbers, p: Numbers): void
  /** dx = a·dy + b·x + c. */
  dx(x: Float32Array, dy: Float32Array, a: Numbers, b: Numbers, c: Numbers, dx: Float32Array): void
}

/** [rows][channels]. */
function channelsLast(channels: number): Loops {
  const [one, two, three, four] = [channels, 2 * channels, 3 * channels, 4 * channels]
  return {
    moments(x, k, s, q) {
      let start = 0
      for (; start + four <= x.length; start += four) {
        for (let c = 0, i = start; c < channels; c++, i++) {
          const shift = k[c]!
          const d0 = x[i]! - shift
          const d1 = x[i + one]! - shift
          const d2 = x[i + two]! - shift
          const d3 = x[i + three]! - shift
          s[c]! += d0 + d1 + (d2 + d3)
          q[c]! += d0 * d0 + d1 * d1 + (d2 * d2 + d3 * d3)
        }
      }
      for (; start < x.length; start += one) {
        for (let c = 0, i = start; c < channels; c++, i++) {
          const d = x[i]! - k[c]!
          s[c]! += d
          q[c]! += d * d
        }
      }
    },
    affine(x, a, b, y) {
      let start = 0
      for (; start + four <= x.length; start += four) {
        for (let c = 0, i = start; c < channels; c++, i++) {
          const scale = a[c]!
          const shift = b[c]!
          y[i] = scale * x[i]! + shift
          y[i + one] = scale * x[i + one]! + shift
          y[i + two] = scale * x[i + two]! + shift
          y[i + three] = scale * x[i + three]! + shift
        }
      }
      for (; start < x.length; start += one) {
        for (let c = 0, i = start; c < channels; c++, i++) y[i] = a[c]! * x[i]! + b[c]!
      }
    },
    sums(x, dy, k, s, p) {
      let start = 0
      for (; start + four <= x.length; start += four) {
        for (let c = 0, i = start; c < channels; c++, i++) {
          const shift = k[c]!
          const g0 = dy[i]!
          const g1 = dy[i + one]!
          const g2 = dy[i + two]!
          const g3 = dy[i + three]!
          s[c]! += g0 + g1 + (g2 + g3)
          p[c]! +=
            g0 * (x[i]! - shift) +
            g1 * (x[i + one]! - shift) +
            (g2 * (x[i + two]! - shift) + g3 * (x[i + three]! - shift))
        }
      }
      for (; start < x.length; start += one) {
        for (let c = 0, i = start; c < channels; c++, i++) {
          s[c]! += dy[i]!
          p[c]! += dy[i]! * (x[i]! - k[c]!)
        }
      }
    },
    dx(x, dy, a, b, c, dx) {
      let start = 0
      for (; start + four <= x.length; start += four) {
        for (let n = 0, i = start; n < channels; n++, i++) {
          const p = a[n]!
          const q = b[n]!
          const r = c[n]!
          dx[i] = p * dy[i]! + q * x[i]! + r
          dx[i + one] = p * dy[i + one]! + q * x[i + one]! + r
          dx[i + two] = p * dy[i + two]! + q * x[i + two]! + r
          dx[i + three] = p * dy[i + three]! + q * x[i + three]! + r
        }
      }
      for (; start < x.length; start += one) {
        for (let n = 0, i = start; n < channels; n++, i++) dx[i] = a[n]! * dy[i]! + b[n]! * x[i]! + c[n]!
      }
    },
  }
}

/** [samples][channels][inner]. */
function channelsFirst(channels: number, inner: number): Loops {
  const fours = inner - (inner % 4)
  return {
    moments(x, shifts, s, q) {
      for (let start = 0, channel = 0; start < x.length; start += inner, channel = (channel + 1) % channels) {
        const four = start + fours
        const end = start + inner
        const k = shifts[channel]!
        let s0 = 0
        let s1 = 0
        let s2 = 0
        let s3 = 0
        let q0 = 0
        let q1 = 0
        let q2 = 0
        let q3 = 0
        let i = start
        for (; i < four; i += 4) {
          const d0 = x[i]! - k
          const d1 = x[i + 1]! - k
          const d2 = x[i + 2]! - k
          const d3 = x[i + 3]! - k
          s0 += d0
          s1 += d1
          s2 += d2
          s3 += d3
          q0 += d0 * d0
          q1 += d1 * d1
          q2 += d2 * d2
          q3 += d3 * d3
        }
        for (; i < end; i++) {
          const d = x[i]! - k
          s0 += d
          q0 += d * d
        }
        s[channel]! += s0 + s1 + (s2 + s3)
        q[channel]! += q0 + q1 + (q2 + q3)
      }
    },
    affine(x, a, b, y) {
      for (let start = 0, channel = 0; start < x.length; start += inner, channel = (channel + 1) % channels) {
        const four = start + fours
        const end = start + inner
        const scale = a[channel]!
        const shift = b[channel]!
        let i = start
        for (; i < four; i += 4) {
          y[i] = scale * x[i]! + shift
          y[i + 1] = scale * x[i + 1]! + shift
          y[i + 2] = scale * x[i + 2]! + shift
          y[i + 3] = scale * x[i + 3]! + shift
        }
        for (; i < end; i++) y[i] = scale * x[i]! + shift
      }
    },
    sums(x, dy, shifts, s, p) {
      for (let start = 0, channel = 0; start < x.length; start += inner, channel = (channel + 1) % channels) {
        const four = start + fours
        const end = start + inner
        const k = shifts[channel]!
        let s0 = 0
        let s1 = 0
        let s2 = 0
        let s3 = 0
        let p0 = 0
        let p1 = 0
        let p2 = 0
        let p3 = 0
        let i = start
        for (; i < four; i += 4) {
          const g0 = dy[i]!
          const g1 = dy[i + 1]!
          const g2 = dy[i + 2]!
          const g3 = dy[i + 3]!
          s0 += g0
          s1 += g1
          s2 += g2
          s3 += g3
          p0 += g0 * (x[i]! - k)
          p1 += g1 * (x[i + 1]! - k)
          p2 += g2 * (x[i + 2]! - k)
          p3 += g3 * (x[i + 3]! - k)
        }
        for (; i < end; i++) {
          s0 += dy[i]!
          p0 += dy[i]! * (x[i]! - k)
        }
        s[channel]! += s0 + s1 + (s2 + s3)
        p[channel]! += p0 + p1 + (p2 + p3)
      }
    },
    dx(x, dy, a, b, c, dx) {
      for (let start = 0, channel = 0; start < x.length; start += inner, channel = (channel + 1) % channels) {
        const four = start + fours
        const end = start + inner
        const p = a[channel]!
        const q = b[channel]!
        const r = c[channel]!
        let i = start
        for (; i < four; i += 4) {
          dx[i] = p * dy[i]! + q * x[i]! + r
          dx[i + 1] = p * dy[i + 1]! + q * x[i + 1]! + r
          dx[i + 2] = p * dy[i + 2]! + q * x[i + 2]! + r
          dx[i + 3] = p * dy[i + 3]! + q * x[i + 3]! + r
        }
        for (; i < end; i++) dx[i] = p * dy[i]! + q * x[i]! + r
      }
    },
  }
}

/** Plain JavaScript. Its arrays are always ordinary; what is resident for others is as io. */
export const pureJs: Peer = {
  name: "pure JS",
  prepare(workload, mode) {
    const { layout, shape, channels, x, dy, gamma, beta, epsilon } = workload
    const inner = shape.slice(2).reduce((product, size) => product * size, 1)
    const loops = layout === "channels-last" ? channelsLast(channels) : channelsFirst(channels, inner)
    const m = x.length / channels
    const array = arrays(workload, mode)
    const vector = () => new Float64Array(channels)

    const moments = () => {
      const [k, s, q] = [vector(), vector(), vector()]
      for (let c = 0; c < channels; c++) k[c] = x[layout === "channels-last" ? c : c * inner]!
      loops.moments(x, k, s, q)
      const mean = k.map((shift, c) => shift + s[c]! / m)
      const variance = q.map((squares, c) => (squares - (s[c]! * s[c]!) / m) / m)
      return { mean, variance }
    }
    const normalize = (mean: Numbers, variance: Numbers) => {
      const a = gamma.map((g, c) => g / Math.sqrt(variance[c]! + epsilon))
      const b = beta.map((shift, c) => shift - mean[c]! * a[c]!)
      const y = array("y")
      loops.affine(x, a, b, y)
      return y
    }
    const forward = () => {
      const { mean, variance } = moments()
      return { y: normalize(mean, variance), mean, variance }
    }
    const backward = ({ mean, variance }: { mean: Numbers; variance: Numbers }) => {
      const [dgamma, dbeta] = [vector(), vector()]
      loops.sums(x, dy, mean, dbeta, dgamma)
      const r = variance.map((value) => 1 / Math.sqrt(value + epsilon))
      for (let c = 0; c < channels; c++) dgamma[c]! *= r[c]!
      const a = gamma.map((g, c) => g * r[c]!)
      const b = a.map((value, c) => (-value * r[c]! * dgamma[c]!) / m)
      const shift = a.map((value, c) => (-value * dbeta[c]!) / m - b[c]! * mean[c]!)
      const dx = array("dx")
      loops.dx(x, dy, a, b, shift, dx)
      return { dx, dgamma, dbeta }
    }
    const saved = moments()
    return {
      tasks: {
        moments: task(moments),
        forward: task(forward),
        infer: task(() => ({ y: normalize(workload.mean, workload.variance) })),
        backward: task(() => backward(saved)),
        step: task(() => {
          const result = forward()
          return { y: result.y, ...backward(result) }
        }),
      },
      dispose() {},
    }
  },
}

function arrays({ x }: Workload, mode: Mode): (name: "y" | "dx") => Float32Array<ArrayBuffer> {
  if (mode === "fresh") return () => new Float32Array(x.length)
  const given = { y: new Float32Array(x.length), dx: new Float32Array(x.length) }
  return (name) => given[name]
}
