import { describe, expect, test } from "vitest"
import { digitize, type Stroke } from "../../demo/bitmap.ts"
import { Pair } from "../../demo/pair.ts"
import { readDigits } from "../../examples/digits/data.ts"
import { split, standardizer } from "../../examples/digits/images.ts"
import { strokesOf } from "./strokes.ts"

const sum = (values: Float32Array) => values.reduce((a, b) => a + b, 0)

test("nothing drawn is no image", () => {
  expect(digitize([])).toBeUndefined()
})

describe.each([...strokesOf.entries()])("a drawn %d", (_, strokes) => {
  test("is 8×8 counts of 0 … 16, as many pixels on as in the data set", () => {
    const image = digitize(strokes)!
    expect(image).toHaveLength(64)
    for (const count of image) expect(count === Math.trunc(count) && count >= 0 && count <= 16).toBe(true)
    expect(Math.abs(sum(image) - 310)).toBeLessThan(16)
    // It fills the height, and leaves the outermost columns almost empty.
    for (const row of [0, 7]) expect(sum(image.subarray(8 * row, 8 * row + 8))).toBeGreaterThan(0)
    for (let row = 0; row < 8; row++) expect(image[8 * row]! + image[8 * row + 7]!).toBe(0)
  })

  test("is the same wherever and however large it is drawn", () => {
    const moved = strokes.map((stroke) => stroke.map(({ x, y }) => ({ x: 256 * x + 64, y: 256 * y - 32 })))
    const [image, other] = [digitize(strokes)!, digitize(moved)!]
    const differences = image.map((count, i) => Math.abs(count - other[i]!))
    expect(sum(differences)).toBeLessThan(8)
  })
})

test.each<[string, Stroke]>([
  ["a dot", [{ x: 0.5, y: 0.5 }]],
  ["a level line", [0.2, 0.8].map((x) => ({ x, y: 0.5 }))],
])("%s is an image too", (_, stroke) => {
  const image = digitize([stroke])!
  expect(sum(image)).toBeGreaterThan(100)
  expect(image.every(Number.isFinite)).toBe(true)
})

test("a trained network reads drawn digits", () => {
  const { train, test: held } = split(readDigits())
  const standardize = standardizer(train.x)
  const images = { train: { ...train, x: standardize(train.x) }, test: { ...held, x: standardize(held.x) } }
  const pair = new Pair({ rate: 0.3, hiddenLayers: 5, batchSize: 60, convention: "keras", seed: 1 }, images)
  for (let batch = 0; batch < 20 * pair.batchesPerEpoch; batch++) pair.step()
  const right = strokesOf.filter((strokes, digit) => {
    const answer = pair.classify(standardize({ data: digitize(strokes)!, shape: [1, 64] })).with!
    return answer.indexOf(Math.max(...answer)) === digit
  })
  expect(right.length).toBeGreaterThanOrEqual(7)
}, 60_000)
