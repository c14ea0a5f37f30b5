import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { extname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { gunzipSync, gzipSync } from "node:zlib"
import { build } from "vite"

const configFile = fileURLToPath(new URL("../../demo/vite.config.ts", import.meta.url))

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
}

/** What is put before each worker's script, or in place of a file, under a folder of this name. */
const broken: Readonly<Record<string, (path: string, text: Buffer) => Buffer | string | undefined>> = {
  "no-wasm": before("delete globalThis.WebAssembly"),
  "no-simd": before(
    'WebAssembly.Module = class { constructor() { throw new WebAssembly.CompileError("SIMD is off") } }',
  ),
  "dies-once": before('setTimeout(() => { throw new Error("out of luck") }, 300)'),
  "no-worker": (path, text) => (path.includes("training.worker") ? undefined : text),
  "no-data": (path, text) => (path.endsWith(".gz") ? undefined : text),
  "html-data": (path, text) => (path.endsWith(".gz") ? "<!doctype html>\n<title>A page</title>\n" : text),
  "empty-data": (path, text) => (path.endsWith(".gz") ? Buffer.alloc(0) : text),
  "short-data": (path, text) => (path.endsWith(".gz") ? text.subarray(0, text.length / 2) : text),
  "fewer-data": (path, text) => (path.endsWith(".gz") ? gzipSync(gunzipSync(text).subarray(0, 10_000)) : text),
  "lost-data": (_, text) => text,
  "unpacked-data": (_, text) => text,
}

function before(prelude: string) {
  return (path: string, text: Buffer) => (path.includes("worker") ? `${prelude};\n${text}` : text)
}

export interface Site {
  /** The page, deep in a folder, as its URLs are relative; in a broken form where one is named. */
  url(how?: string): string
  /** The paths that were asked for. */
  readonly requests: string[]
  close(): Promise<void>
}

/** Builds the page as `npm run demo:build` does, elsewhere, and serves it as plain files. */
export async function serveSite(outDir: string): Promise<Site> {
  await build({ configFile, logLevel: "error", build: { outDir } })
  const requests: string[] = []
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://localhost")
    requests.push(pathname)
    const [, , how = "", ...rest] = pathname.split("/")
    const path = rest.join("/") || "index.html"
    const file = await readFile(join(outDir, path)).catch(() => undefined)
    if (how === "lost-data" && path.endsWith(".gz")) return request.socket.destroy()
    const body = file && (broken[how]?.(path, file) ?? (how in broken ? undefined : file))
    if (!body) return response.writeHead(404).end()
    const type = types[extname(path)] ?? "application/octet-stream"
    // As servers do that take the name for an encoding.
    const encoding = how === "unpacked-data" && path.endsWith(".gz") ? { "Content-Encoding": "gzip" } : {}
    return response.writeHead(200, { "Content-Type": type, ...encoding }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: (how = "page") => `http://127.0.0.1:${port}/some/${how}/`,
    requests,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
