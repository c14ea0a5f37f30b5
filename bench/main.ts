// npm run bench -- --help
import { readFileSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { styleText } from "node:util"
import { type Arguments, help, parse } from "./arguments.ts"
import type { Comparison, Plan } from "./compare.ts"
import { inNode, type Runner } from "./node.ts"
import { progress } from "./report/progress.ts"
import {
  busy,
  checkSame,
  joined,
  newestRecord,
  originOf,
  type RunRecord,
  readRecord,
  root,
  writeRecord,
} from "./report/record.ts"
import { callsTable, gainsTable, startsTable, sweepTable } from "./report/studies.ts"
import { heading, ours, table } from "./report/table.ts"
import { starts } from "./studies/start.ts"
import { small, workloads } from "./workloads.ts"

async function main(args: readonly string[]): Promise<void> {
  const wanted = parse(args)
  if (wanted.study === "help") return console.log(help)
  if (wanted.study === "chart") return drawChart(wanted.chart)

  const runner = wanted.chromium ? await (await import("./chromium/runner.ts")).inChromium() : inNode()
  try {
    const origin = originOf(["npm run bench --", ...args].join(" "), runner.engine)
    const { machine, engine, commit } = origin
    const before = wanted.add ? readRecord(newestRecord(engine.name)) : undefined
    if (before) checkSame(before, origin)
    console.log(`${engine.name} ${engine.version} · ${machine.cpu}, ${machine.cores} cores · ${commit}\n`)
    const warning = wanted.isCheck ? undefined : busy(origin)
    if (warning) console.log(`${styleText("yellow", `${warning}: times may be too long, the longer ones most`)}\n`)
    const results = await study(wanted, runner)
    if (!results) return
    const record: RunRecord = { format: 1, ...origin, ...results }
    const path = writeRecord(before ? joined(before, record) : record, wanted.record)
    console.log(`\n${path}`)
  } finally {
    await runner.close()
  }
}

async function drawChart(record: string | undefined): Promise<void> {
  const { chartOf, chartPath } = await import("./report/chart.ts")
  const { figures, readmeTable, withTable } = await import("./report/readme.ts")
  const found = readRecord(record)
  writeFileSync(chartPath, await chartOf(found))
  const tables = { "README.md": readmeTable(found), "bench/README.md": figures(found) }
  for (const [name, table] of Object.entries(tables)) {
    const path = join(root, name)
    writeFileSync(path, withTable(readFileSync(path, "utf8"), table))
  }
  console.log(`${relative(root, chartPath)} and the tables of ${Object.keys(tables).join(" and ")}`)
}

/** Runs a study and prints what it finds; nothing where nothing was timed. */
async function study(
  wanted: Arguments,
  runner: Runner,
): Promise<Pick<RunRecord, "comparisons" | "points" | "gains" | "calls" | "starts"> | undefined> {
  switch (wanted.study) {
    case "calls": {
      const calls = await all(runner.run("calls", wanted.effort))
      console.log(callsTable(calls))
      return { calls }
    }
    case "start": {
      const found = [...starts(wanted.effort.rounds)]
      console.log(startsTable(found))
      return { starts: found }
    }
    case "sweep": {
      const points = await all(runner.run("sweep", wanted.sweep, wanted.effort))
      console.log(sweepTable(points))
      return { points }
    }
    case "threads": {
      const gains = await all(runner.run("threads", planOf(wanted), wanted.effort))
      console.log(gainsTable(gains))
      return { gains }
    }
    default: {
      const comparisons = await compare(wanted, runner)
      return wanted.isCheck ? undefined : { comparisons }
    }
  }
}

function planOf({ workloads: names, isSmall, operations, modes, isCheck, effort }: Arguments): Plan {
  return {
    workloads: names.map((name) => ({ name, ...(isSmall ? small(workloads[name]) : workloads[name]) })),
    ...{ operations, modes },
    effort: isCheck ? undefined : effort,
  }
}

async function compare(wanted: Arguments, runner: Runner): Promise<Comparison[]> {
  const native = wanted.native ? await (await import("./native.ts")).nativeTimes(wanted, root) : undefined
  const plan = planOf(wanted)
  const comparisons: Comparison[] = []
  let group: Comparison[] = []
  const flush = () => {
    const [first] = group
    progress("")
    if (first)
      console.log(
        `${comparisons.length > group.length ? "\n" : ""}${heading([first, ...group.slice(1)])}\n${table(group)}`,
      )
    group = []
  }
  for await (const found of runner.run("compare", plan, wanted.peers)) {
    const [first] = group
    if (first && (first.workload !== found.workload || first.mode !== found.mode)) flush()
    const comparison = native ? native(found) : found
    comparisons.push(comparison)
    progress(`${found.workload} · ${found.mode} · ${found.operation}`)
    group.push(comparison)
  }
  flush()
  const isOursWrong = ({ rows }: Comparison) =>
    rows.some(({ peer, isWrong, failure }) => peer === ours && (isWrong || failure))
  if (comparisons.some(isOursWrong)) process.exitCode = 1
  return comparisons
}

async function all<T>(from: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = []
  for await (const value of from) values.push(value)
  return values
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof RangeError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS"))) throw error
  // Of what parseArgs says, the first sentence names the option.
  console.error(`bench: ${(error as Error).message.split(". ")[0]}`)
  process.exitCode = 2
}
