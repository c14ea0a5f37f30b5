import { judge, tolerance } from "./check.ts"
import { type Mode, modes, type Operation, operations, type Peer, type Prepared, type Task } from "./peers/peer.ts"
import { type Effort, type Times, time } from "./timing.ts"
import { type Layout, type Shape, type Workload, workload } from "./workloads.ts"
import { type Loop, leastOf, loopNames, yardstick } from "./yardstick.ts"

/** What is compared. */
export interface Plan {
  readonly workloads: readonly (Shape & { readonly name: string })[]
  readonly operations: readonly Operation[]
  readonly modes: readonly Mode[]
  /** Absent: answers are checked, nothing is timed. */
  readonly effort?: Effort | undefined
}

/** One peer at one operation. */
export interface Row {
  readonly peer: string
  /** In units of 2⁻²⁴ of the result's scale; absent where it failed, infinite where there is no number. */
  readonly error?: number | undefined
  /** Off by more than the tolerance, hence not timed. */
  readonly isWrong?: boolean | undefined
  /** What it threw. */
  readonly failure?: string | undefined
  readonly times?: Times | undefined
}

/** The peers at one operation of one workload. */
export interface Comparison {
  readonly workload: string
  readonly layout: Layout
  readonly shape: readonly number[]
  readonly mode: Mode
  readonly operation: Operation
  readonly rows: readonly Row[]
  /** The loops that the operation consists of at least, on arrays of the same size. */
  readonly memory: Partial<Record<Loop, Times>>
}

interface Contestant {
  readonly peer: Peer
  readonly prepared?: Prepared
  readonly failure?: string
}

/** Compares the peers, workload by workload, mode by mode, operation by operation. */
export async function* compare(
  plan: Plan,
  peers: readonly Peer[],
  wasm: WebAssembly.Module,
): AsyncGenerator<Comparison> {
  for (const { name, layout, shape } of plan.workloads) {
    const data = workload(name, { layout, shape })
    const errorOf = judge(data)
    const memory = yardstick(wasm, data.x.length)
    for (const mode of modes.filter((each) => plan.modes.includes(each))) {
      const contestants: Contestant[] = []
      // One after the other: the backends of tf.js share one switch.
      for (const peer of peers) contestants.push(await contestantOf(peer, data, mode))
      try {
        for (const operation of operations.filter((each) => plan.operations.includes(each))) {
          const found = await compareOne(operation, contestants, errorOf, memory, plan.effort)
          if (found.rows.length > 0) yield { workload: name, layout, shape, mode, operation, ...found }
        }
      } finally {
        for (const { prepared } of contestants) await prepared?.dispose()
      }
    }
  }
}

async function contestantOf(peer: Peer, data: Workload, mode: Mode): Promise<Contestant> {
  try {
    return { peer, prepared: await peer.prepare(data, mode) }
  } catch (error) {
    return { peer, failure: messageOf(error) }
  }
}

async function compareOne(
  operation: Operation,
  contestants: readonly Contestant[],
  errorOf: ReturnType<typeof judge>,
  memory: ReturnType<typeof yardstick>,
  effort: Effort | undefined,
): Promise<Pick<Comparison, "rows" | "memory">> {
  const rows: Row[] = []
  const sound: { name: string; run: Task["run"]; enter?: Prepared["enter"] }[] = []
  for (const { peer, prepared, failure } of contestants) {
    const task = prepared?.tasks[operation]
    if (failure) rows.push({ peer: peer.name, failure })
    if (!task) continue
    try {
      await prepared.enter?.()
      const error = errorOf(operation, await task.answer())
      const isWrong = !(error <= tolerance)
      rows.push({ peer: peer.name, error, ...(isWrong && { isWrong }) })
      if (!isWrong) sound.push({ name: peer.name, run: task.run, enter: prepared.enter })
    } catch (error) {
      rows.push({ peer: peer.name, failure: messageOf(error) })
    }
  }
  if (!effort || rows.length === 0) return { rows, memory: {} }
  const loops = loopNames.filter((loop) => leastOf[operation].includes(loop) || loop === "copy")
  const times = await time([...sound, ...loops.map((name) => ({ name, run: memory[name] }))], effort)
  return {
    rows: rows.map((row) => {
      const found = row.isWrong || row.failure ? undefined : times.get(row.peer)
      return found ? { ...row, times: found } : row
    }),
    memory: Object.fromEntries(loops.map((loop) => [loop, times.get(loop) as Times])),
  }
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] as string
}
