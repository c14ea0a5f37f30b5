import { styleText } from "node:util"
import Table from "cli-table3"
import type { Tally } from "../../tools/tally.mjs"
import type { Environment } from "./environment.ts"
import { environments } from "./environments.ts"
import { Scratch } from "./scratch.ts"
import { judgeTime } from "./time.ts"

/** How it went in an environment. */
interface Outcome {
  readonly name: string
  /** Who answered. */
  readonly engine: string
  readonly seconds: number
  readonly faults: readonly string[]
}

/**
 * Runs all environments, or those of these names, one after the other; shows what breaks, and closes with a table and the
 * time that it took, of which too much counts as a failure.
 */
export async function runEnvironments(names?: readonly string[]): Promise<Tally> {
  const start = performance.now()
  await using scratch = new Scratch()
  const outcomes: Outcome[] = []
  for (const environment of environments.filter(({ name }) => names?.includes(name) ?? true)) {
    const outcome = await tried(environment, scratch)
    outcomes.push(outcome)
    const { name, seconds, faults } = outcome
    console.log(`${faults.length > 0 ? "✗" : "✓"} ${name} · ${seconds.toFixed(1)} s`)
    for (const line of shortened(faults.flatMap((fault) => fault.split("\n")))) console.log(`    ${line}`)
  }
  const { line, failed: late } = judgeTime((performance.now() - start) / 1000)
  console.log(`\n${table(outcomes)}\n\n${line}`)
  const failed = outcomes.filter(({ faults }) => faults.length > 0).length
  return { passed: outcomes.length - failed, failed: failed + late }
}

async function tried({ name, run, faults }: Environment, scratch: Scratch): Promise<Outcome> {
  const start = performance.now()
  const outcome = (engine: string, found: readonly string[]) => ({
    name,
    engine,
    seconds: (performance.now() - start) / 1000,
    faults: found,
  })
  try {
    const answer = await run(scratch)
    return outcome("engine" in answer ? short(answer.engine) : "", faults(answer))
  } catch (error) {
    return outcome("", [error instanceof Error ? `${error.message || error}` : `${error}`])
  }
}

/** What went wrong stands at the beginning or at the end. */
function shortened(lines: readonly string[]): readonly string[] {
  const left = lines.length - 60
  return left <= 0 ? lines : [...lines.slice(0, 40), `… ${left} lines …`, ...lines.slice(-20)]
}

/** Of all that a browser says it is, what it is. */
function short(engine: string): string {
  return /(HeadlessChrome|Chrome|Firefox)\/[\d.]+/.exec(engine)?.[0] ?? engine
}

function table(outcomes: readonly Outcome[]): string {
  const drawn = new Table({
    head: ["environment", "answered by", "s", ""],
    colAligns: ["left", "left", "right", "left"],
    style: { head: [], border: [], compact: true },
  })
  for (const { name, engine, seconds, faults } of outcomes) {
    const verdict = faults.length > 0 ? styleText("red", "failed") : "passed"
    drawn.push([name, engine, seconds.toFixed(1), verdict])
  }
  return drawn.toString()
}
