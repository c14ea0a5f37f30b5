import { Bench } from "tinybench"
import { median, quantile } from "./statistics.ts"

/** Something to be timed beside others. */
export interface Timed {
  readonly name: string
  readonly run: () => unknown
  /** Before its turn in each round. */
  readonly enter?: (() => Promise<unknown>) | undefined
}

/** Milliseconds of one run: the median of the rounds' medians, and their quartiles. */
export interface Times {
  readonly median: number
  readonly low: number
  readonly high: number
  readonly rounds: number
}

/** How long to measure. */
export interface Effort {
  readonly rounds: number
  /** Milliseconds of each round, for each of those that take turns. */
  readonly milliseconds: number
  /** Milliseconds that a sample lasts at least, for clocks coarser than the 5 µs of a browser's isolated page. */
  readonly sample?: number
}

// Of a clock with steps of 5 µs.
const shortestSample = 0.25
// Milliseconds after which a slow one is let off further rounds.
const longest = 6000

/** When a warm-up is enough: as long as ten rounds or so many milliseconds, and some calls; and when it is too long. */
const warm = { rounds: 10, milliseconds: 200, calls: 8, longest: 1500 }

interface State extends Timed {
  readonly medians: number[]
  spent: number
  isAsync: boolean
  /** Calls of a sample. */
  calls: number
}

/** Times what takes turns, round by round, so that a change of the machine's pace meets all. */
export async function time(
  contestants: readonly Timed[],
  { rounds, milliseconds, sample = shortestSample }: Effort,
): Promise<Map<string, Times>> {
  const states = contestants.map((timed): State => ({ ...timed, medians: [], spent: 0, isAsync: false, calls: 1 }))
  for (let round = 0; round < rounds; round++) {
    for (const state of states) {
      if (state.spent > longest) continue
      await state.enter?.()
      const start = performance.now()
      const only = round === 0 ? await warmUp(state, milliseconds, sample) : undefined
      state.medians.push(only ?? (await medianOf(state, milliseconds)))
      state.spent += performance.now() - start
    }
  }
  return new Map(
    states.map(({ name, medians }) => [
      name,
      { median: median(medians), low: quantile(medians, 0.25), high: quantile(medians, 0.75), rounds: medians.length },
    ]),
  )
}

/** Warms up, and finds how many calls fill a sample. Gives the time of a call that is so long that it is the only one. */
async function warmUp(state: State, milliseconds: number, sample: number): Promise<number | undefined> {
  const start = performance.now()
  const shortest = Math.min(warm.rounds * milliseconds, warm.milliseconds)
  let count = 0
  let now = start
  let isWarm = false
  do {
    const result = state.run()
    state.isAsync = result instanceof Promise
    if (state.isAsync) await result
    count += 1
    now = performance.now()
    // A compiler needs calls and time before it is done.
    isWarm = now - start >= Math.max(milliseconds, shortest) && count >= warm.calls
  } while (!isWarm && now - start < warm.longest)
  state.calls = Math.max(1, Math.ceil((sample * count) / (now - start)))
  return now - start > longest ? (now - start) / count : undefined
}

async function medianOf({ run, calls, isAsync }: State, milliseconds: number): Promise<number> {
  const bench = new Bench({ time: milliseconds, iterations: 1, warmup: false, throws: true })
  const repeat = () => {
    for (let i = 0; i < calls; i++) run()
  }
  const repeatAsync = async () => {
    for (let i = 0; i < calls; i++) await run()
  }
  bench.add("", isAsync ? repeatAsync : repeat, { async: isAsync })
  const [task] = isAsync ? await bench.run() : bench.runSync()
  if (task?.result.state !== "completed") throw new Error("there are no samples")
  return task.result.latency.p50 / calls
}
