import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { errorOf } from "../../bench/check.ts"

const main = fileURLToPath(new URL("../../bench/main.ts", import.meta.url))

function bench(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: "utf8", env: { ...process.env, CI: "1" } })
}

describe("the bench", () => {
  it("finds every answer of every peer right", { timeout: 60_000 }, () => {
    const { stdout, status } = bench("--check")
    expect(stdout).not.toContain("WRONG")
    expect(stdout.match(/│ (batchnorm|pure JS) +│/g)).toHaveLength(3 * 2 * 4 * 2)
    expect(status).toBe(0)
  })

  it("names a workload that is none, and those that are", () => {
    const { stderr, status } = bench("Z")
    expect(stderr).toBe('bench: no workload "Z": there are A, C, D\n')
    expect(status).toBe(2)
  })

  it("says what it can do", () => {
    const { stdout, status } = bench("--help")
    expect(stdout).toMatch(/WORKLOAD[\s\S]*--modes[\s\S]*--check/)
    expect(status).toBe(0)
  })

  it("takes NaN, a missing result and a short one for wrong", () => {
    expect(errorOf({ y: [1, Number.NaN] }, { y: [1, 2] })).toBeNaN()
    expect(errorOf({}, { y: [1, 2] })).toBe(Number.POSITIVE_INFINITY)
    expect(errorOf({ y: [1] }, { y: [1, 2] })).toBe(Number.POSITIVE_INFINITY)
    expect(errorOf({ y: [1, 2.5] }, { y: [1, 2] })).toBe(0.25)
  })
})
