import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const main = fileURLToPath(new URL("../../bench/main.ts", import.meta.url))

function bench(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } })
}

const peers = [
  ...["batchnorm", "batchnorm f64", "batchnorm threads", "pure JS", "tf.js cpu", "tf.js wasm", "tf.js wasm, composed"],
  ...["ONNX Runtime", "jax-js"],
]

describe("the bench", () => {
  it("finds every answer of every peer right, in a few elements of each workload", { timeout: 120_000 }, () => {
    const { stdout, stderr, status } = bench("--check", "--small")
    expect(stderr).toBe("")
    expect(stdout).not.toMatch(/WRONG|fails/)
    for (const name of "ABCDEFGHI") expect(stdout).toContain(`${name} · channels-`)
    for (const peer of peers) expect(stdout).toContain(` ${peer} `)
    expect(status).toBe(0)
  })

  it("runs in Chromium, where every answer is right too", { timeout: 180_000 }, () => {
    const { stdout, stderr, status } = bench("A", "D", "--check", "--small", "--chromium")
    expect(stderr).toBe("")
    expect(stdout).toMatch(/^Chromium \d/)
    expect(stdout).not.toMatch(/WRONG|fails/)
    for (const peer of peers) expect(stdout).toContain(` ${peer} `)
    expect(status).toBe(0)
  })

  it("times, and says where the record is", { timeout: 60_000 }, () => {
    const args = ["--small", "--peers", "batchnorm,pure-js", "--modes", "resident", "--rounds", "1", "--time", "1"]
    const { stdout, stderr, status } = bench("B", ...args)
    expect(stderr).toBe("")
    expect(stdout).toMatch(/moments +batchnorm +[\d.]+ [mµ]s/)
    expect(stdout).toMatch(/\n {10}all four +[\d.]+ [mµ]s/)
    expect(stdout).toMatch(/\.tools\/bench\/\S+-node\.json\n$/)
    expect(status).toBe(0)
  })

  it.each([
    ["--calls", /^forward +\d+ ns +\d+ B$/m],
    ["--start", /^batchnorm +[\d.]+ ms +[\d.]+ ms to [\d.]+ ms +1\.00$/m],
    ["--sweep=offset", /^16 +\[16384, 64\]( +[\d.]+( !)?){4} +[\d.]+ [mµ]s$/m],
  ])("answers %s", { timeout: 120_000 }, (option, line) => {
    const { stdout, stderr, status } = bench(option, "--rounds", "1", "--time", "1")
    expect(stderr).toBe("")
    expect(stdout).toMatch(line)
    expect(stdout).not.toContain("fails")
    expect(status).toBe(0)
  })

  it("answers --threads, in Node and in Chromium", { timeout: 180_000 }, () => {
    for (const engine of [[], ["--chromium"]]) {
      const args = ["--threads", "C", "D", "--small", "--rounds", "1", "--time", "1", ...engine]
      const { stdout, stderr, status } = bench(...args)
      expect(stderr).toBe("")
      expect(stdout).toMatch(/^D · channels-first \[5, 64, 3, 3\] f32 · resident · \d+ threads$/m)
      const time = " +[\\d.]+ [mµ]s"
      expect(stdout).toMatch(
        new RegExp(`^backward${time}${time} +[\\d.]+ +triad${time}${time} +[\\d.]+ +[\\d.]+( !)?$`, "m"),
      )
      expect(stdout).not.toContain("· E")
      expect(stdout).toMatch(/-threads\.json\n$/)
      expect(status).toBe(0)
    }
  })

  it.each([
    ["a workload", ["Z"], 'no workload "Z": there are A, B, C, D, E, F, G, H, I'],
    ["a workload of a study", ["--threads", "Z"], 'no workload "Z": there are A, B, C, D, E, F, G, H, I'],
    [
      "a peer",
      ["--peers", "tfjs"],
      'no peer "tfjs": there are batchnorm, batchnorm-f64, batchnorm-threads, pure-js, tfjs-cpu',
    ],
    ["an operation", ["--operations", "infer,map"], 'no operation "map": there are moments, forward, infer, backward'],
    ["a mode", ["--modes", "out"], 'no mode "out": there are resident, io, fresh'],
    ["a sweep", ["--sweep", "sizes"], 'no sweep "sizes": there are size, channels, offset, threads'],
    ["a number", ["--rounds", "many"], '--rounds is a whole number from 1 on, not "many"'],
    ["a measurement in Chromium", ["--start", "--chromium"], "--start measures processes of Node"],
    ["an option", ["--fast"], "Unknown option '--fast'"],
  ])("names %s that there is not, and those that there are", (_, args, message) => {
    const { stderr, stdout, status } = bench(...args)
    expect(stderr).toMatch(/^bench: [^\n]+\n$/)
    expect(stderr).toContain(message)
    expect(stdout).toBe("")
    expect(status).toBe(2)
  })

  it("says what it can do", () => {
    const { stdout, status } = bench("--help")
    for (const option of [
      "WORKLOAD",
      "--peers",
      "--sweep",
      "--threads",
      "--calls",
      "--start",
      "--native",
      "--chromium",
      "--chart",
    ]) {
      expect(stdout).toContain(`  ${option}`)
    }
    expect(status).toBe(0)
  })
})
