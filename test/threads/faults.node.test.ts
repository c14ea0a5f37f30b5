// Threads that die, hang or never start: an error within a second, or a finished result; never a wrong number.
import { describe, expect, test } from "vitest"
import { runFresh } from "../unit/support/fresh.node.ts"

/** In a process of its own: an array that is worth threads, and the Workers that the pool starts. */
const run = (source: string, flags: readonly string[] = []) =>
  runFresh(
    `
    const threadsOfNode = process.getBuiltinModule("node:worker_threads")
    const workers = []
    let script = (source) => source
    threadsOfNode.Worker = class extends threadsOfNode.Worker {
      constructor(source, options) {
        super(script(source), options)
        workers.push(this)
      }
    }
    const { init, initSync, threads, allocate, moments, forward, infer, ThreadError } = await import("batchnorm/threads")
    const alone = await import("batchnorm")
    const ready = async (count) => {
      await init({ threads: count, maximumMemory: 2 ** 27 })
      const big = allocate([40_000, 16])
      big.data.forEach((_, index, data) => (data[index] = Math.sin(index)))
      return big
    }
    const isRight = (array) => {
      const [a, b] = [moments(array, [0]), alone.moments({ data: array.data, shape: array.shape }, [0])]
      return ["mean", "variance"].every((name) => a[name].data.every((value, index) => value === b[name].data[index]))
    }
    // Calls until one fails: whether a thread gets a unit of a call is chance.
    const timed = (call) => {
      for (let count = 0; count < 10_000; count++) {
        const start = performance.now()
        const { code } = thrown(call)
        if (code) return { code, late: performance.now() - start > 1000 }
      }
      return "never failed"
    }
    ${source}
  `,
    flags,
  )

/** A script whose threads stop for good, or for a while, as soon as they have a unit. */
const stopping = (how: string) =>
  `script = (source) => source.replace("exports.bn_share(0)", ${JSON.stringify(
    `const units = Atomics.load(words, 0)
    if ((units & 0xffff) > units >>> 16 && Atomics.compareExchange(words, 0, units, units - 1) === units) { ${how} }
    exports.bn_share(0)`,
  )})`

describe("a thread that dies", () => {
  test("while it waits leaves results finished", () => {
    expect(
      run(`
        const big = await ready(3)
        await workers[0].terminate()
        print([isRight(big), isRight(big), threads.count])
      `),
    ).toEqual([true, true, 3])
  })

  test("with a unit in hand is an error within a second, after which one thread goes on, or a new pool", () => {
    expect(
      run(`
        ${stopping("process.exit()")}
        const big = await ready(2)
        const failed = timed(() => moments(big, [0]))
        const refused = timed(() => moments(big, [0]))
        await threads.dispose()
        const one = [threads.count, threads.reason, isRight(big)]
        script = (source) => source
        await init({ threads: 2 })
        print([failed, refused, one, threads.count, isRight(big)])
      `),
    ).toEqual([
      { code: "thread", late: false },
      { code: "thread", late: false },
      [1, "a thread did not answer within 800 ms", true],
      2,
      true,
    ])
  })

  test("by an error of its own says so", () => {
    expect(
      run(`
        script = (source) => source.replace("Atomics.add(words, 6, 1)", "throw new Error('no luck')")
        const big = await ready(2)
        print([threads.count, threads.reason, isRight(big)])
      `),
    ).toEqual([1, "a thread failed: no luck", true])
  })
})

describe("a thread that hangs", () => {
  test("is an error within a second, and its end is waited for before memory is used again", () => {
    expect(
      run(`
        ${stopping("for (;;);")}
        const big = await ready(2)
        const failed = timed(() => moments(big, [0]))
        big.dispose()
        const refused = timed(() => allocate([4]))
        await threads.dispose()
        const next = allocate([110 * 2 ** 18])
        print([failed, refused, next.shape.length, threads.count])
      `),
    ).toEqual([{ code: "thread", late: false }, { code: "thread", late: false }, 1, 1])
  })

  test("that is only slow finishes the result", () => {
    expect(
      run(`
        script = (source) => source.replace("exports.bn_share(0)", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100); exports.bn_share(0)")
        const big = await ready(2)
        print([isRight(big), isRight(big), threads.count])
      `),
    ).toEqual([true, true, 2])
  })
})

describe("threads that are not to be had", () => {
  test.each([
    ["that fail to start", "script = () => { throw new Error('EAGAIN') }", "a thread could not be started: EAGAIN"],
    ["whose script ends at once", "script = () => ''", "of 3 threads 1 started within 5000 ms"],
  ])(
    "%s: one computes, the reason can be read, and who asked for a number is warned once",
    { timeout: 20_000 },
    (_, how, reason) => {
      expect(
        run(`
        const warnings = []
        console.warn = (text) => warnings.push(text)
        ${how}
        const big = await ready(3)
        print([threads.count, threads.reason, isRight(big), warnings.length])
      `),
      ).toEqual([1, reason, true, 1])
    },
  )

  test("for want of shared memory leave one, on memory that is not shared", () => {
    expect(
      run(`
        WebAssembly.Memory = class extends WebAssembly.Memory {
          constructor(options) {
            if (options.shared) throw new TypeError("no such thing")
            super(options)
          }
        }
        console.warn = () => {}
        const big = await ready(3)
        print([threads.count, threads.reason, isRight(big), workers.length, big.data.buffer instanceof ArrayBuffer])
      `),
    ).toEqual([1, "this engine has no shared memory", true, 0, true])
  })

  test("by choice are no reason to warn", () => {
    expect(
      run(`
        console.warn = () => { throw new Error("warned") }
        const big = await ready(0)
        print([threads.count, workers.length, isRight(big)])
      `),
    ).toEqual([1, 0, true])
  })
})

describe("a pool", () => {
  test("starts at the first large call, if nobody said how, and not at a small one", () => {
    expect(
      run(`
        const small = moments(x).mean.data[0]
        const before = workers.length
        const big = allocate([40_000, 16])
        moments(big)
        print([small, before, workers.length > 0])
      `),
    ).toEqual([2, 0, (navigator.hardwareConcurrency ?? 2) > 1])
  })

  test("that is idle burns no time, and lets the process end", () => {
    expect(
      run(`
        const big = await ready(3)
        isRight(big)
        await new Promise((resolve) => setTimeout(resolve, 100))
        const before = process.cpuUsage()
        await new Promise((resolve) => setTimeout(resolve, 500))
        const { user, system } = process.cpuUsage(before)
        print(user + system < 100_000)
      `),
    ).toBe(true)
  })

  test("ends by dispose, gives its memory back, and the calling thread goes on", () => {
    expect(
      run(`
        let exits = 0
        const big = await ready(3)
        for (const worker of workers) worker.once("exit", () => exits++)
        await threads.dispose()
        await threads.dispose()
        print([threads.count, threads.reason, isRight(big), exits])
      `),
    ).toEqual([1, "the threads were ended: init starts others", true, 2])
  })

  test("that is asked for while another starts comes after it", () => {
    expect(
      run(`
        const warnings = []
        console.warn = (text) => warnings.push(text)
        const big = await ready(2)
        await Promise.all([3, 2, 0, 4].map((threads) => init({ threads })))
        print([threads.count, isRight(big), warnings])
      `),
    ).toEqual([4, true, []])
  })

  test("can be started and ended many times", () => {
    expect(
      run(`
        const big = await ready(3)
        const right = []
        for (let round = 0; round < 15; round++) {
          await init({ threads: 2 + (round % 2) })
          right.push(isRight(big))
        }
        await threads.dispose()
        const all = allocate([110 * 2 ** 18])
        print([right.every(Boolean), workers.length, all.shape.length])
      `),
    ).toEqual([true, 2 + 8 * 1 + 7 * 2, 1])
  })
})
