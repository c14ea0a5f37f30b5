import { afterEach, beforeEach, expect, test, vi } from "vitest"
import type { Report } from "../../demo/messages.ts"
import { Trainer } from "../../demo/trainer.ts"

/** A worker that says what it is told to say. */
class Puppet extends EventTarget {
  static all: Puppet[] = []
  readonly received: unknown[] = []
  isTerminated = false

  constructor() {
    super()
    Puppet.all.push(this)
  }

  postMessage(message: unknown): void {
    this.received.push(message)
  }

  terminate(): void {
    this.isTerminated = true
  }

  say(data: Report): void {
    this.dispatchEvent(new MessageEvent("message", { data }))
  }
}

const batch: Report = { kind: "batch", run: 1, batches: 1 }
const seconds = (count: number) => vi.advanceTimersByTime(1000 * count)
let reports: Report[]
let trainer: Trainer

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal("Worker", Puppet)
  Puppet.all = []
  reports = []
  trainer = new Trainer((report) => reports.push(report))
  trainer.send({ kind: "resume" })
})
afterEach(() => {
  trainer.expect(false)
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test("a worker that falls silent while it should train is ended, and said to have", () => {
  trainer.expect(true)
  seconds(14)
  Puppet.all[0]!.say(batch)
  seconds(14)
  expect(reports).toEqual([batch])
  seconds(1)
  expect(reports.at(-1)).toEqual({ kind: "failed", code: undefined, message: "no word of it for 15 seconds" })
  expect(Puppet.all[0]!.isTerminated).toBe(true)
  seconds(60)
  expect(reports).toHaveLength(2)
})

test("a worker that is paused may be silent", () => {
  trainer.expect(true)
  trainer.expect(false)
  seconds(600)
  expect(reports).toEqual([])
})

test("after a failure there is a new worker", () => {
  Puppet.all[0]!.say({ kind: "failed", code: "unsupported", message: "no" })
  expect(reports).toHaveLength(1)
  trainer.send({ kind: "resume" })
  expect(Puppet.all).toHaveLength(2)
  expect(Puppet.all[1]!.received).toEqual([{ kind: "resume" }])
})
