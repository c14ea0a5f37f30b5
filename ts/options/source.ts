import { ArgumentError, UnsupportedError } from "../errors.ts"
import type { Source } from "../wasm.ts"
import { describe, typeName } from "./describe.ts"

/** What `init` can load. */
export function checkSource(source: unknown): Source | string | URL | Response {
  const isFetchable =
    typeof source === "string" ||
    source instanceof URL ||
    typeof (source as Response | undefined)?.arrayBuffer === "function"
  if (isFetchable) return source as string | URL | Response
  return checkSyncSource(source, "a WebAssembly.Module, bytes, a Response, a URL or a promise of one")
}

/** What can be started at once. */
export function checkSyncSource(source: unknown, expected = "a WebAssembly.Module or bytes; init takes more"): Source {
  if (ArrayBuffer.isView(source) || isBuffer(source)) return checkCode(source as BufferSource)
  if (typeName(Object(source)) === "WebAssembly.Module") return source as WebAssembly.Module
  throw new ArgumentError("source", expected, describe(source))
}

/** What `import … from "./kernel.wasm"` is where workerd loads it. */
export function checkImported(file: object): WebAssembly.Module {
  const module = "default" in file ? file.default : undefined
  if (typeName(Object(module)) === "WebAssembly.Module") return module as WebAssembly.Module
  throw new UnsupportedError(
    `the import of kernel.wasm is no WebAssembly.Module here but ${describe(module)}: the condition "workerd", which chose this file, is for Cloudflare's workerd; leave it out elsewhere`,
  )
}

/** Bytes that begin as WebAssembly does, which an error page does not. */
export function checkCode(code: BufferSource): Uint8Array<ArrayBuffer> {
  // As bytes whatever they are: V8 compiles no DataView, though the standard says so.
  const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(code)
    ? code
    : { buffer: code, byteOffset: 0, byteLength: code.byteLength }
  const bytes = new Uint8Array(buffer, byteOffset, byteLength)
  const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ")
  if (start !== "00 61 73 6d") {
    const actual = byteLength === 0 ? "none" : `${byteLength} that begin with ${start}`
    throw new ArgumentError("source", "bytes that begin with 00 61 73 6d", actual)
  }
  return bytes
}

/** A URL that `fetch` did not take, or that did not answer. */
export function unfetched(url: string | URL, cause: unknown): ArgumentError {
  const given = `${url}`
  const expected = given.startsWith("file:") ? "the bytes of the file, as of readFileSync" : "a URL that fetch can load"
  return new ArgumentError("source", expected, describe(given), { cause })
}

/** An answer that has what was asked for. */
export function checkResponse({ ok, status, url }: Response): void {
  // One that was made by hand comes from nowhere.
  if (ok === false) {
    throw new ArgumentError("source", "a response with the kernels", `status ${status}${url && ` from ${url}`}`)
  }
}

/** A module with the exports of the kernels. */
export function checkKernels(module: WebAssembly.Module): WebAssembly.Module {
  const names = WebAssembly.Module.exports(module).map(({ name }) => name)
  if (!["memory", "bn_view", "bn_dx"].every((name) => names.includes(name))) {
    throw new ArgumentError("source", "batchnorm/kernel.wasm", `a module that exports ${names.join(", ") || "nothing"}`)
  }
  return module
}

function isBuffer(value: unknown): boolean {
  return /^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(value))
}
