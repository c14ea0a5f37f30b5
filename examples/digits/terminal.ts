import type { WriteStream } from "node:tty"
import { green, plot, red, reset } from "asciichart"
import { SingleBar } from "cli-progress"
import Table from "cli-table3"
import type { Reporter } from "./reporter.ts"
import {
  accuracyAt,
  epochState,
  finalAccuracy,
  meanOf,
  networkName,
  percent,
  runName,
  tableHead,
  tableRows,
} from "./summary.ts"
import type { Run } from "./train.ts"

/** In fewer columns a bar would not fit into its line. */
export const leastColumns = 80

/** A bar per run, then a chart and a table. */
export function terminal(stream: WriteStream, epochs: number): Reporter {
  let bar: SingleBar
  return {
    start(setting) {
      const text = `${runName(setting)}  ${epochs}/${epochs} · ${epochState({ loss: 0, accuracy: 1 })}`
      bar = new SingleBar({
        stream,
        format: `${runName(setting)} {bar} {value}/{total} {state}`,
        barCompleteChar: "█",
        barIncompleteChar: "░",
        barsize: Math.max(1, Math.min(24, stream.columns - text.length - 1)),
        // The bar's other way, to switch wrapping off, would leave it off in a terminal where the run is interrupted.
        linewrap: true,
      })
      bar.start(epochs, 0, { state: "" })
    },
    epoch(epoch) {
      bar.increment(1, { state: `· ${epochState(epoch)}` })
    },
    end(run) {
      if (run.diverged) bar.update({ state: "· diverged" })
      bar.stop()
    },
    close(runs) {
      stream.write(`\n${chart(runs, epochs, stream.hasColors())}\n\n`)
      const table = new Table({ head: [...tableHead], style: { head: [], border: [], compact: true } })
      table.push(...tableRows(runs))
      stream.write(`${table.toString()}\n\n`)
    },
  }
}

/** The mean test accuracy over the rates, from the first epoch to the last. */
function chart(runs: readonly Run[], epochs: number, colors: boolean): string {
  const width = 60
  const series = [false, true].map((batchNorm) =>
    Array.from({ length: width }, (_, column) => {
      const epoch = Math.floor((column * epochs) / width)
      return 100 * meanOf(runs, batchNorm, (run) => accuracyAt(run.epochs, epoch))
    }),
  )
  const paint = (text: string, color: string) => (colors ? color + text + reset : text)
  const legend = [true, false].map((batchNorm) => {
    const mean = meanOf(runs, batchNorm, finalAccuracy)
    return paint(`── ${networkName(batchNorm)}, ${percent(mean)} at the end`, batchNorm ? green : red)
  })
  const axis = (value: number) => `${value.toFixed(0).padStart(3)} %`
  const indent = " ".repeat(7)
  return [
    "Test accuracy by epoch, the mean over the learning rates:",
    plot(series, { min: 0, max: 100, height: 10, format: axis, ...(colors && { colors: [red, green] }) }),
    `${indent}1${`epoch ${epochs}`.padStart(width - 1)}`,
    `${indent}${legend.join("   ")}`,
  ].join("\n")
}
