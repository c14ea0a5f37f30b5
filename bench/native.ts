import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { command } from "../tools/set-up/command.mjs"
import { environment } from "../tools/set-up/environment.mjs"
import type { Arguments } from "./arguments.ts"
import type { Comparison, Row } from "./compare.ts"
import { median, quantile } from "./statistics.ts"
import type { Times } from "./timing.ts"

const folder = ".tools/native"

/**
 * Runs bench/native, the same crate compiled for this machine, by cargo bench.
 *
 * @returns what adds its rows to a comparison on resident arrays: the operation, and beside infer a copy
 */
export async function nativeTimes(
  { workloads, operations, isSmall, isCheck }: Arguments,
  root: string,
): Promise<(comparison: Comparison) => Comparison> {
  if (isSmall || isCheck) return (comparison) => comparison
  const results = join(root, folder, "criterion")
  rmSync(results, { recursive: true, force: true })
  process.stderr.write("running the crate natively …\n")
  const filter = `^(${workloads.join("|")})/(${[...operations, "copy"].join("|")})$`
  await command("cargo", ["bench", "--locked", "--quiet", "-p", "batchnorm-bench", "--bench", "native", "--", filter], {
    env: environment({
      CARGO_TARGET_DIR: join(root, folder),
      CRITERION_HOME: results,
      RUSTFLAGS: "-Ctarget-cpu=native",
    }),
    isBuild: true,
  })
  return (comparison) => {
    if (comparison.mode !== "resident") return comparison
    const rowOf = (peer: string, name: string): Row => ({ peer, times: read(results, comparison.workload, name) })
    const copy = comparison.operation === "infer" ? [rowOf("native copy", "copy")] : []
    return { ...comparison, rows: [...comparison.rows, rowOf("native", comparison.operation), ...copy] }
  }
}

/** The samples that criterion wrote, in nanoseconds. */
function read(results: string, workload: string, operation: string): Times {
  const sample: { iters: number[]; times: number[] } = JSON.parse(
    readFileSync(join(results, workload, operation, "new", "sample.json"), "utf8"),
  )
  const times = sample.times.map((time, index) => time / (sample.iters[index] as number) / 1e6)
  return { median: median(times), low: quantile(times, 0.25), high: quantile(times, 0.75), rounds: times.length }
}
