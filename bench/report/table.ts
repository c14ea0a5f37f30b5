import { styleText } from "node:util"
import Table from "cli-table3"
import type { Comparison, Row } from "../compare.ts"
import { median } from "../statistics.ts"
import type { Times } from "../timing.ts"
import { arraysOf, leastOf } from "../yardstick.ts"

/** Ours, which the others are compared with. */
export const ours = "batchnorm"

const columns = ["", "peer", "median", "spread", "GB/s", "× memory", "× ours", "error"]

/** The heading of a workload in a mode, with the pace of a copy, which all rates are to be seen against. */
export function heading(comparisons: readonly [Comparison, ...Comparison[]]): string {
  const { workload, layout, shape, mode } = comparisons[0]
  const copies = comparisons.flatMap(({ memory }) => memory.copy?.median ?? [])
  const rate = (2 * elementsOf(shape) * 4) / median(copies) / 1e6
  const pace = copies.length > 0 ? ` · a copy: ${rate.toPrecision(3)} GB/s` : ""
  return `${styleText("bold", `${workload} · ${layout} [${shape.join(", ")}]`)} f32 · ${mode}${pace}`
}

const elementsOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1)

/** The operations of a workload in a mode: a line for each peer and one for the memory; errors alone where nothing was timed. */
export function table(comparisons: readonly Comparison[]): string {
  const isTimed = comparisons.some(({ memory }) => memory.copy)
  const head = isTimed ? columns : ["", "peer", "error"]
  const found = new Table({
    head: head.map((text) => styleText("dim", text)),
    colAligns: head.map((_, index) => (index < 2 ? "left" : "right")),
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 2 },
    chars: borderless,
  })
  for (const [index, comparison] of comparisons.entries()) {
    if (index > 0) found.push(head.map(() => ""))
    found.push(...linesOf(comparison, isTimed))
  }
  return [found.toString().replace(/ +$/gm, ""), ...failures(comparisons)].join("\n")
}

/** What the peers that fail say, once each. */
function failures(comparisons: readonly Comparison[]): string[] {
  const said = comparisons.flatMap(({ rows }) => rows.filter(({ failure }) => failure))
  return [...new Set(said.map(({ peer, failure }) => `${peer} fails: ${failure}`))].map((text) =>
    styleText("red", text),
  )
}

function linesOf(comparison: Comparison, isTimed: boolean): string[][] {
  const { operation, rows, memory, shape } = comparison
  const elements = elementsOf(shape)
  const least = leastOf[operation].reduce((sum, loop) => sum + (memory[loop]?.median ?? Number.NaN), 0)
  const mine = rows.find(({ peer }) => peer === ours)?.times?.median ?? Number.NaN
  const rate = (milliseconds: number) => (arraysOf(operation) * elements * 4) / milliseconds / 1e6
  const lines = rows.map((row, index): string[] => {
    const label = index === 0 ? operation : ""
    const name = row.peer === ours ? styleText("bold", row.peer) : row.peer
    if (row.failure) return [label, name, styleText("red", "fails")]
    if (!isTimed) return [label, name, error(row)]
    if (!row.times) return [label, name, "–", "", "", "", "", error(row)]
    const milliseconds = row.times.median
    // A f64 array is twice as long.
    const bytes = row.peer.endsWith("f64") ? 2 : 1
    return [
      label,
      name,
      styleText(row.peer === ours ? ["bold"] : [], duration(milliseconds)),
      spread(row.times),
      (bytes * rate(milliseconds)).toPrecision(3),
      ratio(milliseconds / least),
      ratio(milliseconds / mine),
      error(row),
    ]
  })
  if (!isTimed) return lines
  const parts = leastOf[operation].join(" + ")
  const dim = (text: string) => styleText("dim", text)
  return [
    ...lines,
    [
      "",
      dim(parts),
      dim(duration(least)),
      "",
      dim(rate(least).toPrecision(3)),
      dim("1.00"),
      dim(ratio(least / mine)),
      "",
    ],
  ]
}

/** Half of the distance between the quartiles of the rounds, as a share of the median. */
function spread({ median, low, high, rounds }: Times): string {
  return rounds === 1 ? "" : `±${((50 * (high - low)) / median).toFixed(0)} %`
}

export function duration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toPrecision(3)} s`
  return milliseconds >= 1 ? `${milliseconds.toPrecision(3)} ms` : `${(milliseconds * 1000).toPrecision(3)} µs`
}

export function ratio(value: number): string {
  if (Number.isNaN(value)) return "–"
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function error({ error, isWrong }: Row): string {
  if (error === undefined) return ""
  if (isWrong) return styleText("red", `WRONG ${units(error)}`)
  return units(error)
}

function units(error: number): string {
  if (error < 0.05) return "<0.1 u"
  return error < 100 ? `${error.toFixed(1)} u` : `${error.toFixed(0)} u`
}

export const borderless = Object.fromEntries(
  ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"]
    .concat(["left", "left-mid", "mid", "mid-mid", "right", "right-mid", "middle"])
    .map((name) => [name, ""]),
)
