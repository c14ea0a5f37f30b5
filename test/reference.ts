// The oracle: batch normalization as the textbook has it, one element after the other, in exact arithmetic.
// Every finite number is mantissa·2^exponent, and so are sums and products of them; only quotients and roots are
// cut, at 300 bits. It imports nothing.

export interface Exact {
  readonly mantissa: bigint
  readonly exponent: number
}

const bits = new DataView(new ArrayBuffer(8))
const precision = 300
const zero: Exact = { mantissa: 0n, exponent: 0 }

export function exact(value: number): Exact {
  if (!Number.isFinite(value)) throw new RangeError(`the oracle knows finite numbers only, not ${value}`)
  bits.setFloat64(0, value)
  const high = bits.getUint32(0)
  const biased = (high >>> 20) % 2048
  const hidden = biased === 0 ? 0 : 2 ** 52
  const mantissa = BigInt(hidden + (high % 2 ** 20) * 2 ** 32 + bits.getUint32(4))
  return { mantissa: value < 0 ? -mantissa : mantissa, exponent: Math.max(biased, 1) - 1075 }
}

export function add(a: Exact, b: Exact): Exact {
  if (a.exponent < b.exponent) return add(b, a)
  return {
    mantissa: (a.mantissa << BigInt(a.exponent - b.exponent)) + b.mantissa,
    exponent: b.exponent,
  }
}

const negate = (a: Exact): Exact => ({ mantissa: -a.mantissa, exponent: a.exponent })
export const subtract = (a: Exact, b: Exact): Exact => add(a, negate(b))
export const absolute = (a: Exact): Exact => (a.mantissa < 0n ? negate(a) : a)
export const multiply = (a: Exact, b: Exact): Exact => ({
  mantissa: a.mantissa * b.mantissa,
  exponent: a.exponent + b.exponent,
})

/** Bits of a mantissa, rounded up to whole hexadecimal digits. */
const lengthOf = ({ mantissa }: Exact): number => 4 * (mantissa < 0n ? -mantissa : mantissa).toString(16).length

export function divide(a: Exact, b: Exact): Exact {
  const shift = Math.max(0, precision + lengthOf(b) - lengthOf(a))
  return {
    mantissa: (a.mantissa << BigInt(shift)) / b.mantissa,
    exponent: a.exponent - b.exponent - shift,
  }
}

export function squareRoot(a: Exact): Exact {
  if (a.mantissa < 0n) throw new RangeError("the square root of a negative number")
  if (a.mantissa === 0n) return zero
  const least = Math.max(0, 2 * precision - lengthOf(a))
  const shift = least + Math.abs((a.exponent - least) % 2)
  const square = a.mantissa << BigInt(shift)
  for (let root = 1n << BigInt(lengthOf(a) + shift); ; ) {
    const next = (root + square / root) >> 1n
    if (next >= root) return { mantissa: root, exponent: (a.exponent - shift) / 2 }
    root = next
  }
}

/** To within a unit in the last place; 0 or infinite where it leaves the range. */
export function toNumber(a: Exact): number {
  const cut = Math.max(0, lengthOf(a) - 64)
  const exponent = a.exponent + cut
  const half = Math.max(-1000, Math.min(1000, Math.trunc(exponent / 2)))
  return Number(a.mantissa >> BigInt(cut)) * 2 ** half * 2 ** (exponent - half)
}

/** For each statistic, in the order of the kept axes, the places of its elements. */
export function placesOf(shape: readonly number[], kept: readonly number[]): number[][] {
  const product = (axes: readonly number[]) => axes.reduce((size, axis) => size * shape[axis]!, 1)
  const places: number[][] = Array.from({ length: product(kept) }, () => [])
  for (let place = 0; place < product([...shape.keys()]); place++) {
    let rest = place
    const index = shape.map(() => 0)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!
      rest = Math.floor(rest / shape[axis]!)
    }
    const ordered = [...kept].sort((a, b) => a - b)
    places[ordered.reduce((at, axis) => at * shape[axis]! + index[axis]!, 0)]!.push(place)
  }
  return places
}

/** W = Σw, μ = Σwx / W, σ² = Σw(x-μ)² / W = (W·Σwx² - (Σwx)²) / W²; without weights w = 1 and W = m. */
export function moments(
  x: readonly number[],
  weights?: readonly number[],
): { total: Exact; mean: Exact; variance: Exact } {
  let [total, sum, squares] = [zero, zero, zero]
  for (const [index, value] of x.map(exact).entries()) {
    const weight = exact(weights?.[index] ?? 1)
    const weighted = multiply(weight, value)
    total = add(total, weight)
    sum = add(sum, weighted)
    squares = add(squares, multiply(weighted, value))
  }
  const m2 = subtract(multiply(total, squares), multiply(sum, sum))
  return { total, mean: divide(sum, total), variance: divide(m2, multiply(total, total)) }
}

/** r = 1/√(σ²+ε), 0 where both are; x̂ = (x-μ)·r; y = x̂·γ + β. */
export class Channel {
  readonly mean: Exact
  readonly inverseDeviation: Exact
  readonly gamma: Exact
  readonly beta: Exact

  constructor(mean: Exact, variance: Exact, gamma: number, beta: number, epsilon: number) {
    const sum = add(variance, exact(epsilon))
    this.mean = mean
    this.inverseDeviation = sum.mantissa === 0n ? zero : divide(exact(1), squareRoot(sum))
    this.gamma = exact(gamma)
    this.beta = exact(beta)
  }

  normalized(x: number): Exact {
    return multiply(subtract(exact(x), this.mean), this.inverseDeviation)
  }

  forward(x: number): Exact {
    return add(multiply(this.normalized(x), this.gamma), this.beta)
  }
}

/** dβ = Σdy, dγ = Σdy·x̂, the sums of their terms' magnitudes, and dx. `dy` is what a ReLU and a mask let through. */
export class Gradients {
  readonly #channel: Channel
  readonly #total: Exact
  readonly dbeta: Exact
  readonly dgamma: Exact
  readonly dbetaTerms: number
  readonly dgammaTerms: number

  constructor(channel: Channel, x: readonly number[], dy: readonly number[], total: Exact = exact(x.length)) {
    let [dbeta, dgamma, dbetaTerms, dgammaTerms] = [zero, zero, zero, zero]
    for (const [index, slope] of dy.map(exact).entries()) {
      const term = multiply(slope, subtract(exact(x[index]!), channel.mean))
      dbeta = add(dbeta, slope)
      dgamma = add(dgamma, term)
      dbetaTerms = add(dbetaTerms, absolute(slope))
      dgammaTerms = add(dgammaTerms, absolute(term))
    }
    this.#channel = channel
    this.#total = total
    this.dbeta = dbeta
    this.dgamma = multiply(dgamma, channel.inverseDeviation)
    this.dbetaTerms = toNumber(dbetaTerms)
    this.dgammaTerms = toNumber(multiply(dgammaTerms, channel.inverseDeviation))
  }

  /** dx = γ·r·(dy - (w/W)·(dβ + x̂·dγ)), w = 1 and W = m without weights; with frozen statistics γ·r·dy. */
  dx(x: number, dy: number, frozen: boolean, weight = 1): Exact {
    const { gamma, inverseDeviation } = this.#channel
    const share = multiply(exact(weight), add(this.dbeta, multiply(this.#channel.normalized(x), this.dgamma)))
    const rest = frozen ? exact(dy) : subtract(exact(dy), divide(share, this.#total))
    return multiply(multiply(gamma, inverseDeviation), rest)
  }
}

/**
 * The error as a multiple of the bound: up to 1 is within. No error is 0, whatever the bound; any error where the bound
 * is 0, and a NaN or infinity where a number was due, is infinite. The sign of a zero is no error: `sameBits` sees it.
 */
export function ratio(got: number, due: Exact, bound: number): number {
  if (!Number.isFinite(got) || Number.isNaN(bound)) return Number.POSITIVE_INFINITY
  const error = absolute(subtract(exact(got), due))
  if (error.mantissa === 0n) return 0
  return bound > 0 ? toNumber(divide(error, exact(bound))) : Number.POSITIVE_INFINITY
}

/** Whether two numbers are the same: zeros by their sign, all NaN alike. */
export const sameBits = (a: number, b: number): boolean => Object.is(a, b)
