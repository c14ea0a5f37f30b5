import { styleText } from "node:util"
import Table from "cli-table3"
import { median } from "../statistics.ts"
import type { Call } from "../studies/calls.ts"
import type { Start } from "../studies/start.ts"
import { type Point, type Sweep, swept } from "../studies/sweep.ts"
import type { Gain, OneAndAll } from "../studies/threads.ts"
import { borderless, duration, ratio } from "./table.ts"

/** What the number is that a sweep varies. */
const varied: Record<Sweep, string> = { size: "elements", channels: "channels", offset: "offset", threads: "elements" }

/** How far from the median of its column a point of a sweep may lie: beyond, it is marked. */
const flat: Record<Sweep, number> = { size: 0.25, channels: 0.5, offset: 0.25, threads: Number.POSITIVE_INFINITY }
/** Above it, all cores are slower than one by more than noise. */
const slower = 1.02

/** Each point's times relative to what they are compared with; those that should not be are marked. */
export function sweepTable(points: readonly Point[]): string {
  return points.some(({ alone }) => alone) ? threadsTable(points) : copyTable(points)
}

/** Each point's times relative to those of one thread. */
function threadsTable(points: readonly Point[]): string {
  const kinds = [...new Set(points.map(({ layout }) => layout))]
  return kinds
    .map((layout) => {
      const rows = points
        .filter((point) => point.layout === layout)
        .map((point) => [
          point.at.toLocaleString("en"),
          `[${point.shape.join(", ")}]`,
          ...swept.map((operation) => {
            const value = relative(point, operation)
            return value > slower ? styleText("yellow", `${ratio(value)} !`) : `${ratio(value)}  `
          }),
          duration(point.alone?.forward.median ?? Number.NaN),
        ])
      return [
        `${styleText("bold", layout)} · time of all cores ÷ that of one`,
        plain([varied.threads, "shape", ...swept, "forward, one"], rows),
      ].join("\n")
    })
    .join("\n\n")
}

/** Each point's times relative to a copy of as many elements; those off the median are marked. */
function copyTable(points: readonly Point[]): string {
  const [first] = points
  if (!first) return ""
  const kinds = [...new Set(points.map(({ layout }) => layout))]
  return kinds
    .map((layout) => {
      const chosen = points.filter((point) => point.layout === layout)
      const middles = swept.map((operation) => median(chosen.map((point) => relative(point, operation))))
      const rows = chosen.map((point) => [
        point.at.toLocaleString("en"),
        `[${point.shape.join(", ")}]`,
        ...swept.map((operation, index) => {
          const value = relative(point, operation)
          const isOff = Math.abs(value / (middles[index] as number) - 1) > flat[first.sweep]
          return isOff ? styleText("yellow", `${ratio(value)} !`) : `${ratio(value)}  `
        }),
        duration(point.copy?.median ?? Number.NaN),
      ])
      const off = (text: string) => styleText("dim", text)
      const note = `! more than ${100 * flat[first.sweep]} % off the median: ${swept
        .map((operation, index) => `${operation} ${ratio(middles[index] as number)}`)
        .join(", ")}`
      return [
        `${styleText("bold", layout)} · time ÷ that of a copy of as many elements`,
        plain([varied[first.sweep], "shape", ...swept, "copy"], rows),
        off(note),
      ].join("\n")
    })
    .join("\n\n")
}

function relative({ times, copy, alone }: Point, operation: (typeof swept)[number]): number {
  return times[operation].median / ((alone?.[operation] ?? copy)?.median ?? Number.NaN)
}

/** The share of a loop's gain that an operation should have at least: below, it is marked. */
const leastShare = 0.9

/** What all cores gain, and the loops. */
export function gainsTable(gains: readonly Gain[]): string {
  const gainOf = ({ one, all }: OneAndAll) => one.median / all.median
  return [...new Set(gains.map(({ workload }) => workload))]
    .map((workload) => {
      const chosen = gains.filter((gain) => gain.workload === workload)
      const { layout, shape, threads } = chosen[0] as Gain
      const rows = chosen.map(({ operation, times, loop, memory }) => {
        const share = gainOf(times) / gainOf(memory)
        return [
          ...[operation, duration(times.one.median), duration(times.all.median), ratio(gainOf(times))],
          ...[loop, duration(memory.one.median), duration(memory.all.median), ratio(gainOf(memory))],
          share < leastShare ? styleText("yellow", `${ratio(share)} !`) : `${ratio(share)}  `,
        ]
      })
      return [
        `${styleText("bold", `${workload} · ${layout} [${shape.join(", ")}]`)} f32 · resident · ${threads} threads`,
        plain(["", "one", "all", "gain", "loop", "one", "all", "gain", "gain ÷ loop's"], rows),
      ].join("\n")
    })
    .join("\n\n")
}

/** What a call costs. */
export function callsTable(calls: readonly Call[]): string {
  const rows = calls.map(({ operation, nanoseconds, bytes }) => [
    operation,
    `${nanoseconds.toFixed(0)} ns`,
    bytes === undefined ? "–" : `${Math.max(0, bytes).toFixed(0)} B`,
  ])
  return plain(["[2, 2], resident, complete out", "a call", "heap"], rows)
}

/** How long libraries take to start. */
export function startsTable(starts: readonly Start[]): string {
  const mine = starts[0]?.median ?? Number.NaN
  const rows = starts.map(({ peer, median, low, high, failure }) =>
    failure
      ? [peer, styleText("red", "fails"), "", ""]
      : [peer, duration(median), `${duration(low)} to ${duration(high)}`, ratio(median / mine)],
  )
  return plain(["import to first result", "median", "quartiles", "× ours"], rows)
}

function plain(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: head.map((text) => styleText("dim", text)),
    colAligns: head.map((_, index) => (index === 0 ? "left" : "right")),
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 2 },
    chars: borderless,
  })
  table.push(...rows.map((row) => [...row]))
  return table.toString().replace(/ +$/gm, "")
}
