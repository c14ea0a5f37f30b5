import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"

const dist = fileURLToPath(new URL("../../dist", import.meta.url))
const isolation = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" }

/** What the page computes, by threads and by the default entry: whether all is alike, and how the pool fared. */
const script = `
import * as alone from "/index.js"
import * as several from "/threads.js"
const { allocate, init, threads } = several
const same = (a, b) => a.length === b.length && a.every((value, index) => Object.is(value, b[index]))
const compute = async ({ allocate, forward, backward }, shape, axis, how) => {
  const [x, y, dx] = [allocate(shape), allocate(shape), allocate(shape)]
  x.data.forEach((_, index, data) => (data[index] = ((index * 2654435761) % 1000) / 500 - 0.7))
  const { saved } = await how(() => forward(x, { axis, out: { y } }))
  const { dgamma, dbeta } = await how(() => backward(y, x, saved, { out: { dx } }))
  const results = [saved.mean, saved.variance, y.data.slice(), dx.data.slice(), dgamma, dbeta]
  for (const array of [x, y, dx]) array.dispose()
  return results
}
const atOnce = (call) => call()
const shapes = [[[20000, 16], -1], [[4, 64, 30, 30], 1], [[300001], []], [[64, 2048], -1]]
const areSame = async (how = atOnce) => {
  for (const [shape, axis] of shapes) {
    const [a, b] = [await compute(alone, shape, axis, atOnce), await compute(several, shape, axis, how)]
    if (!a.every((array, index) => same(array, b[index]))) return false
  }
  return true
}
const warnings = []
console.warn = (text) => warnings.push(text)
const run = async (workerUrl) => {
  await init({ threads: 3, maximumMemory: 2 ** 26, workerUrl })
  const first = { count: threads.count, reason: threads.reason, areSame: await areSame(), warnings: warnings.length }
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  const background = { count: threads.count, areSame: await areSame(several.inBackground) }
  const x = { data: new Float32Array(2 ** 23), shape: [2 ** 17, 64] }
  turns = 0
  await several.inBackground(() => several.forward(x))
  background.hasGoneOn = turns > 0
  clearInterval(timer)
  await threads.dispose()
  const after = { count: threads.count, areSame: await areSame() }
  await init({ threads: 2, workerUrl })
  return { first, background, after, again: threads.count, isolated: crossOriginIsolated }
}
const output = document.createElement("output")
run(location.hash ? location.hash.replace("#", "/") : undefined)
  .then(JSON.stringify, String)
  .then((text) => {
    output.textContent = text
    document.body.append(output)
  })
`

/** Serves a page that is cross-origin isolated, or not, under a content security policy of its own. */
export async function servePage(
  isIsolated: boolean,
  policy: string,
  workerSource: string,
): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    const path = request.url ?? "/"
    const type = path.endsWith(".js") ? "text/javascript" : "text/html"
    const headers = { "content-type": type, "content-security-policy": policy, ...(isIsolated && isolation) }
    response.writeHead(200, headers)
    if (path === "/page.js") response.end(script)
    else if (path === "/worker.js") response.end(workerSource)
    else if (path.endsWith(".js")) response.end(readFileSync(dist + path))
    else response.end('<!doctype html><script type="module" src="/page.js"></script>')
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  return {
    url: `http://127.0.0.1:${address.port}/`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
