import type { MeanVariance, NdArray } from "batchnorm"

/** A corner, an ordinary pixel, the middle, and pixel 56, which is not 0 in one image only. */
const shown = [0, 2, 36, 56]

export function printByColumn(data: NdArray, before: MeanVariance, normalized: NdArray, after: MeanVariance): void {
  console.log(
    `Data [${data.shape}] · moments over axes [0]: mean [${before.mean.shape}], variance [${before.variance.shape}]\n`,
  )
  console.log("pixel      mean  variance    after:  mean  variance")
  for (const pixel of shown) {
    const numbers = [before.mean, before.variance, after.mean, after.variance].map((array) => fixed(array.data[pixel]!))
    const [mean, variance, meanAfter, varianceAfter] = numbers.map((text) => text.padStart(10))
    console.log(`${String(pixel).padStart(5)}${mean}${variance}    ${meanAfter}${varianceAfter}`)
  }

  console.log("\nThe first image, before and after:\n")
  for (let start = 0; start < 64; start += 8) {
    const pixels = Array.from(data.data.subarray(start, start + 8), (value) => String(value).padStart(3))
    const standardized = Array.from(normalized.data.subarray(start, start + 8), (value) => fixed(value, 2).padStart(6))
    console.log(`${pixels.join("")}   ${standardized.join("")}`)
  }

  const largest = Math.max(...after.mean.data.map(Math.abs))
  const constant = [...before.variance.data.keys()].filter((pixel) => before.variance.data[pixel] === 0)
  const zero = normalized.data.every((value, i) => value === 0 || !constant.includes(i % 64))
  console.log(`
After, the mean of every column is at most ${largest.toExponential(1)} away from 0, and its variance is σ²/(σ² + ε):
1, but for pixels that hardly ever change. Pixels ${constant.join(", ")} never do: they are ${zero ? "0" : "not 0"} in all images after.
`)
}

export function printAll(before: MeanVariance, after: MeanVariance): void {
  console.log(
    `Moments over axes [0, 1]: mean ${fixed(before.mean.data[0]!)}, variance ${fixed(before.variance.data[0]!)}`,
  )
  console.log(
    `After:                    mean ${fixed(after.mean.data[0]!)}, variance ${fixed(after.variance.data[0]!)}`,
  )
}

/** Rounded first, then written: -1e-9 would else be "-0.0000". */
function fixed(value: number, digits = 4): string {
  return Number(value.toFixed(digits)).toFixed(digits)
}
