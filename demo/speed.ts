import { inWords, messageOf } from "./failure.ts"
import { element, made, significant } from "./format.ts"
import type { Failure } from "./messages.ts"
import type { SpeedReport, SpeedRow } from "./speed-messages.ts"

const state = element("speed-state")
const results = element("speed-results")
const button = element<HTMLButtonElement>("measure")

/** Measures at the button's press, in a worker of its own. `before` and `after` frame it. */
export function speedSection({ before, after }: { before(): void; after(): void }): void {
  const table = results.querySelector("table")!
  let rows: SpeedRow[] = []
  let isMeasuring = false
  const end = (text: string) => {
    isMeasuring = false
    button.setAttribute("aria-disabled", "false")
    state.textContent = text
    after()
  }
  const hear = (report: SpeedReport) => {
    switch (report.kind) {
      case "measuring":
        state.textContent = `Measuring, ${report.done} of ${report.total} done.`
        break
      case "measured":
        add(report.row)
        break
      case "finished":
        end(summary(rows))
        break
      case "failed":
        fail(report)
        break
      default:
        report satisfies never
    }
  }
  /** The name of the array stands above its rows: beside them, a phone has no place for it. */
  function add(row: SpeedRow): void {
    const before = rows.at(-1)
    if (!before || arrayOf(before) !== arrayOf(row)) table.append(groupOf(row))
    table.tBodies[table.tBodies.length - 1]!.append(rowOf(row))
    rows.push(row)
  }
  // It waits from the start, so that nothing is loaded later.
  let worker: Worker | undefined = started()
  function started(): Worker {
    const worker = new Worker(new URL("./speed.worker.ts", import.meta.url), { type: "module" })
    worker.addEventListener("message", ({ data }: MessageEvent<SpeedReport>) => hear(data))
    worker.addEventListener("error", (event) => {
      event.preventDefault()
      fail({ code: undefined, message: messageOf(event) })
    })
    return worker
  }
  function fail(failure: Pick<Failure, "code" | "message">): void {
    worker?.terminate()
    worker = undefined
    if (isMeasuring) end(inWords(failure, "Measure"))
  }
  button.addEventListener("click", () => {
    if (isMeasuring) return
    isMeasuring = true
    rows = []
    for (const group of [...table.tBodies]) group.remove()
    results.hidden = false
    button.setAttribute("aria-disabled", "true")
    before()
    worker ??= started()
    worker.postMessage("measure")
  })
}

const ratio = ({ ours, theirs }: SpeedRow): number => theirs.median / ours.median

function summary(rows: readonly SpeedRow[]): string {
  const ratios = rows.map(ratio).sort((a, b) => a - b)
  const text = (value: number | undefined) => (value ?? Number.NaN).toFixed(1)
  return `Between ${text(ratios[0])} and ${text(ratios.at(-1))} times as fast as pure JavaScript here; all answers were right.`
}

const arrayOf = ({ layout, shape }: SpeedRow): string => `${layout} ${shape.join("×")}`

function groupOf(row: SpeedRow): HTMLTableSectionElement {
  return made("tbody", {}, made("tr", {}, made("th", { scope: "rowgroup", colspan: "4" }, arrayOf(row))))
}

function rowOf(row: SpeedRow): HTMLTableRowElement {
  const { operation, ours, theirs } = row
  const bar = made("i", { class: "ratio", "aria-hidden": "true" })
  bar.style.setProperty("--ratio", String(ratio(row)))
  return made(
    "tr",
    {},
    made("th", { scope: "row" }, operation),
    made("td", {}, duration(ours.median)),
    made("td", {}, duration(theirs.median)),
    made("td", {}, made("b", {}, `${ratio(row).toFixed(1)}\u00a0×`), bar),
  )
}

// From 0.9995 on, three digits of it are 1.00.
const duration = (milliseconds: number): string =>
  milliseconds < 0.9995 ? `${significant(1000 * milliseconds)}\u00a0µs` : `${significant(milliseconds)}\u00a0ms`
