import { expect, test } from "vitest"
import { runFresh } from "./support/fresh.node.ts"

/** V8 offers SIMD on x64 only where the machine has SSE4.1, or is told that it has. */
const withoutSimd = ["--no-enable-sse4-1"]

test.runIf(process.arch === "x64")("an engine without SIMD is told which entry is for it", () => {
  const [error, ...means] = runFresh(
    `
      import { moments } from "batchnorm"
      import * as noSimd from "batchnorm/no-simd"
      const error = thrown(() => moments(x))
      await noSimd.init()
      print([error, WebAssembly.validate(bytes()), noSimd.moments(x).mean.data[0]])
    `,
    withoutSimd,
  ) as [object, boolean, number]
  expect(error).toEqual({
    name: "UnsupportedError",
    code: "unsupported",
    message:
      'the kernels do not compile: they are damaged, or the engine lacks WebAssembly SIMD, and needs "batchnorm/no-simd"',
    cause: "CompileError",
  })
  expect(means).toEqual([false, 2])
})
