/** A seeded generator (sfc32): the same numbers in every engine, but for `normal`'s logarithm and cosine. */
export class Random {
  readonly #state: Uint32Array<ArrayBuffer>

  constructor(seed: number) {
    this.#state = Uint32Array.of(seed, seed / 2 ** 32, 0x9e3779b9, 1)
    for (let i = 0; i < 15; i++) this.next()
  }

  /** 32 bits. */
  next(): number {
    const state = this.#state
    const [a, b, c, count] = state as unknown as [number, number, number, number]
    const result = (a + b + count) >>> 0
    state[0] = b ^ (b >>> 9)
    state[1] = c + (c << 3)
    state[2] = ((c << 21) | (c >>> 11)) + result
    state[3] = count + 1
    return result
  }

  /** 0..end. */
  below(end: number): number {
    return Math.floor(this.uniform() * end)
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!
  }

  /** In [0, 1). */
  uniform(): number {
    return (this.next() + (this.next() >>> 11) * 2 ** 32) / 2 ** 53
  }

  /** N(0, 1) (Box, Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
  }
}
