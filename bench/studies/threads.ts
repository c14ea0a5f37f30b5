// What all cores gain over one, beside what a loop that only reads and writes arrays of the same size gains.
import { threads } from "batchnorm/threads"
import { judge, tolerance } from "../check.ts"
import type { Plan } from "../compare.ts"
import { batchnorm } from "../peers/batchnorm.ts"
import { batchnormThreads } from "../peers/batchnorm-threads.ts"
import { type Operation, operations } from "../peers/peer.ts"
import { type Effort, type Times, time } from "../timing.ts"
import { type Layout, workload } from "../workloads.ts"
import type { Loop } from "../yardstick.ts"
import { yardstickOf } from "../yardstick-threads.ts"

/** Times of one thread and of all. */
export interface OneAndAll {
  readonly one: Times
  readonly all: Times
}

/** An operation on resident arrays, and the loop that it is judged by. */
export interface Gain {
  readonly workload: string
  readonly layout: Layout
  readonly shape: readonly number[]
  readonly operation: Operation
  readonly threads: number
  readonly times: OneAndAll
  readonly loop: Loop
  readonly memory: OneAndAll
}

/** The loop that reads and writes as an operation does in its last pass, which takes the most. */
const loopOf: Readonly<Record<Operation, Loop>> = {
  moments: "sum",
  forward: "copy",
  infer: "copy",
  backward: "triad",
  step: "all four",
}

/**
 * Measures the operations of some workloads; all four that are compared take turns.
 *
 * @param wasm the module .tools/yardstick/threads.wasm
 */
export async function* gains(plan: Plan, effort: Effort, wasm: WebAssembly.Module): AsyncGenerator<Gain> {
  const peers = [batchnorm, await batchnormThreads()]
  if (threads.count < 2) throw new RangeError(`there is one thread: ${threads.reason}`)
  for (const { name, layout, shape } of plan.workloads) {
    const data = workload(name, { layout, shape })
    const errorOf = judge(data)
    const memory = await yardstickOf(wasm, data.x.length, threads.count)
    const both = await Promise.all(peers.map((peer) => peer.prepare(data, "resident")))
    try {
      for (const operation of operations.filter((each) => plan.operations.includes(each))) {
        const [one, all] = both.map(({ tasks }) => tasks[operation])
        if (!one || !all) continue
        for (const task of [one, all]) {
          const error = errorOf(operation, await task.answer())
          if (!(error <= tolerance)) throw new Error(`${name}: ${operation} is wrong by ${error}`)
        }
        const loop = loopOf[operation]
        const found = await time(
          [
            { name: "one", run: one.run },
            { name: "all", run: all.run },
            { name: "loop, one", run: memory.alone[loop] },
            { name: "loop, all", run: memory.all[loop] },
          ],
          effort,
        )
        const [times, loops] = ["", "loop, "].map((which) => ({
          one: found.get(`${which}one`) as Times,
          all: found.get(`${which}all`) as Times,
        })) as [OneAndAll, OneAndAll]
        yield { workload: name, layout, shape, operation, threads: threads.count, times, loop, memory: loops }
      }
    } finally {
      memory.dispose()
      for (const { dispose } of both) await dispose()
    }
  }
}
