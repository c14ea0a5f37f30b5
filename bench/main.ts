// npm run bench -- [WORKLOAD ...] [--modes LIST] [--check] [--help]
import { readFileSync } from "node:fs"
import { cpus } from "node:os"
import { parseArgs } from "node:util"
import Table from "cli-table3"
import { Bench } from "tinybench"
import { answers, errorOf, tolerance } from "./check.ts"
import { batchnorm } from "./peers/batchnorm.ts"
import { type Mode, modes, type Operation, operations, type Peer } from "./peers/peer.ts"
import { pureJs } from "./peers/pure-js.ts"
import { names, type Workload, workload } from "./workloads.ts"
import { leastOf, loops, yardstick } from "./yardstick.ts"

const peers: readonly Peer[] = [batchnorm, pureJs]
const rounds = 7
const wasm = new WebAssembly.Module(readFileSync(new URL("../.tools/yardstick/kernel.wasm", import.meta.url)))

const help = `Times batch normalization against plain JavaScript, after checking every answer.

npm run bench -- [WORKLOAD ...] [options]

  WORKLOAD          ${names.join(", ")}; all of them unless given
  --modes LIST      ${modes.join(", ")}; both unless given
  --check           check the answers, time nothing
  --help            this text`

interface Row {
  readonly error: number
  /** Milliseconds, the median of each round. */
  readonly times: readonly number[]
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { modes: { type: "string" }, check: { type: "boolean" }, help: { type: "boolean" } },
  })
  if (values.help) {
    console.log(help)
    return
  }
  const chosen = among(positionals, names, "workload")
  const chosenModes = among(values.modes?.split(",") ?? [], modes, "mode")
  console.log(`Node ${process.versions.node} · V8 ${process.versions.v8} · ${cpus()[0]?.model.trim()}`)
  for (const name of chosen) {
    const data = workload(name)
    const right = answers(data)
    for (const mode of chosenModes) {
      console.log(`\n${name} · ${data.layout} [${data.shape.join(", ")}] f32 · ${mode}`)
      await compare(data, mode, right, values.check === true)
    }
  }
}

async function compare(data: Workload, mode: Mode, right: ReturnType<typeof answers>, checkOnly: boolean) {
  const measure = yardstick(wasm, data.x.length)
  const prepared = peers.map((peer) => ({ peer, run: peer.prepare(data, mode) }))
  const table = new Table({
    head: ["", "peer", "error", "median ms", "spread", "× the time of batchnorm", "× the memory's"],
    style,
  })
  for (const operation of operations) {
    const rows = prepared.map(({ run }) => ({ error: errorOf(run[operation](), right[operation]), times: [] }))
    const sound = prepared.filter((_, index) => (rows[index] as Row).error <= tolerance)
    const times = checkOnly ? new Map<string, number[]>() : await time(operation, sound, measure)
    const least = leastOf[operation].reduce((sum, loop) => sum + median(times.get(loop) ?? []), 0)
    const ours = median(times.get(batchnorm.name) ?? [])
    for (const [index, { peer }] of prepared.entries()) {
      const { error } = rows[index] as Row
      const found = times.get(peer.name) ?? []
      const isSound = error <= tolerance
      if (!isSound) process.exitCode = 1
      table.push([
        index === 0 ? operation : "",
        peer.name,
        isSound ? error.toExponential(1) : `WRONG ${error.toExponential(1)}`,
        found.length > 0 ? median(found).toPrecision(3) : "–",
        found.length > 0 ? `${Math.min(...found).toPrecision(3)} to ${Math.max(...found).toPrecision(3)}` : "–",
        found.length > 0 ? (median(found) / ours).toFixed(1) : "–",
        found.length > 0 ? (median(found) / least).toFixed(2) : "–",
      ])
    }
  }
  console.log(table.toString())
  for (const { run } of prepared) run.dispose()
  measure[Symbol.dispose]()
}

/** The medians of some rounds, the peers taking turns within each, so that a change of the machine's pace meets all. */
async function time(
  operation: Operation,
  prepared: readonly { peer: Peer; run: ReturnType<Peer["prepare"]> }[],
  measure: ReturnType<typeof yardstick>,
): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({ time: 60, iterations: 5, warmup: round === 0, warmupTime: 60, warmupIterations: 3 })
    for (const { peer, run } of prepared) bench.add(peer.name, () => void run[operation]())
    for (const loop of loops) if (leastOf[operation].includes(loop)) bench.add(loop, measure[loop])
    for (const { name, result } of await bench.run()) {
      if (result.state !== "completed") throw new Error(`${name}: ${operation} did not complete`)
      times.set(name, [...(times.get(name) ?? []), result.latency.p50])
    }
  }
  return times
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The values that were named, all if none was; a name that is none is an error that lists them. */
function among<T extends string>(given: readonly string[], allowed: readonly T[], what: string): readonly T[] {
  for (const one of given) {
    if (!allowed.includes(one as T)) throw new RangeError(`no ${what} "${one}": there are ${allowed.join(", ")}`)
  }
  return given.length > 0 ? (given as T[]) : allowed
}

const style = process.stdout.isTTY && !process.env.CI ? {} : { head: [], border: [] }

try {
  await main()
} catch (error) {
  if (!(error instanceof RangeError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS"))) throw error
  // Of what parseArgs says, the first sentence names the option.
  console.error(`bench: ${(error as Error).message.split(". ")[0]}`)
  process.exitCode = 2
}
