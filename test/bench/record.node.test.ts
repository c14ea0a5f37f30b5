import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { chartOf, chartPath } from "../../bench/report/chart.ts"
import { figures, readmeTable, withTable } from "../../bench/report/readme.ts"
import { checkSame, joined, newestRecord, originOf, type RunRecord, readRecord } from "../../bench/report/record.ts"
import { gainsTable, sweepTable } from "../../bench/report/studies.ts"
import { table } from "../../bench/report/table.ts"
import type { Gain } from "../../bench/studies/threads.ts"

const times = (median: number) => ({ median, low: median * 0.98, high: median * 1.02, rounds: 7 })
const record: RunRecord = {
  format: 1,
  ...originOf("npm run bench -- A"),
  load: 0,
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
const gain: Gain = {
  ...{ workload: "E", layout: "channels-last", shape: [32, 112, 112, 64], operation: "infer", threads: 2 },
  ...{ times: { one: times(18), all: times(10) }, loop: "copy", memory: { one: times(16), all: times(8) } },
}

describe("a record", () => {
  it("says of which machine, engine and sources it is", () => {
    expect(record.date).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(record.machine.cores).toBeGreaterThan(0)
    expect(record.engine).toEqual({ name: "Node", version: expect.stringContaining(process.versions.node) })
    expect(record.commit).toMatch(/^([0-9a-f]{10}\+?|unknown)$/)
    expect(record.peers).toHaveProperty("onnxruntime-web", "1.30.0")
  })

  it("that is checked in has every workload, each peer's error beside its times, and what the memory allows", () => {
    const { comparisons = [], machine, engine } = readRecord()
    expect(engine.name).toBe("Node")
    expect(machine.cpu).not.toBe("")
    expect([...new Set(comparisons.map(({ workload }) => workload))].join("")).toBe("ABCDEFGHI")
    for (const { rows, memory } of comparisons) {
      expect(memory.copy!.median).toBeGreaterThan(0)
      const ours = rows.find(({ peer }) => peer === "batchnorm")!
      expect(ours.error).toBeLessThan(24)
      expect(ours.times!.median).toBeGreaterThan(0)
    }
  })

  it("takes up the results of another run, in place of those of the same comparison", () => {
    const [first] = record.comparisons!
    const again = { ...first!, rows: [{ peer: "batchnorm", error: 3.5, times: times(0.05) }] }
    const other = { ...again, operation: "infer" } as const
    const calls = [{ operation: "infer", nanoseconds: 500 }] as const
    const later = { ...record, date: "2030-01-01T00:00:00Z", load: 1, comparisons: [again, other] }
    const { comparisons: _, ...alone } = record
    const both = joined(joined(record, later), { ...alone, calls })
    expect(both.comparisons).toEqual([again, other])
    expect(both.calls).toEqual(calls)
    expect(both).toMatchObject({ date: record.date, load: 1, command: Array(3).fill(record.command).join(" && ") })
  })

  it("takes up the gains of threads, in place of those of the same operation", () => {
    const one = { ...gain, times: { one: times(30), all: times(15) } }
    const both = joined({ ...record, gains: [gain, { ...gain, workload: "F" }] }, { ...record, gains: [one] })
    expect(both.gains).toEqual([one, { ...gain, workload: "F" }])
  })

  it("keeps the results of one machine, engine and commit", () => {
    expect(() => checkSame(record, { ...record, load: 9, date: "" })).not.toThrow()
    expect(() => checkSame(record, { ...record, commit: "0123456789" })).toThrow("another commit")
    expect(() => checkSame(record, { ...record, machine: { ...record.machine, cores: 999 } })).toThrow(
      "another machine",
    )
  })

  it("of another format is refused", () => {
    expect(() => readRecord(new URL("../../package.json", import.meta.url).pathname)).toThrow(RangeError)
  })
})

describe("the README's table", () => {
  it.each([
    ["README.md", readmeTable],
    ["bench/README.md", figures],
  ])("is what the newest record says, in %s", (name, draw) => {
    const readme = readFileSync(new URL(`../../${name}`, import.meta.url), "utf8")
    expect(readme, "npm run bench -- --chart").toBe(withTable(readme, draw(readRecord(newestRecord()))))
  })

  it("has a line for each workload, wrong where a peer is wrong, and says where it is from", () => {
    const lines = readmeTable(record).split("\n")
    expect(lines[2]).toBe("| A | channels-last [128, 1024] | 60.0 µs | 2.00 | 5.00 × | – | wrong | – | – |")
    expect(lines.at(-1)).toContain(record.commit)
  })

  it("has a line for each operation in the bench's, and no column without a figure", () => {
    const calls = [{ operation: "infer", nanoseconds: 501.4, bytes: -0.2 }] as const
    const starts = [
      { ...times(6), peer: "batchnorm" },
      { ...times(60), peer: "jax-js" },
    ] as const
    expect(
      figures({ ...record, calls, starts })
        .split("\n")
        .slice(0, -2),
    ).toEqual([
      ...["| resident |  | batchnorm | ÷ memory | pure JS | tf.js wasm |", "|---|---|---:|---:|---:|---:|"],
      ...["| A | forward | 60.0 µs | 2.00 | 5.00 × | wrong |", ""],
      ...["| a call of four elements | time | heap |", "|---|---:|---:|", "| infer | 501 ns | 0 B |", ""],
      ...["| import to first result | time | ÷ ours |", "|---|---:|---:|"],
      ...["| batchnorm | 6.00 ms | 1.00 |", "| jax-js | 60.0 ms | 10.0 |"],
    ])
  })

  it("needs its place", () => {
    expect(() => withTable("# batchnorm", "")).toThrow("lacks the comments")
  })
})

describe("the chart", () => {
  it("in docs is what the newest record draws", async () => {
    const isSame = readFileSync(chartPath, "utf8") === (await chartOf(readRecord(newestRecord())))
    expect(isSame, "npm run bench -- --chart").toBe(true)
  })

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

it.each([
  ["chart", chartOf],
  ["README's table", readmeTable],
])("the %s says so where the machine was busy", async (_, draw) => {
  const load = record.machine.cores * 4.1
  expect(await draw({ ...record, load })).toContain(`the machine was busy, load ${load.toFixed(1)}`)
  expect(await draw(record)).not.toContain("busy")
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

describe("the table of what threads gain", () => {
  it("has both gains and their ratio, and marks it where it is low", () => {
    const low = { ...gain, workload: "F", times: { one: times(18), all: times(12) } }
    const lines = gainsTable([gain, low]).split("\n")
    expect(lines[0]).toBe("E · channels-last [32, 112, 112, 64] f32 · resident · 2 threads")
    expect(lines[2]).toMatch(/^infer +18\.0 ms +10\.0 ms +1\.80 +copy +16\.0 ms +8\.00 ms +2\.00 +0\.90$/)
    expect(lines[6]).toMatch(/^infer +18\.0 ms +12\.0 ms +1\.50 +copy +16\.0 ms +8\.00 ms +2\.00 +0\.75 !$/)
  })
})

describe("the table of a sweep", () => {
  const four = (median: number) => {
    const each = times(median)
    return { moments: each, forward: each, infer: each, backward: each }
  }
  const point = { layout: "channels-last", at: 1024, shape: [32, 32], times: four(0.06) } as const

  it("has times relative to a copy", () => {
    const text = sweepTable([{ ...point, sweep: "size", copy: times(0.02) }])
    expect(text).toMatch(/^1,024 +\[32, 32\]( +3\.00){4} +20\.0 µs$/m)
  })

  it("has times of all cores relative to one, and marks those that are longer", () => {
    const quick = { ...point, sweep: "threads", alone: four(0.12) } as const
    const slow = { ...quick, at: 2048, alone: { ...four(0.12), infer: times(0.05) } } as const
    const text = sweepTable([quick, slow])
    expect(text).toMatch(/^1,024 +\[32, 32\]( +0\.50){4} +120 µs$/m)
    expect(text).toMatch(/^2,048 +\[32, 32\] +0\.50 +0\.50 +1\.20 ! +0\.50 +120 µs$/m)
  })
})
