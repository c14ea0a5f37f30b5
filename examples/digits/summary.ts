import type { Epoch, Run, Setting } from "./train.ts"

/** The test accuracy that counts as having learned the task. */
const goal = 0.95

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

export const networkName = (batchNorm: boolean): string => (batchNorm ? "with batch norm" : "without")

/** Padded, so that the lines of all runs line up. */
export const runName = ({ rate, batchNorm }: Setting): string =>
  `rate ${String(rate).padEnd(5)} ${networkName(batchNorm).padEnd(15)}`

export const epochState = ({ loss, accuracy }: Epoch): string =>
  `loss ${loss.toFixed(3).padStart(6)} · test ${percent(accuracy).padStart(7)}`

/** After the last epoch, or after the one in which the run diverged. */
export const finalAccuracy = ({ epochs }: Run): number => accuracyAt(epochs, epochs.length - 1)

/** A run that diverged keeps the accuracy that it ended with. */
export const accuracyAt = (epochs: readonly Epoch[], epoch: number): number =>
  epochs[Math.min(epoch, epochs.length - 1)]?.accuracy ?? 0

/** The mean, over the runs with batch norm or over those without, of what `value` takes from each. */
export function meanOf(runs: readonly Run[], batchNorm: boolean, value: (run: Run) => number): number {
  const values = runs.filter((run) => run.batchNorm === batchNorm).map(value)
  return values.reduce((a, b) => a + b, 0) / values.length
}

export const tableHead: readonly string[] = [
  "rate",
  "network",
  "test accuracy",
  `epochs to ${100 * goal} %`,
  "in batch norm",
]

/** One row per run; — where there is nothing to say. */
export function tableRows(runs: readonly Run[]): string[][] {
  return runs.map((run) => {
    const reached = run.epochs.findIndex(({ accuracy }) => accuracy >= goal) + 1
    return [
      String(run.rate),
      networkName(run.batchNorm),
      percent(finalAccuracy(run)) + (run.diverged ? ", diverged" : ""),
      reached > 0 ? String(reached) : "—",
      run.batchNorm ? `${Math.round(run.millisecondsInBatchNorm)} ms` : "—",
    ]
  })
}

/**
 * The mean over the rates says what not to know the right rate costs. Beside it stands the best rate of each, so that nobody
 * takes the difference of the means for what batch norm adds to a network whose rate was well chosen.
 */
export function closingLines(runs: readonly Run[]): string[] {
  const rates = new Set(runs.map(({ rate }) => rate)).size
  const means = [true, false].map((batchNorm) => percent(meanOf(runs, batchNorm, finalAccuracy)))
  const accuracies = `with batch norm ${means[0]} · without ${means[1]}`
  if (rates === 1) return ["Test accuracy:", accuracies]
  const best = [true, false].map((batchNorm) =>
    percent(Math.max(...runs.filter((run) => run.batchNorm === batchNorm).map(finalAccuracy))),
  )
  return [
    `Test accuracy, the mean over the ${rates} learning rates, then at the best of them:`,
    `${accuracies} · best rate ${best[0]} and ${best[1]}`,
  ]
}
