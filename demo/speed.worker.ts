// The pure JavaScript, the check of the answers and the timing are those of the bench.

import { BatchNormError } from "batchnorm"
import { judge, tolerance } from "../bench/check.ts"
import { batchnorm } from "../bench/peers/batchnorm.ts"
import { pureJs } from "../bench/peers/pure-js.ts"
import { time } from "../bench/timing.ts"
import { workload, workloads } from "../bench/workloads.ts"
import type { SpeedReport } from "./speed-messages.ts"

const operations = ["forward", "backward", "infer"] as const
const arrays = ["A", "C", "D"] as const

// The clocks of pages have steps of up to 1 ms.
const effort = { rounds: 5, milliseconds: 60, sample: 20 }

const report = (message: SpeedReport) => self.postMessage(message)

async function measure(): Promise<void> {
  const total = arrays.length * operations.length
  let done = 0
  for (const name of arrays) {
    const data = workload(name, workloads[name])
    const errorOf = judge(data)
    const peers = await Promise.all(
      [batchnorm, pureJs].map(async (peer) => ({ name: peer.name, ...(await peer.prepare(data, "resident")) })),
    )
    try {
      for (const operation of operations) {
        report({ kind: "measuring", done, total })
        const contestants: { name: string; run: () => unknown }[] = []
        for (const { name: peer, tasks } of peers) {
          const task = tasks[operation]
          if (!task) throw new Error(`${peer} has no ${operation}`)
          const error = errorOf(operation, await task.answer())
          if (!(error <= tolerance)) throw new Error(`${peer} gives a wrong answer to ${operation} of ${name}`)
          contestants.push({ name: peer, run: task.run })
        }
        const times = await time(contestants, effort)
        const [ours, theirs] = [times.get(batchnorm.name), times.get(pureJs.name)]
        if (!ours || !theirs) throw new Error("there are no times")
        const { layout, shape } = data
        report({ kind: "measured", row: { layout, shape, operation, ours, theirs } })
        done += 1
      }
    } finally {
      for (const peer of peers) peer.dispose()
    }
  }
  report({ kind: "finished" })
}

self.addEventListener("message", () => {
  measure().catch((error: unknown) => {
    const code = error instanceof BatchNormError ? error.code : undefined
    report({ kind: "failed", code, message: error instanceof Error ? error.message : String(error) })
  })
})
