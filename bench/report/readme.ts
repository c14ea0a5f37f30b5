// The table of the README, from a record, between two comments.
import type { Comparison, Row } from "../compare.ts"
import type { Mode, Operation } from "../peers/peer.ts"
import { workloadNames } from "../workloads.ts"
import { leastOf } from "../yardstick.ts"
import { busy, type RunRecord } from "./record.ts"
import { duration, ours, ratio } from "./table.ts"

const begin = "<!-- npm run bench -- --chart writes this from the newest record: begin -->"
const end = "<!-- end -->"

/** How many times as long as ours a peer takes; or what the memory allows. */
interface Column {
  readonly title: string
  readonly operation: Operation
  readonly mode: Mode
  readonly cell: (comparison: Comparison, mine: number) => string
}

const peer = (name: string) => (comparison: Comparison, mine: number) => {
  const row = comparison.rows.find((each) => each.peer === name)
  return row ? shown(row, mine) : "–"
}

const columns: readonly Column[] = [
  { title: "forward", operation: "forward", mode: "resident", cell: (_, mine) => duration(mine) },
  { title: "… ÷ memory", operation: "forward", mode: "resident", cell: overMemory },
  { title: "pure JS", operation: "forward", mode: "resident", cell: peer("pure JS") },
  { title: "jax-js", operation: "forward", mode: "resident", cell: peer("jax-js") },
  { title: "tf.js wasm", operation: "forward", mode: "resident", cell: peer("tf.js wasm") },
  { title: "… a step", operation: "step", mode: "resident", cell: peer("tf.js wasm") },
  { title: "ONNX Runtime, io", operation: "forward", mode: "io", cell: peer("ONNX Runtime") },
]

function overMemory({ operation, memory }: Comparison, mine: number): string {
  return ratio(mine / leastOf[operation].reduce((sum, loop) => sum + (memory[loop]?.median ?? Number.NaN), 0))
}

function shown({ times, isWrong, failure }: Row, mine: number): string {
  if (failure) return "fails"
  return isWrong || !times ? "wrong" : `${ratio(times.median / mine)} ×`
}

/** The table and a line on where it is from. */
export function readmeTable(record: RunRecord): string {
  const { comparisons = [], machine, engine, date, commit } = record
  const rows = workloadNames.flatMap((name) => {
    const first = comparisons.find(({ workload }) => workload === name)
    if (!first) return []
    const cells = columns.map(({ operation, mode, cell }) => {
      const found = comparisons.find(
        (each) => each.workload === name && each.operation === operation && each.mode === mode,
      )
      const mine = found?.rows.find((row) => row.peer === ours)?.times?.median
      return found && mine ? cell(found, mine) : "–"
    })
    return [`| ${name} | ${first.layout} [${first.shape.join(", ")}] | ${cells.join(" | ")} |`]
  })
  const warning = busy(record) ? `; ${busy(record)}` : ""
  const version = engine.version.split(",")[0]
  return [
    `| | | ${columns.map(({ title }) => title).join(" | ")} |`,
    `|---|---|${columns.map(() => "---:|").join("")}`,
    ...rows,
    "",
    `${machine.cpu}, one thread of ${machine.cores}; ${engine.name} ${version}; ${date.slice(0, 10)}, commit ${commit}${warning}.`,
  ].join("\n")
}

/** The README with that table in its place. */
export function withTable(readme: string, table: string): string {
  const [before, rest] = readme.split(`${begin}\n`)
  const after = rest?.split(`\n${end}`)[1]
  if (before === undefined || after === undefined) throw new Error("README.md lacks the comments of the bench's table")
  return `${before}${begin}\n${table}\n${end}${after}`
}
