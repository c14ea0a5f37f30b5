import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { arch, cpus, loadavg, platform, release, totalmem } from "node:os"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import type { Comparison } from "../compare.ts"
import type { Call } from "../studies/calls.ts"
import type { Start } from "../studies/start.ts"
import type { Point } from "../studies/sweep.ts"
import type { Gain } from "../studies/threads.ts"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** Which machine, engine and sources some results are of. */
export interface Origin {
  /** ISO 8601. */
  readonly date: string
  /** What was run; joined by && where the results are those of several runs. */
  readonly command: string
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryGB: number; readonly system: string }
  /** Processes that wanted to run in the minute before, on average, at most; above the number of cores, times are too long. */
  readonly load: number
  readonly engine: { readonly name: string; readonly version: string }
  /** Of git; with a "+" where anything but records and prose was changed since. */
  readonly commit: string
  /** Exact versions of the libraries that were compared. */
  readonly peers: Readonly<Record<string, string>>
}

/** Results, as they lie in a file. Times are in milliseconds. */
export interface RunRecord extends Origin {
  readonly format: 1
  readonly comparisons?: readonly Comparison[]
  readonly points?: readonly Point[]
  readonly gains?: readonly Gain[]
  readonly calls?: readonly Call[]
  readonly starts?: readonly Start[]
}

/** @param engine of a browser; Node's own unless given */
export function originOf(command: string, engine?: Origin["engine"]): Origin {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const libraries = /^(@tensorflow\/|onnxruntime-web$|@jax-js\/)/
  return {
    date: new Date().toISOString().replace(/\.\d+/, ""),
    command,
    machine: {
      cpu: cpus()[0]?.model.trim() ?? "unknown",
      cores: cpus().length,
      memoryGB: Math.round(totalmem() / 2 ** 30),
      system: `${platform()} ${release()} ${arch()}`,
    },
    load: loadavg()[0] as number,
    engine: engine ?? { name: "Node", version: `${process.versions.node}, V8 ${process.versions.v8}` },
    commit: commit(),
    peers: Object.fromEntries(Object.entries<string>(devDependencies).filter(([name]) => libraries.test(name))),
  }
}

function commit(): string {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim()
  const measured = [".", ":!bench/record", ":!docs", ":!*.md"]
  try {
    return git("rev-parse", "--short=10", "HEAD") + (git("status", "--porcelain", "--", ...measured) ? "+" : "")
  } catch {
    return "unknown"
  }
}

/** A warning where other work kept the cores busy. */
export function busy({ load, machine }: Pick<Origin, "load" | "machine">): string | undefined {
  return load > 0.75 * machine.cores ? `the machine was busy, load ${load.toFixed(1)}` : undefined
}

/** Where records lie that are checked in. */
const recordFolder = join(root, "bench", "record")

/** Writes a record, named by its date and engine; gives its path from the root. */
export function writeRecord(record: RunRecord, isKept: boolean): string {
  const folder = isKept ? recordFolder : join(root, ".tools", "bench")
  mkdirSync(folder, { recursive: true })
  const { comparisons, points, gains, calls, starts } = record
  const study = comparisons ? "" : points ? "-sweep" : gains ? "-threads" : calls ? "-calls" : starts ? "-start" : ""
  const name = `${record.date.replaceAll(":", "")}-${record.engine.name.toLowerCase()}${study}.json`
  const path = join(folder, name)
  writeFileSync(path, text(record))
  return relative(root, path)
}

/**
 * A line for each result. What is not whole has four digits, which is more than a time is good for; an error that is no number
 * is left out.
 */
function text(record: RunRecord): string {
  const json = (value: unknown) =>
    JSON.stringify(value, (_, each: unknown) => {
      if (typeof each !== "number" || Number.isInteger(each)) return each
      return Number.isFinite(each) ? Number(each.toPrecision(4)) : undefined
    })
  const fields = Object.entries(record).map(([name, value]) => {
    const lines = Array.isArray(value) ? `[\n${value.map(json).join(",\n")}\n]` : json(value)
    return `${json(name)}: ${lines}`
  })
  return `{\n${fields.join(",\n")}\n}\n`
}

/** @throws RangeError where there is none, or not of this format */
export function readRecord(path = newestRecord()): RunRecord {
  const record = JSON.parse(readFileSync(path, "utf8"))
  if (record.format !== 1) throw new RangeError(`${path} is no record of format 1`)
  return record
}

/** The newest record of a comparison in Node, or another engine, that is checked in. */
export function newestRecord(engine = "Node"): string {
  const end = `-${engine.toLowerCase()}.json`
  const names = existsSync(recordFolder) ? readdirSync(recordFolder).filter((name) => name.endsWith(end)) : []
  const name = names.sort().at(-1)
  if (!name) throw new RangeError("there is no record in bench/record: make one with --record")
  return join(recordFolder, name)
}

/** @throws RangeError where results of one may not stand beside those of the other */
export function checkSame(before: Origin, now: Origin): void {
  const { machine, engine, commit, peers } = now
  for (const [what, each] of Object.entries({ machine, engine, commit, peers })) {
    const [due, found] = [before[what as keyof Origin], each].map((value) => JSON.stringify(value))
    if (due !== found) throw new RangeError(`the newest record has another ${what}, ${due}: begin one with --record`)
  }
}

/** A record with the results of another run, which replace those of the same comparisons and studies. */
export function joined(before: RunRecord, now: RunRecord): RunRecord {
  const keyOf = ({ workload, operation, mode = "" }: { workload: string; operation: string; mode?: string }) =>
    `${workload} ${mode} ${operation}`
  const latest = <T extends Comparison | Gain>(of: (record: RunRecord) => readonly T[] | undefined): T[] => [
    ...new Map([before, now].flatMap((record) => of(record) ?? []).map((each) => [keyOf(each), each])).values(),
  ]
  const comparisons = latest((record) => record.comparisons)
  const gains = latest((record) => record.gains)
  const again = new Set(now.points?.map(({ sweep }) => sweep))
  const points = [...(before.points ?? []).filter(({ sweep }) => !again.has(sweep)), ...(now.points ?? [])]
  return {
    ...{ ...before, ...now },
    date: before.date,
    command: `${before.command} && ${now.command}`,
    load: Math.max(before.load, now.load),
    ...(comparisons.length > 0 && { comparisons }),
    ...(gains.length > 0 && { gains }),
    ...(points.length > 0 && { points }),
  }
}
