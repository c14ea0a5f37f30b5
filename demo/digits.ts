import { type Images, parseDigits, split, standardizer } from "../examples/digits/images.ts"
import type { Matrix } from "../examples/digits/matrix.ts"

export interface Digits {
  /** Standardized. */
  readonly train: Images
  readonly test: Images
  /** The test images as they are in the file. */
  readonly raw: Images
  readonly standardize: (x: Matrix) => Matrix
}

/** Loads the data set. Throws what a visitor can read. */
export async function loadDigits(): Promise<Digits> {
  const { train, test: raw } = split(parseDigits(await text()))
  const standardize = standardizer(train.x)
  return {
    train: { ...train, x: standardize(train.x) },
    test: { ...raw, x: standardize(raw.x) },
    raw,
    standardize,
  }
}

async function text(): Promise<string> {
  const response = await fetch(new URL("../examples/digits/data/digits.csv.gz", import.meta.url))
  if (!response.ok) throw new Error(`The digits could not be loaded: the server answered ${response.status}.`)
  const bytes = new Uint8Array(await response.arrayBuffer())
  // Some servers take the name for an encoding, and the browser has undone it already.
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b
  if (!isPacked) return new TextDecoder().decode(bytes)
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text()
}
