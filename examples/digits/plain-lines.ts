import type { Reporter } from "./reporter.ts"
import { epochState, runName, tableHead, tableRows } from "./summary.ts"

/** For logs and pipes: a line per run and a table, without control characters. */
export const plainLines: Reporter = {
  start() {},
  epoch() {},
  end(run) {
    const last = run.epochs.at(-1)
    if (!last) return
    const state = run.diverged ? `diverged in epoch ${run.epochs.length}: the loss is ${last.loss}` : epochState(last)
    console.log(`${runName(run)}  ${state}`)
  },
  close(runs) {
    const rows = [tableHead, ...tableRows(runs)]
    const widths = tableHead.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
    console.log()
    for (const row of rows)
      console.log(
        row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join("   ")
          .trimEnd(),
      )
    console.log()
  },
}
