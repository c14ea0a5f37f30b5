// The best plain loops: one pass for the moments around the first element (sums in f64), one for the map; four
// elements a step where a channel's elements are neighbours, rows against typed accumulators where channels are.
import type { Peer } from "./peer.ts"

interface Loops {
  moments(x: Float32Array, mean: Float64Array, variance: Float64Array): void
  /** y = a·x + b. */
  affine(x: Float32Array, a: Float64Array, b: Float64Array, y: Float32Array): void
  /** dβ = Σdy, dγ = r·Σdy·(x-μ). */
  sums(x: Float32Array, dy: Float32Array, mean: Float64Array, dgamma: Float64Array, dbeta: Float64Array): void
  /** dx = a·dy + b·x + c. */
  dx(x: Float32Array, dy: Float32Array, a: Float64Array, b: Float64Array, c: Float64Array, dx: Float32Array): void
}

/** [rows][channels]. */
function channelsLast(channels: number): Loops {
  return {
    moments(x, mean, variance) {
      const rows = x.length / channels
      const shift = Float64Array.from(x.subarray(0, channels))
      const s = new Float64Array(channels)
      const q = new Float64Array(channels)
      for (let i = 0; i < x.length; ) {
        for (let c = 0; c < channels; c++, i++) {
          const d = x[i]! - shift[c]!
          s[c]! += d
          q[c]! += d * d
        }
      }
      for (let c = 0; c < channels; c++) {
        mean[c] = shift[c]! + s[c]! / rows
        variance[c] = (q[c]! - (s[c]! * s[c]!) / rows) / rows
      }
    },
    affine(x, a, b, y) {
      for (let i = 0; i < x.length; ) {
        for (let c = 0; c < channels; c++, i++) y[i] = a[c]! * x[i]! + b[c]!
      }
    },
    sums(x, dy, mean, dgamma, dbeta) {
      for (let i = 0; i < x.length; ) {
        for (let c = 0; c < channels; c++, i++) {
          const g = dy[i]!
          dbeta[c]! += g
          dgamma[c]! += g * (x[i]! - mean[c]!)
        }
      }
    },
    dx(x, dy, a, b, c, dx) {
      for (let i = 0; i < x.length; ) {
        for (let k = 0; k < channels; k++, i++) dx[i] = a[k]! * dy[i]! + b[k]! * x[i]! + c[k]!
      }
    },
  }
}

/** [samples][channels][inner], inner a multiple of 4. */
function channelsFirst(channels: number, inner: number): Loops {
  /** Calls `run` with the start of each segment of each channel. */
  const segments = (length: number, run: (channel: number, start: number) => void) => {
    for (let start = 0, i = 0; start < length; start += inner, i++) run(i % channels, start)
  }
  return {
    moments(x, mean, variance) {
      const m = x.length / channels
      const s = new Float64Array(channels)
      const q = new Float64Array(channels)
      segments(x.length, (channel, start) => {
        const k = x[channel * inner]!
        let [s0, s1, s2, s3, q0, q1, q2, q3] = [0, 0, 0, 0, 0, 0, 0, 0]
        for (let i = start; i < start + inner; i += 4) {
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
        s[channel]! += s0 + s1 + (s2 + s3)
        q[channel]! += q0 + q1 + (q2 + q3)
      })
      for (let c = 0; c < channels; c++) {
        mean[c] = x[c * inner]! + s[c]! / m
        variance[c] = (q[c]! - (s[c]! * s[c]!) / m) / m
      }
    },
    affine(x, a, b, y) {
      segments(x.length, (channel, start) => {
        const scale = a[channel]!
        const shift = b[channel]!
        for (let i = start; i < start + inner; i += 4) {
          y[i] = scale * x[i]! + shift
          y[i + 1] = scale * x[i + 1]! + shift
          y[i + 2] = scale * x[i + 2]! + shift
          y[i + 3] = scale * x[i + 3]! + shift
        }
      })
    },
    sums(x, dy, mean, dgamma, dbeta) {
      segments(x.length, (channel, start) => {
        const k = mean[channel]!
        let [s0, s1, p0, p1] = [0, 0, 0, 0]
        for (let i = start; i < start + inner; i += 2) {
          const g0 = dy[i]!
          const g1 = dy[i + 1]!
          s0 += g0
          s1 += g1
          p0 += g0 * (x[i]! - k)
          p1 += g1 * (x[i + 1]! - k)
        }
        dbeta[channel]! += s0 + s1
        dgamma[channel]! += p0 + p1
      })
    },
    dx(x, dy, a, b, c, dx) {
      segments(x.length, (channel, start) => {
        const [p, q, r] = [a[channel]!, b[channel]!, c[channel]!]
        for (let i = start; i < start + inner; i += 4) {
          dx[i] = p * dy[i]! + q * x[i]! + r
          dx[i + 1] = p * dy[i + 1]! + q * x[i + 1]! + r
          dx[i + 2] = p * dy[i + 2]! + q * x[i + 2]! + r
          dx[i + 3] = p * dy[i + 3]! + q * x[i + 3]! + r
        }
      })
    },
  }
}

/** Plain JavaScript. Its arrays are always ordinary; "resident" means that results go into given ones. */
export const pureJs: Peer = {
  name: "pure JS",
  prepare({ layout, shape, channels, x, dy, gamma, beta, epsilon }, mode) {
    const inner = shape.slice(2).reduce((product, size) => product * size, 1)
    const loops = layout === "channels-last" ? channelsLast(channels) : channelsFirst(channels, inner)
    const m = x.length / channels
    const given = { y: new Float32Array(x.length), dx: new Float32Array(x.length) }
    const target = (name: "y" | "dx") => (mode === "resident" ? given[name] : new Float32Array(x.length))
    const saved = { mean: new Float64Array(channels), variance: new Float64Array(channels) }
    loops.moments(x, saved.mean, saved.variance)

    const moments = () => {
      const mean = new Float64Array(channels)
      const variance = new Float64Array(channels)
      loops.moments(x, mean, variance)
      return { mean, variance }
    }
    const normalize = (mean: Float64Array, variance: Float64Array) => {
      const a = gamma.map((g, c) => g / Math.sqrt(variance[c]! + epsilon))
      const b = beta.map((shift, c) => shift - mean[c]! * a[c]!)
      const y = target("y")
      loops.affine(x, a, b, y)
      return y
    }
    return {
      moments,
      forward() {
        const { mean, variance } = moments()
        return { y: normalize(mean, variance), mean, variance }
      },
      infer: () => ({ y: normalize(saved.mean, saved.variance) }),
      backward() {
        const { mean, variance } = saved
        const dgamma = new Float64Array(channels)
        const dbeta = new Float64Array(channels)
        loops.sums(x, dy, mean, dgamma, dbeta)
        const r = variance.map((value) => 1 / Math.sqrt(value + epsilon))
        for (let c = 0; c < channels; c++) dgamma[c]! *= r[c]!
        const a = gamma.map((g, c) => g * r[c]!)
        const b = a.map((value, c) => (-value * r[c]! * dgamma[c]!) / m)
        const shift = a.map((value, c) => (-value * dbeta[c]!) / m - b[c]! * mean[c]!)
        const dx = target("dx")
        loops.dx(x, dy, a, b, shift, dx)
        return { dx, dgamma, dbeta }
      },
      dispose() {},
    }
  },
}
