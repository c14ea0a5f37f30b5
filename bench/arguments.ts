import { parseArgs } from "node:util"
import type { PeerName } from "./peers/index.ts"
import { peerNames } from "./peers/index.ts"
import { type Mode, modes, type Operation, operations } from "./peers/peer.ts"
import { type Sweep, sweeps } from "./studies/sweep.ts"
import type { Effort } from "./timing.ts"
import { type WorkloadName, workloadNames } from "./workloads.ts"

/** Those that caches do not hold. */
const largest: readonly WorkloadName[] = ["E", "F"]

export const help = `Times batch normalization against other libraries and against the memory itself.
Every answer is checked first.

npm run bench -- [WORKLOAD ...] [options]

  WORKLOAD             ${workloadNames.join(", ")}; all of them unless given, for --threads ${largest.join(", ")}
  --operations LIST    ${operations.join(", ")}
  --modes LIST         ${modes.join(", ")}
  --peers LIST         ${lines(peerNames)}
                       A list is separated by commas; everything in it unless given.

What is measured, in place of the workloads:
  --sweep KIND         size, channels, offset: the cost of an element relative to a copy;
                       threads: the time of all cores relative to that of one
  --threads            what all cores gain over one, beside the gain of a copy, sum or triad of as many elements
  --calls              what a call costs beside its arithmetic, in time and in bytes
  --start              from import to the first result, in as many fresh processes as rounds

How:
  --native             also the same crate compiled natively, by cargo bench
  --chromium           in Chromium instead of Node
  --quick              3 rounds of 20 ms; less to wait, more noise
  --rounds N           7 unless given
  --time MS            of each round, for each peer; 60 unless given
  --check              check the answers, time nothing
  --small              a few elements of each channel, to check quickly

What comes of it:
  --record             keep the results in bench/record, to be checked in; else in .tools/bench
  --add                put them into the newest record there, of the same machine and commit
  --chart [RECORD]     draw docs/bench.svg and the tables of README.md and bench/README.md;
                       from the newest of bench/record unless given
  --help               this text`

/** What was asked for. */
export interface Arguments {
  readonly study: "help" | "chart" | "sweep" | "threads" | "calls" | "start" | "compare"
  readonly workloads: readonly WorkloadName[]
  readonly operations: readonly Operation[]
  readonly modes: readonly Mode[]
  readonly peers: readonly PeerName[]
  readonly sweep: Sweep
  readonly effort: Effort
  readonly isCheck: boolean
  readonly isSmall: boolean
  readonly native: boolean
  readonly chromium: boolean
  readonly record: boolean
  /** To the newest record. */
  readonly add: boolean
  /** The record to draw. */
  readonly chart: string | undefined
}

/** @throws RangeError for a value that there is not; what parseArgs throws for an option that there is not */
export function parse(args: readonly string[]): Arguments {
  const flag = { type: "boolean", default: false } as const
  const text = { type: "string" } as const
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...{ operations: text, modes: text, peers: text, sweep: text, rounds: text, time: text },
      ...{
        threads: flag,
        calls: flag,
        start: flag,
        native: flag,
        chromium: flag,
        quick: flag,
        check: flag,
        small: flag,
      },
      ...{ record: flag, add: flag, chart: flag, help: flag },
    },
  })
  const { help, chart, sweep, threads, calls, start } = values
  const chosen = Object.entries({ help, chart, sweep, threads, calls, start }).find(([, isChosen]) => isChosen)
  const study = (chosen?.[0] ?? "compare") as Arguments["study"]
  if (values.chromium && start) throw new RangeError("--start measures processes of Node, not --chromium")
  return {
    study,
    workloads:
      study === "threads" && positionals.length === 0
        ? largest
        : among(chart ? undefined : positionals, workloadNames, "workload"),
    operations: among(values.operations?.split(","), operations, "operation"),
    modes: among(values.modes?.split(","), modes, "mode"),
    peers: among(values.peers?.split(","), peerNames, "peer"),
    sweep: among(sweep === undefined ? undefined : [sweep], sweeps, "sweep")[0] as Sweep,
    effort: {
      rounds: positive(values.rounds, "rounds") ?? (values.quick ? 3 : 7),
      milliseconds: positive(values.time, "time") ?? (values.quick ? 20 : 60),
    },
    isCheck: values.check,
    isSmall: values.small,
    native: values.native,
    chromium: values.chromium,
    record: values.record || values.add,
    add: values.add,
    chart: chart ? positionals[0] : undefined,
  }
}

/** The values that were named, all if none was; one that there is not is an error that lists them. */
function among<T extends string>(given: readonly string[] | undefined, allowed: readonly T[], what: string) {
  for (const one of given ?? []) {
    if (!allowed.includes(one as T)) throw new RangeError(`no ${what} "${one}": there are ${allowed.join(", ")}`)
  }
  return given && given.length > 0 ? (given as readonly T[]) : allowed
}

function positive(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`--${name} is a whole number from 1 on, not "${text}"`)
  return value
}

function lines(names: readonly string[]): string {
  const half = Math.ceil(names.length / 2)
  return `${names.slice(0, half).join(", ")},\n                       ${names.slice(half).join(", ")}`
}
