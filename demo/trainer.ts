import type { Command, Failure, Report } from "./messages.ts"

/** Milliseconds without a word, while it should train, after which a worker is taken for dead. */
const patience = 15_000

/** The worker that trains, replaced by a new one after a failure. */
export class Trainer {
  readonly #onReport: (report: Report) => void
  #worker: Worker | undefined
  #watch: ReturnType<typeof setTimeout> | undefined
  #isExpected = false

  constructor(onReport: (report: Report) => void) {
    this.#onReport = onReport
  }

  send(command: Command): void {
    this.#worker ??= this.#started()
    this.#worker.postMessage(command)
  }

  /** Whether reports are to come by themselves. */
  expect(isExpected: boolean): void {
    this.#isExpected = isExpected
    this.#wait()
  }

  #started(): Worker {
    const worker = new Worker(new URL("./training.worker.ts", import.meta.url), { type: "module" })
    worker.addEventListener("message", ({ data }: MessageEvent<Report>) => {
      this.#wait()
      if (data.kind === "failed") this.#fail(data)
      else this.#onReport(data)
    })
    worker.addEventListener("error", (event) => {
      event.preventDefault()
      this.#fail({ kind: "failed", code: undefined, message: event.message })
    })
    return worker
  }

  #wait(): void {
    clearTimeout(this.#watch)
    if (!this.#isExpected) return
    const message = `no word of it for ${patience / 1000} seconds`
    this.#watch = setTimeout(() => this.#fail({ kind: "failed", code: undefined, message }), patience)
  }

  #fail(failure: Failure): void {
    this.#worker?.terminate()
    this.#worker = undefined
    this.expect(false)
    this.#onReport(failure)
  }
}
