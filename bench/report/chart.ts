// The chart of a record: how many times as long as the memory needs each peer takes, workload by workload.
import { join } from "node:path"
import { parse, View } from "vega"
import { compile, type TopLevelSpec } from "vega-lite"
import type { Comparison } from "../compare.ts"
import { leastOf } from "../yardstick.ts"
import { busy, type RunRecord, root } from "./record.ts"
import { ours } from "./table.ts"

export const chartPath = join(root, "docs", "bench.svg")

/** What is drawn of a record, side by side. */
const panels = [
  { operation: "forward", mode: "resident", title: ["training forward", "resident"] },
  { operation: "step", mode: "resident", title: ["training step", "resident"] },
  { operation: "infer", mode: "resident", title: ["inference", "resident"] },
  { operation: "forward", mode: "io", title: ["training forward", "ordinary arrays"] },
] as const

/** The peers that are drawn, and their colours, which are told apart on light and dark ground. */
const colours: Readonly<Record<string, string>> = {
  [ours]: "#e8590c",
  native: "#868e96",
  "pure JS": "#c99700",
  "jax-js": "#d6336c",
  "ONNX Runtime": "#0ca678",
  "tf.js wasm, composed": "#4dabf7",
  "tf.js wasm": "#1971c2",
  "tf.js cpu": "#9775fa",
}

/** Each colour of what is not data, and what it is where the reader's ground is dark. */
const ink = {
  text: ["#1f2328", "#e6edf3"],
  muted: ["#59636e", "#9198a1"],
  grid: ["#dfe3e8", "#2a313c"],
  ground: ["#ffffff", "#0d1117"],
} as const
const [text, muted, grid, ground] = [ink.text[0], ink.muted[0], ink.grid[0], ink.ground[0]]

/** One mark. */
interface Mark {
  readonly peer: string
  readonly workload: string
  /** The time over that of the loops that the operation consists of at least. */
  readonly times: number
}

/** The chart as SVG; the same record gives the same text. */
export async function chartOf(record: RunRecord): Promise<string> {
  const { spec } = compile(specOf(record))
  const svg = await new View(parse(spec), { renderer: "none" }).toSVG()
  return `${svg.replace(/(<svg[^>]*>)/, `$1<title>${summary}</title>${darkStyle()}`)}\n`
}

const summary = "Time of batch normalization over that of loops which only read and write, by library and workload"

function specOf(record: RunRecord): TopLevelSpec {
  const comparisons = record.comparisons ?? []
  const drawn = panels.filter(({ operation, mode }) => comparisons.some(isOf(operation, mode)))
  const { machine, engine, date, commit } = record
  const names = new Set(comparisons.flatMap(({ rows }) => rows.map(({ peer }) => peer)))
  const present = Object.keys(colours).filter((peer) => names.has(peer))
  const warning = busy(record) ? `; ${busy(record)}` : ""
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: ground,
    padding: 16,
    title: {
      text: "Times as long as the memory alone needs",
      // A line of it all would be taken for wider than the panels.
      subtitle: [
        `Left is better${warning}.`,
        `${machine.cpu}, one thread · ${engine.name} ${engine.version.split(",")[0]} · ${date.slice(0, 10)} · ${commit}`,
      ],
      anchor: "start",
      frame: "bounds",
      offset: 12,
    },
    hconcat: drawn.map(({ operation, mode, title }, index) => ({
      title: { text: title[0], subtitle: title[1], anchor: "start", frame: "group", fontSize: 12, offset: 6 },
      width: 156,
      height: { step: 26 },
      data: { values: comparisons.filter(isOf(operation, mode)).flatMap(marksOf) },
      layer: [
        {
          data: { values: [{}] },
          mark: { type: "rule", color: muted, strokeDash: [3, 3] },
          encoding: { x: { datum: 1 } },
        },
        {
          mark: { type: "point", filled: true, opacity: 1 },
          encoding: {
            x: {
              field: "times",
              type: "quantitative",
              title: null,
              scale: { type: "log", domain: [0.5, 5000], clamp: true },
              axis: { values: [1, 10, 100, 1000], labelExpr: "format(datum.value, '~s') + '×'", labelOverlap: false },
            },
            y: {
              field: "workload",
              type: "nominal",
              title: null,
              axis: { labels: index === 0, grid: true, labelLimit: 240 },
            },
            color: {
              field: "peer",
              type: "nominal",
              title: null,
              scale: { domain: present, range: present.map((peer) => colours[peer]) },
              legend: { orient: "bottom", direction: "horizontal", columns: 4, symbolOpacity: 1, labelLimit: 200 },
            },
            shape: {
              condition: { test: "datum.peer === 'native'", value: "diamond" },
              value: "circle",
            },
            size: { condition: { test: `datum.peer === '${ours}'`, value: 110 }, value: 50 },
            // Ours on top.
            order: { field: "rank", type: "quantitative" },
          },
        },
      ],
    })),
    resolve: { scale: { color: "shared" } },
    spacing: 14,
    config: {
      font: "system-ui, sans-serif",
      view: { stroke: null },
      title: {
        color: text,
        fontSize: 15,
        fontWeight: 600,
        subtitleColor: muted,
        subtitleFontSize: 11,
        subtitlePadding: 4,
      },
      axis: {
        domain: false,
        ticks: false,
        gridColor: grid,
        labelColor: text,
        labelFontSize: 11,
        labelPadding: 6,
      },
      axisX: { labelColor: muted },
      legend: { labelColor: text, labelFontSize: 11, symbolSize: 70, columnPadding: 18, offset: 14 },
    },
  } as TopLevelSpec
}

const isOf = (operation: string, mode: string) => (comparison: Comparison) =>
  comparison.operation === operation && comparison.mode === mode && comparison.memory.copy !== undefined

function marksOf({ workload, layout, shape, operation, rows, memory }: Comparison): (Mark & { rank: number })[] {
  const least = leastOf[operation].reduce((sum, loop) => sum + (memory[loop]?.median ?? Number.NaN), 0)
  const order = Object.keys(colours)
  return rows.flatMap(({ peer, times }) =>
    times && peer in colours
      ? [
          {
            peer,
            workload: `${workload}  ${axesOf(layout, shape)} [${shape.join(", ")}]`,
            times: times.median / least,
            rank: -order.indexOf(peer),
          },
        ]
      : [],
  )
}

function axesOf(layout: Comparison["layout"], shape: readonly number[]): string {
  if (shape.length === 2) return "NC"
  return layout === "channels-last" ? "NHWC" : "NCHW"
}

/** Vega writes colours as attributes, which a style overrides. */
function darkStyle(): string {
  const rules = Object.values(ink).flatMap(([light, dark]) =>
    ["fill", "stroke"].map((attribute) => `[${attribute}="${light}"]{${attribute}:${dark}}`),
  )
  return `<style>@media (prefers-color-scheme:dark){${rules.join("")}}</style>`
}
