import { ArgumentError } from "../errors.ts"
import type { NdArray } from "../types.ts"
import { describe } from "./describe.ts"

/** Arrays that come one by one, at once or in time. */
export type Batches = Iterable<NdArray> | AsyncIterable<NdArray>

/** Batches, and whether they come in time. */
export function checkBatches(batches: Batches): batches is AsyncIterable<NdArray> {
  const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = Object(batches)
  const isIterable = typeof later === "function" || typeof now === "function"
  if (!isIterable || typeof batches === "string" || ArrayBuffer.isView(batches)) {
    const hint = "an iterable or async iterable of { data, shape }"
    const isArray = typeof batches === "object" && batches !== null && "data" in batches
    throw new ArgumentError("batches", hint, isArray ? "one array: wrap it, as in [x]" : describe(batches))
  }
  return typeof later === "function"
}

/** What batches were reduced to, of some element. */
export function checkSomeBatches<P extends { readonly count: Float64Array }>(parts: P | undefined): P {
  if (!parts?.count.some((count) => count > 0)) throw new ArgumentError("batches", "some elements", "none")
  return parts
}
