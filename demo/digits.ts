import { type Images, parseDigits, pixels, split, standardizer } from "../examples/digits/images.ts"
import type { Matrix } from "../examples/digits/matrix.ts"

export interface Digits {
  /** Standardized. */
  readonly train: Images
  readonly test: Images
  /** The test images as they are in the file. */
  readonly raw: Images
  readonly standardize: (x: Matrix) => Matrix
}

/** The data set did not come; the message is a sentence for the visitor, without its full stop. */
export class DigitsError extends Error {
  override readonly name = "DigitsError"
  readonly code = "no-digits"

  constructor(reason: string, options?: ErrorOptions) {
    super(`The digits could not be loaded: ${reason}`, options)
  }
}

const images = 1797
const line = new RegExp(`^(\\d{1,2},){${pixels}}\\d$`)

/** Loads the data set. Throws a DigitsError where that fails. */
export async function loadDigits(): Promise<Digits> {
  const { train, test: raw } = split(parseDigits(checked(await text())))
  const standardize = standardizer(train.x)
  return {
    train: { ...train, x: standardize(train.x) },
    test: { ...raw, x: standardize(raw.x) },
    raw,
    standardize,
  }
}

async function text(): Promise<string> {
  const file = new URL("../examples/digits/data/digits.csv.gz", import.meta.url)
  const response = await fetch(file).catch(because("the server could not be reached"))
  if (!response.ok) throw new DigitsError(`the server answered ${response.status}`)
  return unpacked(response).catch(because("the file is cut off or damaged"))
}

async function unpacked(response: Response): Promise<string> {
  const bytes = new Uint8Array(await response.arrayBuffer())
  // Some servers take the name for an encoding, and the browser has undone it already.
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b
  if (!isPacked) return new TextDecoder().decode(bytes)
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text()
}

/** A server may answer 200 with something else, such as the page that it gives for whatever it does not have. */
function checked(text: string): string {
  if (text === "") throw new DigitsError("the file is empty")
  const lines = text.trimEnd().split("\n")
  if (lines.length === images && lines.every((each) => line.test(each))) return text
  throw new DigitsError("what the server sent is something else")
}

/** What browsers say of a failed fetch or stream differs, and tells visitors nothing. */
function because(reason: string): (cause: unknown) => never {
  return (cause) => {
    throw new DigitsError(reason, { cause })
  }
}
