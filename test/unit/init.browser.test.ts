import kernel from "batchnorm/kernel.wasm?url"
import { describe, expect, test } from "vitest"

const x = { data: Float32Array.of(1, 3), shape: [2] }
const bytes = async () => new Uint8Array(await (await fetch(kernel)).arrayBuffer())

describe("in a page, the slim entry starts from", () => {
  test("the address of the kernels", async () => {
    const { init, moments } = await import("batchnorm/slim?address")
    await init({ source: kernel })
    expect(moments(x).mean.data[0]).toBe(2)
  })

  test("a URL", async () => {
    const { init, moments } = await import("batchnorm/slim?object")
    await init({ source: new URL(kernel, location.href) })
    expect(moments(x).mean.data[0]).toBe(2)
  })

  test("an answer that is on its way", async () => {
    const { init, moments } = await import("batchnorm/slim?answer")
    await init({ source: fetch(kernel) })
    expect(moments(x).mean.data[0]).toBe(2)
  })

  test("a module", async () => {
    const { initSync, moments } = await import("batchnorm/slim?module")
    initSync({ source: await WebAssembly.compileStreaming(fetch(kernel)) })
    expect(moments(x).mean.data[0]).toBe(2)
  })

  test("bytes, at once", async () => {
    const { initSync, moments } = await import("batchnorm/slim?bytes")
    initSync({ source: await bytes() })
    expect(moments(x).mean.data[0]).toBe(2)
  })
})

test("in a page, the slim entry without a source tells so", async () => {
  const { moments } = await import("batchnorm/slim?none")
  expect(() => moments(x)).toThrow(
    /^batchnorm\/slim carries no kernels: await init\(\{ source \}\) before the first call$/,
  )
})

test("in a page, an address where no kernels are is refused, and a good one may follow", async () => {
  const { init, moments } = await import("batchnorm/slim?wrong")
  // What a server says to an address that it does not know is an error or some page of its own.
  await expect(init({ source: "/no/such/kernel.wasm" })).rejects.toMatchObject({ code: "argument", argument: "source" })
  const refused = { code: "argument", argument: "source", cause: expect.any(TypeError) }
  await expect(init({ source: "http://127.0.0.1:1/" })).rejects.toMatchObject(refused)
  await init({ source: kernel })
  expect(moments(x).mean.data[0]).toBe(2)
})
