import { messageOf } from "./failure.ts"
import type { Command, Failure, Report } from "./messages.ts"

/**
 * Seconds without a word, while it should train, after which a worker is taken for dead. They are counted one by one, so that a
 * machine that slept, or a page in the background, does not find them gone at once.
 */
const patience = 15

/** The worker that trains, replaced by a new one after a failure. */
export class Trainer {
  readonly #onReport: (report: Report) => void
  #worker: Worker | undefined
  #watch: ReturnType<typeof setInterval> | undefined
  #silent = 0

  constructor(onReport: (report: Report) => void) {
    this.#onReport = onReport
  }

  send(command: Command): void {
    this.#worker ??= this.#started()
    this.#worker.postMessage(command)
  }

  /** Whether reports are to come by themselves. */
  expect(isExpected: boolean): void {
    clearInterval(this.#watch)
    this.#silent = 0
    if (!isExpected) return
    this.#watch = setInterval(() => {
      this.#silent += 1
      if (this.#silent < patience) return
      this.#fail({ kind: "failed", code: undefined, message: `no word of it for ${patience} seconds` })
    }, 1000)
  }

  #started(): Worker {
    const worker = new Worker(new URL("./training.worker.ts", import.meta.url), { type: "module" })
    worker.addEventListener("message", ({ data }: MessageEvent<Report>) => {
      this.#silent = 0
      if (data.kind === "failed") this.#fail(data)
      else this.#onReport(data)
    })
    worker.addEventListener("error", (event) => {
      event.preventDefault()
      this.#fail({ kind: "failed", code: undefined, message: messageOf(event) })
    })
    return worker
  }

  #fail(failure: Failure): void {
    this.#worker?.terminate()
    this.#worker = undefined
    this.expect(false)
    this.#onReport(failure)
  }
}
