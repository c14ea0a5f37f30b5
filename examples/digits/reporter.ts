import type { Epoch, Run, Setting } from "./train.ts"

/** Shows what happens while it happens. */
export interface Reporter {
  start(setting: Setting): void
  epoch(epoch: Epoch): void
  end(run: Run): void
  /** After the last run, before the closing lines. */
  close(runs: readonly Run[]): void
}
