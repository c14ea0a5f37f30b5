import { describe, expect, it } from "vitest"
import { chartOf } from "../../bench/report/chart.ts"
import { originOf, type RunRecord, readRecord } from "../../bench/report/record.ts"
import { table } from "../../bench/report/table.ts"

const times = (median: number) => ({ median, low: median * 0.98, high: median * 1.02, rounds: 7 })
const record: RunRecord = {
  format: 1,
  ...originOf("npm run bench -- A"),
  comparisons: [
    {
      ...{ workload: "A", layout: "channels-last", shape: [128, 1024], mode: "resident", operation: "forward" },
      rows: [
        { peer: "batchnorm", error: 3.5, times: times(0.06) },
        { peer: "pure JS", error: 1.5, times: times(0.3) },
        { peer: "tf.js wasm", error: 20_000, isWrong: true },
      ],
      memory: { copy: times(0.02), sum: times(0.01) },
    },
  ],
}

describe("a record", () => {
  it("says of which machine, engine and sources it is", () => {
    expect(record.date).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(record.machine.cores).toBeGreaterThan(0)
    expect(record.engine).toEqual({ name: "Node", version: expect.stringContaining(process.versions.node) })
    expect(record.commit).toMatch(/^([0-9a-f]{10}\+?|unknown)$/)
    expect(record.peers).toHaveProperty("onnxruntime-web", "1.30.0")
  })

  it("of another format is refused", () => {
    expect(() => readRecord(new URL("../../package.json", import.meta.url).pathname)).toThrow(RangeError)
  })
})

describe("the chart", () => {
  it("has a mark for each peer that was timed, where its ratio to the memory is, and none for a wrong one", async () => {
    const svg = await chartOf(record)
    const marks = [...svg.matchAll(/aria-label="times: ([\d.]+); workload: ([^;]+); peer: ([^;"]+)/g)]
    expect(marks.map(([, ratio, workload, peer]) => [peer, workload, ratio]).sort()).toEqual([
      ["batchnorm", "A  NC [128, 1024]", "2"],
      ["pure JS", "A  NC [128, 1024]", "10"],
    ])
  })

  it("turns dark where its reader's ground is", async () => {
    const svg = await chartOf(record)
    expect(svg).toContain('fill="#ffffff"')
    expect(svg).toMatch(/prefers-color-scheme:dark\)\{.*\[fill="#ffffff"\]\{fill:#0d1117\}/)
  })
})

describe("the table", () => {
  it("has time, spread, rate, ratios and error of each peer, and the memory's line", () => {
    const lines = table(record.comparisons!).split("\n")
    expect(lines).toHaveLength(5)
    expect(lines[1]).toMatch(/^forward +batchnorm +60\.0 µs +±2 % +26\.2 +2\.00 +1\.00 +3\.5 u$/)
    expect(lines[2]).toMatch(/pure JS +300 µs +±2 % +5\.24 +10\.0 +5\.00 +1\.5 u$/)
    expect(lines[3]).toMatch(/tf\.js wasm +– +WRONG 20000 u$/)
    expect(lines[4]).toMatch(/sum \+ copy +30\.0 µs +52\.4 +1\.00 +0\.50$/)
  })
})
