import { type Batches, checkBatch, checkBatches } from "./options/batches.ts"
import type { NdArray } from "./types.ts"

/** Hands each batch and its name to `take`, then calls `finish`; a promise where the batches come in time. */
export function eachBatch<R>(
  batches: Batches,
  take: (batch: NdArray, name: string) => void,
  finish: () => R,
): R | Promise<R> {
  let index = 0
  const next = (batch: NdArray) => {
    const name = `batches[${index++}]`
    take(checkBatch(batch, name), name)
  }
  if (checkBatches(batches)) {
    return (async () => {
      for await (const batch of batches) next(batch)
      return finish()
    })()
  }
  for (const batch of batches) next(batch)
  return finish()
}
