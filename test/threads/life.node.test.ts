// Pools beside each other, under load, and at the end of a process.
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import { runFresh } from "../unit/support/fresh.node.ts"

test("a hundred thousand calls of mixed sizes each give the right answer", { timeout: 180_000 }, () => {
  const wrong = runFresh(`
    import { allocate, forward, init } from "batchnorm/threads"
    import * as alone from "batchnorm"
    await init({ threads: 3, maximumMemory: 2 ** 27 })
    const sizes = [[3, 4], [700, 64], [9000, 16], [70, 2048], [50_003, 3], [2, 3, 9, 9, 9, 2], [17, 33]]
    const made = sizes.map((shape) => {
      const array = allocate(shape)
      array.data.forEach((_, index, data) => (data[index] = Math.sin(index)))
      return { array, out: allocate(shape), due: alone.forward({ data: array.data, shape }) }
    })
    const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)
    let wrong = 0
    for (let call = 0; call < 1e5; call++) {
      const { array, out, due } = made[(call * 7 + (call >> 4)) % made.length]
      out.data[call % out.data.length] = 9
      const { saved } = forward(array, { out: { y: out } })
      if (!bytesOf(out.data).equals(bytesOf(due.y.data)) || !bytesOf(saved.mean).equals(bytesOf(due.saved.mean))) wrong++
    }
    print(wrong)
  `)
  expect(wrong).toBe(0)
})

test("several workers have pools of their own, at once", { timeout: 60_000 }, () => {
  const means = runFresh(`
    import { Worker } from "node:worker_threads"
    import { allocate, init, moments, threads } from "batchnorm/threads"
    const body = \`
      import { parentPort } from "node:worker_threads"
      const { allocate, init, moments, threads } = await import("\${import.meta.resolve("batchnorm/threads")}")
      await init({ threads: 2, maximumMemory: 2 ** 25 })
      const big = allocate([30_000, 16])
      big.data.fill(3)
      let sum = 0
      for (let call = 0; call < 100; call++) sum += moments(big, [0]).mean.data[5]
      parentPort.postMessage([sum, threads.count])
      await threads.dispose()
    \`
    const url = new URL("data:text/javascript," + encodeURIComponent(body))
    await init({ threads: 2, maximumMemory: 2 ** 25 })
    const others = [1, 2].map(() => new Promise((resolve, reject) => new Worker(url).once("message", resolve).once("error", reject)))
    const big = allocate([30_000, 16])
    big.data.fill(5)
    let sum = 0
    for (let call = 0; call < 100; call++) sum += moments(big, [0]).mean.data[5]
    print([[sum, threads.count], ...(await Promise.all(others))])
  `)
  expect(means).toEqual([
    [500, 2],
    [300, 2],
    [300, 2],
  ])
})

test("an array of allocate can be handed to a worker of one's own", () => {
  expect(
    runFresh(`
      import { Worker } from "node:worker_threads"
      import { allocate } from "batchnorm/threads"
      const array = allocate([4])
      const worker = new Worker("const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads'); workerData[2] = 7; parentPort.postMessage(0)", { eval: true, workerData: array.data })
      await new Promise((resolve) => worker.once("message", resolve))
      print([...array.data])
    `),
  ).toEqual([0, 0, 7, 0])
})

test("running out of the memory that was asked for is an OutOfMemoryError, after which everything works on", () => {
  expect(
    runFresh(`
      import { allocate, initSync, moments } from "batchnorm/threads"
      initSync({ maximumMemory: 2 ** 24 })
      const { code } = thrown(() => allocate([2 ** 23]))
      const views = allocate([4]).data
      allocate([2 ** 20])
      print([code, views.length, moments(x).mean.data[0]])
    `),
  ).toEqual(["out-of-memory", 4, 2])
})

test("SIGTERM ends a process in the middle of its calls", async () => {
  const source = `
    import { allocate, init, moments } from "batchnorm/threads"
    await init({ threads: 3, maximumMemory: 2 ** 26 })
    const big = allocate([100_000, 64])
    console.log("running")
    for (;;) moments(big, [0])
  `
  const root = fileURLToPath(new URL("../..", import.meta.url))
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source], { cwd: root })
  await new Promise((resolve) => child.stdout.once("data", resolve))
  const ended = new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)))
  child.kill("SIGTERM")
  expect(await ended).toBe("SIGTERM")
})
