import { describe, expect, test } from "vitest"
import { runFresh } from "./support/fresh.node.ts"

/** The mean of 1 and 3 proves that the kernels run. */
const proof = "print(moments(x).mean.data[0])"
const slim = (body: string) =>
  runFresh(`import { init, initSync, moments, allocate, BatchNorm } from "batchnorm/slim"\n${body}`)
const whole = (body: string) =>
  runFresh(`import { init, initSync, moments, allocate, BatchNorm } from "batchnorm"\n${body}`)

describe("importing", () => {
  test.each(["batchnorm", "batchnorm/no-simd", "batchnorm/slim", "batchnorm/threads"])("%s starts nothing", (entry) => {
    const used = runFresh(`
      const used = []
      for (const name of ["Module", "Instance", "Memory", "compile", "instantiate"]) {
        const original = WebAssembly[name]
        WebAssembly[name] = new Proxy(original, {
          apply: (...args) => (used.push(name), Reflect.apply(...args)),
          construct: (...args) => (used.push(name), Reflect.construct(...args)),
        })
      }
      globalThis.Uint8Array = new Proxy(Uint8Array, { construct: (...args) => (used.push("bytes"), Reflect.construct(...args)) })
      const { BatchNorm } = await import("${entry}")
      new BatchNorm(3)
      print(used)
    `)
    expect(used).toEqual([])
  })

  test("starts at the first use, once: what decodes the kernels, and these", () => {
    const used = whole(`
      const used = []
      for (const name of ["Module", "Instance"]) {
        WebAssembly[name] = new Proxy(WebAssembly[name], {
          construct: (...args) => (used.push(name), Reflect.construct(...args)),
        })
      }
      for (const _ of [1, 2, 3]) moments(x)
      allocate([3])
      initSync()
      await init()
      print(used)
    `)
    expect(used).toEqual(["Module", "Instance", "Module", "Instance"])
  })
})

describe("a start", () => {
  test.each([
    ["moments", "moments(x)"],
    ["allocate", "allocate([2]).dispose()"],
    ["the layer", "new BatchNorm(1, { axis: [] }).forward(x)"],
    ["initSync", "initSync()"],
    ["initSync with options", "initSync({})"],
    ["init", "await init()"],
    ["init with options", "await init({ source: undefined })"],
    ["both, in turn", "initSync(); await init(); initSync()"],
    ["several at once", "await Promise.all([init(), init(), init({ source: bytes() })])"],
    ["the first use while init is on its way", "const late = init({ source: bytes() }); moments(x); await late"],
  ])("comes with %s", (_, body) => {
    expect(whole(`${body}; ${proof}`)).toBe(2)
  })

  test("is the first one: memory that it gave is still right after another", () => {
    expect(
      whole(`
        const array = allocate([2])
        array.data.set([1, 3])
        await init({ source: bytes() })
        initSync({ source: new WebAssembly.Module(bytes()) })
        print([moments(array).mean.data[0], array.data.length])
      `),
    ).toEqual([2, 2])
  })

  test("by init that comes too late changes nothing", () => {
    expect(
      whole(`
        const late = init({ source: new Promise((resolve) => setTimeout(resolve, 20, bytes())) })
        const array = allocate([2])
        array.data.set([1, 3])
        await late
        print(moments(array).mean.data[0])
      `),
    ).toBe(2)
  })
})

const sources = [
  ["a module", "new WebAssembly.Module(bytes())"],
  ["a Uint8Array", "bytes()"],
  [
    "a view in the middle of a buffer",
    "(() => { const b = bytes(); const big = new Uint8Array(b.length + 9); big.set(b, 5); return big.subarray(5, 5 + b.length) })()",
  ],
  ["a DataView", "new DataView(bytes().buffer)"],
  ["an ArrayBuffer", "bytes().buffer"],
  ["a Node Buffer", "readFileSync(file)"],
  [
    "shared memory",
    "(() => { const b = bytes(); const shared = new Uint8Array(new SharedArrayBuffer(b.length)); shared.set(b); return shared })()",
  ],
] as const

const asyncSources = [
  ...sources,
  ["a Response", "new Response(bytes(), { headers: { 'content-type': 'application/wasm' } })"],
  ["a Response of no type", "new Response(bytes())"],
  ["a Blob", "new Blob([bytes()])"],
  ["a data URL", "dataUrl()"],
  ["a URL object", "new URL(dataUrl())"],
  ["a promise of bytes", "Promise.resolve(bytes())"],
  ["a promise of a module", "WebAssembly.compile(bytes())"],
  ["a promise of a Response", "Promise.resolve(new Response(bytes()))"],
] as const

describe("the kernels can come from", () => {
  test.each(sources)("%s, at once", (_, source) => {
    expect(slim(`initSync({ source: ${source} }); ${proof}`)).toBe(2)
    expect(whole(`initSync({ source: ${source} }); ${proof}`)).toBe(2)
  })

  test.each(asyncSources)("%s, in time", (_, source) => {
    expect(slim(`await init({ source: ${source} }); ${proof}`)).toBe(2)
  })

  test("a server", () => {
    expect(
      slim(`
        import { createServer } from "node:http"
        const server = createServer((_, answer) => answer.end(bytes()))
        await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
        await init({ source: \`http://127.0.0.1:\${server.address().port}/kernel.wasm\` })
        server.close()
        server.closeAllConnections()
        ${proof}
      `),
    ).toBe(2)
  })
})

describe("the slim entry without a source", () => {
  const due = {
    name: "StateError",
    code: "state",
    message: expect.stringMatching(
      /^batchnorm\/slim carries no kernels: await init\(\{ source \}\) before the first call$/,
    ),
  }

  test.each([
    ["moments", "print(thrown(() => moments(x)))"],
    ["allocate", "print(thrown(() => allocate([2])))"],
    ["the layer", "print(thrown(() => new BatchNorm(1, { axis: [] }).forward(x)))"],
    ["initSync", "print(thrown(() => initSync()))"],
    ["init", "print(await rejected(init()))"],
  ])("tells so: %s", (_, body) => {
    expect(slim(body)).toEqual(due)
  })

  test("works on once it has one", () => {
    expect(slim(`thrown(() => moments(x)); await rejected(init()); await init({ source: bytes() }); ${proof}`)).toBe(2)
  })
})

const wasm = "0, 0x61, 0x73, 0x6d, 1, 0, 0, 0"

describe("a source that is none", () => {
  const anySource = "a WebAssembly.Module, bytes, a Response, a URL or a promise of one"
  const syncSource = "a WebAssembly.Module or bytes; init takes more"
  const argument = (expected: string, actual: string) => ({
    name: "ArgumentError",
    code: "argument",
    argument: "source",
    message: `source: expected ${expected}, got ${actual}`,
  })

  test.each([
    ["null", "null"],
    ["7", "7"],
    ["{}", "an Object"],
    ["[0, 97, 115, 109]", "an Array of 4"],
    ["() => bytes()", "a function"],
  ])("%s is refused", (source, actual) => {
    expect(slim(`print(await rejected(init({ source: ${source} })))`)).toEqual(argument(anySource, actual))
    expect(slim(`print(thrown(() => initSync({ source: ${source} })))`)).toEqual(argument(syncSource, actual))
  })

  test.each([
    ["Promise.resolve(bytes())", "a Promise"],
    ["new Response(bytes())", "a Response"],
    ["'kernel.wasm'", '"kernel.wasm"'],
    ["new URL('https://example.org/kernel.wasm')", "a URL"],
  ])("%s is refused by initSync, which cannot wait", (source, actual) => {
    expect(slim(`print(thrown(() => initSync({ source: ${source} })))`)).toEqual(argument(syncSource, actual))
  })

  test.each([
    ["new Uint8Array(0)", "none"],
    ["new TextEncoder().encode('<!doctype html>')", "15 that begin with 3c 21 64 6f"],
    ["new Uint8Array([0, 0x61, 0x73])", "3 that begin with 00 61 73"],
  ])("bytes that are not WebAssembly, %s, are refused", (source, actual) => {
    const due = argument("bytes that begin with 00 61 73 6d", actual)
    expect(slim(`print(thrown(() => initSync({ source: ${source} })))`)).toEqual(due)
    expect(slim(`print(await rejected(init({ source: ${source} })))`)).toEqual(due)
    expect(slim(`print(await rejected(init({ source: new Response(${source}) })))`)).toEqual(due)
  })

  test("bytes that are damaged further on are told with the engine's reason", () => {
    const due = {
      name: "UnsupportedError",
      code: "unsupported",
      message:
        'the kernels do not compile: they are damaged, or the engine lacks WebAssembly SIMD, and needs "batchnorm/no-simd"',
      cause: "CompileError",
    }
    for (const source of ["bytes().subarray(0, 999)", `new Uint8Array([${wasm}, 99])`]) {
      expect(slim(`print(thrown(() => initSync({ source: ${source} })))`)).toEqual(due)
      expect(slim(`print(await rejected(init({ source: ${source} })))`)).toEqual(due)
      expect(slim(`print(await rejected(init({ source: new Response(${source}) })))`)).toEqual(due)
    }
  })

  test("another module is refused", () => {
    const due = argument("batchnorm/kernel.wasm", "a module that exports nothing")
    const source = `new WebAssembly.Module(new Uint8Array([${wasm}]))`
    expect(slim(`print(thrown(() => initSync({ source: ${source} })))`)).toEqual(due)
    expect(slim(`print(await rejected(init({ source: ${source} })))`)).toEqual(due)
  })

  test("does no harm: a good one may follow", () => {
    expect(
      slim(`
        for (const source of [new Uint8Array([${wasm}]), new Uint8Array(9), bytes().subarray(0, 99), "x", null]) {
          thrown(() => initSync({ source }))
          await rejected(init({ source }))
        }
        initSync({ source: bytes() })
        ${proof}
      `),
    ).toBe(2)
  })
})

describe("a source that fails to come", () => {
  const url = "a URL that fetch can load"
  const bytes = "the bytes of the file, as of readFileSync"

  test("for an answer that was made by hand is refused with its status", () => {
    const error = slim("print(await rejected(init({ source: new Response('no', { status: 404 }) })))")
    expect(error).toEqual({
      name: "ArgumentError",
      code: "argument",
      argument: "source",
      message: "source: expected a response with the kernels, got status 404",
    })
  })

  test("for the answer of a server is refused with its status and where it is from", () => {
    const { url, error } = slim(`
      import { createServer } from "node:http"
      const server = createServer((_, answer) => answer.writeHead(404).end("no"))
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
      const url = \`http://127.0.0.1:\${server.address().port}/kernel.wasm\`
      print({ url, error: await rejected(init({ source: url })) })
      server.close()
      server.closeAllConnections()
    `) as { url: string; error: Error }
    expect(error.message).toBe(`source: expected a response with the kernels, got status 404 from ${url}`)
  })

  test.each([
    ["a server that there is not", "'http://127.0.0.1:1/kernel.wasm'", url, '"http://127.0.0.1:1/kernel.wasm"'],
    ["a relative URL", "'./kernel.wasm'", url, '"./kernel.wasm"'],
    ["a long URL that is none", "'data:' + 'x'.repeat(99)", url, `"data:${"x".repeat(35)}..."`],
    ["a file, which Node's fetch does not load", "new URL('file:///kernel.wasm')", bytes, '"file:///kernel.wasm"'],
    ["the name of such a file", "'file:///kernel.wasm'", bytes, '"file:///kernel.wasm"'],
  ])("from %s is refused, with fetch's own error as its cause", (_, source, expected, actual) => {
    expect(slim(`print(await rejected(init({ source: ${source} })))`)).toEqual({
      name: "ArgumentError",
      code: "argument",
      argument: "source",
      message: `source: expected ${expected}, got ${actual}`,
      cause: "TypeError",
    })
  })

  test("by a promise rejects with its own error, and init may be tried again", () => {
    expect(
      slim(`
        const error = await rejected(init({ source: Promise.reject(new RangeError("mine")) }))
        await init({ source: bytes() })
        print([error.message, moments(x).mean.data[0]])
      `),
    ).toEqual(["mine", 2])
  })
})

test("an engine without WebAssembly is told so, and needs none to be imported", () => {
  const due = { name: "UnsupportedError", code: "unsupported", message: "this engine has no WebAssembly" }
  const without = (entry: string, body: string) =>
    runFresh(`
      delete globalThis.WebAssembly
      const { init, initSync, moments, allocate } = await import("${entry}")
      print([${body}])
    `)
  expect(
    without(
      "batchnorm",
      "thrown(() => moments(x)), thrown(() => allocate([1])), thrown(initSync), await rejected(init())",
    ),
  ).toEqual([due, due, due, due])
  expect(
    without("batchnorm/slim", "thrown(() => initSync({ source: bytes() })), await rejected(init({ source: bytes() }))"),
  ).toEqual([due, due])
})

test("an engine without SIMD is told so", () => {
  const error = whole(`
    WebAssembly.Module = class { constructor() { throw new WebAssembly.CompileError("no v128") } }
    print(thrown(() => moments(x)))
  `)
  expect(error).toMatchObject({ name: "UnsupportedError", cause: "CompileError" })
})

test.each([
  ["Chromium", "Compiling violates the following directive because 'unsafe-eval' is not an allowed source"],
  ["Firefox", "call to WebAssembly.Module() blocked by CSP"],
])("a page of %s whose content security policy forbids it is told so", (_, message) => {
  const error = whole(`
    WebAssembly.Module = class { constructor() { throw new WebAssembly.CompileError(${JSON.stringify(message)}) } }
    print(thrown(() => moments(x)))
  `)
  expect(error).toMatchObject({
    name: "UnsupportedError",
    message: "the content security policy forbids WebAssembly: script-src needs 'wasm-unsafe-eval'",
    cause: "CompileError",
  })
})

test("both entries side by side have memories of their own, and errors that match by code", () => {
  const result = runFresh(`
    import * as whole from "batchnorm"
    import * as slim from "batchnorm/slim"
    slim.initSync({ source: bytes() })
    const array = slim.allocate([2])
    array.data.set([1, 3])
    const { mean } = whole.moments(array)
    array.dispose()
    const error = thrown(() => whole.moments(array))
    print([mean.data[0], error.code, whole.DisposedError === slim.DisposedError])
  `)
  expect(result).toEqual([2, "disposed", false])
})
