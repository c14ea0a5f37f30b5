import type { Random } from "./numerics-random.ts"

/** Makes the elements of a channel. */
export type Family = (random: Random, length: number) => number[]

const each = (length: number, element: (index: number) => number): number[] =>
  Array.from({ length }, (_, i) => element(i))

// Lengths that share no factor with blocks, lanes or one another.
const periods = [3, 7, 13, 61, 67, 127, 251, 1021, 1031]

/** Inputs that can embarrass. All have variances and products that f64 holds. */
export const families: Readonly<Record<string, Family>> = {
  normal: (r, length) => each(length, () => r.normal()),
  negative: (r, length) => each(length, () => -5 - r.uniform()),
  "offset to 1e7": (r, length) => {
    const offset = r.pick([-1e7, 1e7, 1e6, 1e4, -1e4, 100, 3])
    return each(length, () => offset + r.normal())
  },
  "1e6 + U(0,1)": (r, length) => each(length, () => 1e6 + r.uniform()),
  "first rows outliers": (r, length) => {
    const [rows, far, offset] = [r.pick([1, 2, 3, 4, 8, 9, 64]), r.pick([1e2, 1e4, -1e6, 1e9]), r.pick([0, 100, 1e5])]
    return each(length, (i) => offset + (i < rows ? far * (1 + r.uniform()) : r.normal()))
  },
  "one late outlier": (r, length) => {
    const [at, far] = [r.below(length), r.pick([30, 1e3, -1e6, 1e12])]
    return each(length, (i) => (i === at ? far : r.normal()))
  },
  ramp: (r, length) => {
    const [offset, step] = [r.pick([0, -1e3, 1e6]), r.pick([1, 0.1, -3])]
    return each(length, (i) => offset + step * i)
  },
  "noisy ramp": (r, length) => {
    const [offset, step] = [r.pick([0, 1e6]), r.pick([1, 0.01, -0.1])]
    return each(length, (i) => offset + step * i + r.normal())
  },
  steps: (r, length) => {
    const [period, height, offset] = [r.pick(periods), r.pick([1, 10, 1e4]), r.pick([0, 1e5])]
    return each(length, (i) => offset + height * Math.floor(i / period) + 0.01 * r.normal())
  },
  "two clusters": (r, length) => {
    const [far, width, split, kind] = [r.pick([1, 1e3, 1e6]), r.pick([0, 1e-3, 1]), r.below(length + 1), r.below(3)]
    const high = (i: number) => (kind === 0 ? i < split : kind === 1 ? r.below(2) === 0 : i % 7 < 3)
    return each(length, (i) => (high(i) ? far : -far) + width * r.normal())
  },
  "exponential growth": (r, length) => {
    const [doublings, start] = [r.pick([10, 40, 80]), r.pick([1, -1, 1e-12])]
    return each(length, (i) => start * 2 ** ((doublings * i) / length))
  },
  "exponential decay": (r, length) => {
    const [rate, offset] = [r.pick([0.5, 0.9, 0.99]), r.pick([0, 0, 1])]
    return each(length, (i) => offset + rate ** Math.min(i, 200) * (1 + r.uniform()))
  },
  "heavy tails": (r, length) => {
    const power = r.pick([0.5, 1, 2, 3])
    return each(length, () => r.pick([1, -1]) * (1 - r.uniform()) ** -power)
  },
  "sparse ReLU": (r, length) => {
    const [dead, density] = [r.below(100), r.pick([0.5, 0.1, 0.01])]
    return each(length, (i) => (i >= dead && r.uniform() < density ? Math.abs(r.normal()) : 0))
  },
  "one differing": (r, length) => {
    const value = r.pick([0.1, 1e6, -1e7, 3, 1e-3])
    const at = r.pick([0, Math.floor(length / 2), length - 1, r.below(length)])
    const other = value * r.pick([1 + 6.1e-8, 1 + 1e-6, 2, -1])
    return each(length, (i) => (i === at ? other : value))
  },
  "neighbouring floats": (r, length) => {
    const value = r.pick([1, 1e6, 4095.5])
    return each(length, () => value + value * 1.2e-7 * r.below(3))
  },
  constant: (r, length) => {
    const value = r.pick([0, 0.1, -1e7, 2 ** 24, 1e30, 1e-30, 1 / 3, 3e38, 1e-45])
    return each(length, () => value)
  },
  "1e25": (r, length) => each(length, () => 1e25 * r.normal()),
  "1e-25": (r, length) => each(length, () => 1e-25 * r.normal()),
  "1e-18 + 1e-25": (r, length) => each(length, () => 1e-18 + 1e-25 * r.normal()),
  "all magnitudes": (r, length) => each(length, () => r.pick([1, -1]) * 10 ** (r.uniform() * 60 - 30)),
  "subnormal in f32": (r, length) => each(length, () => (r.below(2001) - 1000) * 1.5e-45),
  alternating: (r, length) => {
    const [far, noise] = [r.pick([1, 1e5]), r.pick([0, 1])]
    return each(length, (i) => (i % 2 === 0 ? far : -far) + noise * r.normal())
  },
  "prime periods": (r, length) => {
    const [a, b] = [r.pick(periods), r.pick(periods)]
    return each(length, (i) => (i % a) * 0.37 - (i % b) * 1.13 + 1000)
  },
  "smooth as images": (r, length) => {
    const [a, b] = [r.uniform() * 0.02, r.uniform() * 0.3]
    const value = (i: number) => 128 + 80 * Math.sin(a * i) + 20 * Math.cos(b * i) + r.normal()
    return each(length, (i) => Math.round(Math.max(0, Math.min(255, value(i)))))
  },
  "random walk": (r, length) => {
    let at = r.pick([0, 1e4])
    return each(length, () => {
      at += r.normal()
      return at
    })
  },
  "shift after some blocks": (r, length) => {
    // around the threshold at which a block is taken again
    const [at, by] = [r.below(length), r.uniform() * 3 * r.pick([1, 1, 10, 100])]
    return each(length, (i) => r.normal() + (i < at ? 0 : by))
  },
  "quiet, then loud": (r, length) => {
    const [at, loud] = [r.below(length), r.pick([1e3, 1e8])]
    return each(length, (i) => (i < at ? 1e-3 : loud) * r.normal())
  },
  "biased rounding": (r, length) => {
    // every addition rounds the same way
    const [one, other] = [r.pick([0.1, 1 / 3, 0.7]), r.pick([-0.1, 0.9, 5.3])]
    return each(length, (i) => (i < 8 ? other : one))
  },
}

/** What arrives from above. */
export const slopes: Readonly<Record<string, Family>> = {
  normal: families.normal!,
  offset: (r, length) => each(length, () => 1e5 + r.normal()),
  constant: (_, length) => each(length, () => 0.3),
  alternating: (r, length) => {
    const noise = r.pick([0, 1e-4])
    return each(length, (i) => (i % 2 === 0 ? 1e3 : -1e3) + noise * r.normal())
  },
  "heavy tails": (r, length) => each(length, () => r.pick([1, -1]) * (1 - r.uniform()) ** -2),
  sparse: (r, length) => each(length, () => (r.below(50) === 0 ? r.normal() : 0)),
  tiny: (r, length) => each(length, () => 1e-30 * r.normal()),
  huge: (r, length) => each(length, () => 1e30 * r.normal()),
  "all magnitudes": families["all magnitudes"]!,
  zero: (_, length) => each(length, () => 0),
}
