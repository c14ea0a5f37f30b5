// Bundled with `batchnorm/threads` in place of `batchnorm` (sources.ts).
import { init, threads } from "batchnorm/threads"
import { type Answer, attempt } from "./attempt.ts"

/** The answer of two threads. */
export async function attemptByTwo(): Promise<Answer> {
  await init({ threads: 2 })
  try {
    return threads.count === 2 ? attempt() : { error: `one thread computes: ${threads.reason}` }
  } finally {
    await threads.dispose()
  }
}
