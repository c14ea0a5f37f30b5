import { normalizeMoments, sufficientStatistics } from "batchnorm"
import { expect, test } from "vitest"
import { everywhere, label, numbers, place, product } from "./support/arrays.ts"

const box = [2, 4, 8]

test("the shift comes back in the form in which it broadcasts to the sums", () => {
  for (const setting of everywhere) {
    const x = place(setting, box, numbers(64))
    for (const [axes, shape, dropped] of [
      [[2], [2, 4, 1], [2, 4]],
      [[2], [4, 1], [4]],
      [[2], [1], []],
      [[0, 2], [1, 4, 1], [4]],
      [[0, 2], [4, 1], [4]],
      [[0], [4, 8], [4, 8]],
      [[0], [1, 1, 8], [1, 8]],
      [[], [2, 1, 8], [2, 1, 8]],
      [[0, 1, 2], [1, 1, 1], []],
      [[1], [], []],
    ] as const) {
      const shift = { data: Float64Array.from(numbers(product(shape), 3)), shape }
      const hint = `${label(setting)}, axes [${axes}], shift of shape [${shape}]`
      const kept = sufficientStatistics(x, axes, { shift, keepDims: true })
      expect(kept.shift, hint).toEqual(shift)
      const { count, meanSs, varianceSs, shift: given } = sufficientStatistics(x, axes, { shift })
      expect(given, hint).toEqual({ ...shift, shape: dropped })
      expect(normalizeMoments(count, meanSs, varianceSs, given).mean.shape, hint).toEqual(meanSs.shape)
    }
  }
})
