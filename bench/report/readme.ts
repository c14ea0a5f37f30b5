// The tables of README.md and bench/README.md, from a record, between two comments.
import type { Comparison, Row } from "../compare.ts"
import { type Mode, type Operation, operations } from "../peers/peer.ts"
import { workloadNames } from "../workloads.ts"
import { leastOf } from "../yardstick.ts"
import { busy, type RunRecord } from "./record.ts"
import { duration, ours, ratio } from "./table.ts"

const begin = "<!-- npm run bench -- --chart writes this from the newest record: begin -->"
const end = "<!-- end -->"
/** Where there is no figure. */
const none = "–"

/** How many times as long as ours a peer takes; or what the memory allows. */
interface Column {
  readonly title: string
  /** That of the line unless given. */
  readonly operation?: Operation
  readonly mode: Mode
  readonly cell: (comparison: Comparison, mine: number) => string
}

const peer = (name: string) => (comparison: Comparison, mine: number) => {
  const row = comparison.rows.find((each) => each.peer === name)
  return row ? shown(row, mine) : none
}

const time: Column["cell"] = (_, mine) => duration(mine)

const columns: readonly Column[] = [
  { title: "forward", operation: "forward", mode: "resident", cell: time },
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

/** The columns of bench/README.md, a line for each operation: on resident arrays, and on ordinary ones. */
const resident: readonly Column[] = [
  { title: "batchnorm", cell: time },
  { title: "÷ memory", cell: overMemory },
  { title: "f64", cell: peer("batchnorm f64") },
  { title: "threads", cell: peer("batchnorm threads") },
  { title: "native", cell: peer("native") },
  { title: "pure JS", cell: peer("pure JS") },
  { title: "jax-js", cell: peer("jax-js") },
  { title: "tf.js wasm", cell: peer("tf.js wasm") },
  { title: "… composed", cell: peer("tf.js wasm, composed") },
  { title: "tf.js cpu", cell: peer("tf.js cpu") },
].map((column) => ({ ...column, mode: "resident" }))
const ordinary: readonly Column[] = (["io", "fresh"] as const).flatMap((mode): Column[] => [
  { title: mode, mode, cell: time },
  { title: `pure JS, ${mode}`, mode, cell: peer("pure JS") },
  { title: `jax-js, ${mode}`, mode, cell: peer("jax-js") },
  { title: `tf.js wasm, ${mode}`, mode, cell: peer("tf.js wasm") },
  { title: `ONNX Runtime, ${mode}`, mode, cell: peer("ONNX Runtime") },
])

function cellOf(record: RunRecord, name: string, operation: Operation | undefined, { mode, cell }: Column): string {
  const found = record.comparisons?.find(
    (each) => each.workload === name && each.operation === operation && each.mode === mode,
  )
  const mine = found?.rows.find((row) => row.peer === ours)?.times?.median
  return found && mine ? cell(found, mine) : none
}

/** The table and a line on where it is from. */
export function readmeTable(record: RunRecord): string {
  const rows = workloadNames.flatMap((name) => {
    const first = record.comparisons?.find(({ workload }) => workload === name)
    if (!first) return []
    const cells = columns.map((column) => cellOf(record, name, column.operation, column))
    return [[name, `${first.layout} [${first.shape.join(", ")}]`, ...cells]]
  })
  return `${markdown(["", "", ...columns.map(({ title }) => title)], rows, 2)}\n\n${sourceOf(record)}`
}

/** All that was measured: times of batchnorm, and of others as multiples of its. */
export function figures(record: RunRecord): string {
  const { calls, starts } = record
  const mine = starts?.[0]?.median ?? Number.NaN
  const tables = [
    figuresOf(record, "resident", resident),
    figuresOf(record, "ordinary arrays", ordinary),
    calls &&
      markdown(
        ["a call of four elements", "time", "heap"],
        calls.map(({ operation, nanoseconds, bytes }) => [
          operation,
          `${nanoseconds.toFixed(0)} ns`,
          bytes === undefined ? none : `${Math.max(0, bytes).toFixed(0)} B`,
        ]),
        1,
      ),
    starts &&
      markdown(
        ["import to first result", "time", "÷ ours"],
        starts.map(({ peer, median, failure }) => [peer, failure ? "fails" : duration(median), ratio(median / mine)]),
        1,
      ),
  ]
  return [...tables.filter((table) => table), sourceOf(record)].join("\n\n")
}

/** Without lines and columns in which there is nothing. */
function figuresOf(record: RunRecord, title: string, all: readonly Column[]): string | undefined {
  const lines = workloadNames.flatMap((name) =>
    operations.map((operation) => ({
      name,
      operation,
      cells: all.map((each) => cellOf(record, name, operation, each)),
    })),
  )
  const full = lines.filter(({ cells }) => cells.some((cell) => cell !== none))
  const used = all.flatMap((_, index) => (full.some(({ cells }) => cells[index] !== none) ? [index] : []))
  if (full.length === 0) return undefined
  const chosen = (values: readonly string[]) => used.map((index) => values[index] as string)
  return markdown(
    [title, "", ...chosen(all.map(({ title }) => title))],
    full.map(({ name, operation, cells }) => [name, operation, ...chosen(cells)]),
    2,
  )
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[], left: number): string {
  const rule = head.map((_, index) => (index < left ? "---" : "---:"))
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`
  return [line(head), `|${rule.join("|")}|`, ...rows.map(line)].join("\n")
}

function sourceOf(record: RunRecord): string {
  const { machine, engine, date, commit } = record
  const warning = busy(record) ? `; ${busy(record)}` : ""
  const version = engine.version.split(",")[0]
  return `${machine.cpu}, one thread of ${machine.cores}; ${engine.name} ${version}; ${date.slice(0, 10)}, commit ${commit}${warning}.`
}

/** A README with that table in its place. */
export function withTable(readme: string, table: string): string {
  const [before, rest] = readme.split(`${begin}\n`)
  const after = rest?.split(`\n${end}`)[1]
  if (before === undefined || after === undefined) throw new Error("a README lacks the comments of the bench's table")
  return `${before}${begin}\n${table}\n${end}${after}`
}
