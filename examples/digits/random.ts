// Math.random cannot be seeded; an example whose numbers can be repeated needs its own source.

export type Random = () => number

/** mulberry32 (Tommy Ettinger, public domain): uniform in [0, 1) from 32 bits of state. */
export function mulberry32(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** One draw from N(0, 1), by Box and Muller. 1 - u keeps the logarithm's argument above 0. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** 0 … length-1 in random order, by Fisher and Yates. */
export function permutation(length: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i)
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const last = order[i]!
    order[i] = order[j]!
    order[j] = last
  }
  return order
}
