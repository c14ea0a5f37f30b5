import { Writable } from "node:stream"
import type { WriteStream } from "node:tty"
import { stripVTControlCharacters } from "node:util"
import { expect, test } from "vitest"
import { terminal } from "../../examples/digits/terminal.ts"
import type { Run } from "../../examples/digits/train.ts"

/** As much of a terminal as a progress bar asks for. */
class Screen extends Writable {
  readonly isTTY = true
  readonly columns = 80
  readonly #colors: boolean
  text = ""

  constructor(colors: boolean) {
    super()
    this.#colors = colors
  }

  hasColors(): boolean {
    return this.#colors
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

const good = { loss: 0.25, accuracy: 0.975 }
const lost = { loss: Number.NaN, accuracy: 0.1 }
const runs: Run[] = [
  { rate: 0.5, batchNorm: true, epochs: [good, good], diverged: false, millisecondsInBatchNorm: 12.3 },
  { rate: 0.5, batchNorm: false, epochs: [lost], diverged: true, millisecondsInBatchNorm: 0 },
]

function show(colors: boolean): string {
  const screen = new Screen(colors)
  const reporter = terminal(screen as unknown as WriteStream, 2)
  for (const run of runs) {
    reporter.start(run)
    for (const epoch of run.epochs) reporter.epoch(epoch)
    reporter.end(run)
  }
  reporter.close(runs)
  return screen.text
}

test("a terminal shows a bar per run, a chart and a table", () => {
  const text = stripVTControlCharacters(show(true))
  expect(text).toMatch(/rate 0\.5 +with batch norm █+ 2\/2 · loss {2}0\.250 · test {2}97\.5 %/)
  expect(text).toMatch(/rate 0\.5 +without +█+░+ 1\/2 · diverged/)
  expect(text.match(/^ *\d+ % [┼┤]/gm)).toHaveLength(11)
  expect(text).toContain("── with batch norm, 97.5 % at the end   ── without, 10.0 % at the end")
  expect(text).toMatch(/│ 0\.5 +│ with batch norm │ 97\.5 % +│ 1 +│ 12 ms +│/)
  const drawn = text.split(/(?=rate 0\.5)/).slice(1)
  expect(drawn.length).toBeGreaterThanOrEqual(2)
  for (const bar of drawn) expect(bar.split("\n")[0]!.length).toBeLessThan(80)
  expect(text).toMatch(/│ 0\.5 +│ without +│ 10\.0 %, diverged │ — +│ — +│/)
})

test("the chart is painted only where the terminal has colours", () => {
  const green = "\u001b[32m"
  expect(show(true)).toContain(green)
  expect(show(false)).not.toContain(green)
})
