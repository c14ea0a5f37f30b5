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
    const expected = "an iterable or async iterable of { data, shape }"
    const isArray = typeof batches === "object" && batches !== null && "data" in batches
    throw new ArgumentError("batches", expected, isArray ? "one array: wrap it, as in [x]" : describeLater(batches))
  }
  return typeof later === "function"
}

/** A batch that is at hand; what it is else is judged where it is used. */
export function checkBatch(batch: NdArray, name: string): NdArray {
  if (isPromise(batch)) throw new ArgumentError(name, "{ data, shape }", describeLater(batch))
  return batch
}

/** What batches were reduced to, of some element; `skipped`: there were some, but each left out. */
export function checkSomeBatches<P extends { readonly count: Float64Array }>(parts: P | undefined, skipped = false): P {
  if (parts?.count.some((count) => count > 0)) return parts
  if (!skipped) throw new ArgumentError("batches", "some elements", "none")
  throw new ArgumentError("batches", "finite statistics in some channel", "NaN or Infinity in all of them")
}

function isPromise(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function"
}

function describeLater(value: unknown): string {
  return `${describe(value)}${isPromise(value) ? ": await it, or pass an async iterable" : ""}`
}
