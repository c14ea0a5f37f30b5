import { backward, forward, moments } from "batchnorm"
import { describe, expect, test } from "vitest"

// Scaled by powers of two, data give the same digits, wherever f64 can hold them: with ε = 0 variance scales by the
// square, dx by that of dy over that of x. What leaves the normal range on the way must not show.

const layouts = {
  "channels-last": { shape: (n: number) => [n, 2], at: (i: number, c: number, _n: number) => i * 2 + c },
  "channels-first": { shape: (n: number) => [2, n], at: (i: number, c: number, n: number) => c * n + i },
}

describe.each(Object.entries(layouts))("%s", (name, { shape, at }) => {
  const axis = name === "channels-last" ? 1 : 0
  const array = (n: number, of: (i: number) => number) => {
    const data = new Float64Array(2 * n)
    for (let i = 0; i < n; i++) for (let c = 0; c < 2; c++) data[at(i, c, n)] = of(i)
    return { data, shape: shape(n) }
  }

  test.each([
    [0, 0, 0],
    [400, -330, 0],
    [400, -650, 100],
    [400, -640, 200],
    [-400, 330, 0],
    [-480, -480, 0],
    [480, 300, -200],
  ])("dx of x·2^%d, dy·2^%d, γ·2^%d has the digits of dx", (a, b, g) => {
    const gradient = (sx: number, sdy: number, gamma: number) => {
      const x = array(4, (i) => [1, 2, 4, 8][i]! * sx)
      const dy = array(4, (i) => [1, -2, 3, 0.5][i]! * sdy)
      const { saved } = forward(x, { axis, gamma: [gamma, gamma], epsilon: 0 })
      return backward(dy, x, saved).dx.data
    }
    const plain = gradient(1, 1, 1)
    const scaled = gradient(2 ** a, 2 ** b, 2 ** g)
    plain.forEach((value, i) => {
      const found = ((scaled[i]! / 2 ** b) * 2 ** a) / 2 ** g
      expect(Math.abs(found - value), `element ${i}`).toBeLessThan(24 * 2 ** -53 * 8)
    })
  })

  test.each([10, 70, 200, 1024, 4096])("the variance of %d faint numbers has the digits of plain ones", (n) => {
    for (const p of [1.3, 1.7, 1.1]) {
      const variance = (scale: number) =>
        moments(
          array(n, (i) => (i === 3 ? 0 : p * scale)),
          [1 - axis],
        ).variance.data[0]!
      const plain = variance(1)
      const faint = variance(2 ** -495) * 2 ** 495 * 2 ** 495
      expect(Math.abs(faint - plain) / plain, `p = ${p}`).toBeLessThan(2 * 16 * 2 ** -53)
    }
  })
})
