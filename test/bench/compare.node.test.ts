import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { judge } from "../../bench/check.ts"
import { type Comparison, compare } from "../../bench/compare.ts"
import { batchnorm } from "../../bench/peers/batchnorm.ts"
import { type Peer, task } from "../../bench/peers/peer.ts"
import { table } from "../../bench/report/table.ts"
import { workload } from "../../bench/workloads.ts"

const shape = { name: "tiny", layout: "channels-last", shape: [6, 3] } as const
const wasm = new WebAssembly.Module(readFileSync(new URL("../../.tools/yardstick/kernel.wasm", import.meta.url)))
const effort = { rounds: 1, milliseconds: 1 }

/** Another peer's infer, its answer changed. */
function changed(name: string, change: (y: number[]) => ArrayLike<number>): Peer {
  return {
    name,
    async prepare(workload, mode) {
      const { tasks, dispose } = await batchnorm.prepare(workload, mode)
      const run = tasks.infer!.run as () => { y: ArrayLike<number> }
      const infer = task(() => ({ y: change(Array.from(run().y)) }))
      return { tasks: { infer }, dispose }
    },
  }
}

const failing: Peer = { name: "failing", prepare: () => Promise.reject(new Error("no such backend")) }

async function results(...peers: Peer[]): Promise<Comparison[]> {
  const plan = { workloads: [shape], operations: ["infer"], modes: ["fresh"], effort } as const
  const found: Comparison[] = []
  for await (const each of compare(plan, peers, wasm)) found.push(each)
  return found
}

describe("a comparison", () => {
  it("shows a wrong peer as wrong, with its error, and does not time it", async () => {
    const off = changed("off", (y) => y.map((value) => value * 1.01))
    const found = await results(batchnorm, off)
    const [ours, theirs] = found[0]!.rows
    expect(ours).toMatchObject({ peer: "batchnorm", times: { rounds: 1 } })
    expect(theirs).toMatchObject({ peer: "off", isWrong: true })
    expect(theirs!.error).toBeGreaterThan(0.001 * 2 ** 24)
    expect(theirs!.times).toBeUndefined()
    expect(table(found)).toMatch(/off .*WRONG \d+ u/)
  })

  it.each([
    ["NaN", (y: number[]) => y.map(() => Number.NaN)],
    ["a short result", (y: number[]) => y.slice(1)],
  ])("takes %s for wrong", async (_, change) => {
    const [found] = await results(changed("off", change))
    expect(found!.rows[0]).toMatchObject({ isWrong: true })
  })

  it("shows a peer that fails, with what it says", async () => {
    const found = await results(batchnorm, failing)
    expect(found[0]!.rows[1]).toEqual({ peer: "failing", failure: "no such backend" })
    expect(table(found)).toContain("failing fails: no such backend")
  })

  it("times what the memory allows beside it", async () => {
    const [found] = await results(batchnorm)
    expect(found!.memory.copy!.median).toBeGreaterThan(0)
  })
})

describe("the judge", () => {
  const data = workload("one", { layout: "channels-first", shape: [1, 1, 4] })
  data.x.set([1, 2, 3, 4])

  it("measures errors in 2⁻²⁴ of what a result is made of", () => {
    const variance = 1.25
    const right = { mean: [2.5], variance: [variance] }
    expect(judge(data)("moments", right)).toBeLessThan(1e-6)
    expect(judge(data)("moments", { ...right, variance: [variance * (1 + 3 * 2 ** -24)] })).toBeCloseTo(3, 6)
    expect(judge(data)("moments", { ...right, mean: [2.5 + 2 ** -24 * Math.sqrt(variance)] })).toBeCloseTo(1, 6)
  })

  it("takes a missing result for infinitely wrong", () => {
    expect(judge(data)("moments", { mean: [2.5] })).toBe(Number.POSITIVE_INFINITY)
  })
})
