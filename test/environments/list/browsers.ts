import { openedFiles } from "../answers.ts"
import { type Environment, engines, environment } from "../environment.ts"
import type { Scratch } from "../scratch.ts"

/** The files of the package as they are, imported by their URL: an import map does not reach into workers. */
const unbundled = (scratch: Scratch, file = "index.js") =>
  scratch.project("unbundled", `/node_modules/batchnorm/dist/${file}`)

const policy = (scripts: string) => ({
  "Content-Security-Policy": `default-src 'none'; script-src ${scripts}; connect-src 'self'; img-src data:; base-uri 'none'`,
})

/** What makes a page cross-origin isolated, without which no memory can be shared. */
const isolated = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }

export const browsers: readonly Environment[] = (["chromium", "firefox"] as const).flatMap((name) => [
  environment(name, engines[name], async (scratch) => openedFiles(scratch, name, await unbundled(scratch))),
  environment(`${name}-worker`, engines[`${name}Worker`], async (scratch) =>
    openedFiles(scratch, name, await unbundled(scratch), { page: "page-of-worker.html" }),
  ),
  environment(`${name}-threads`, engines[name], async (scratch) =>
    openedFiles(scratch, name, await unbundled(scratch), { page: "page-threads.html", headers: isolated }),
  ),
  environment(`${name}-no-simd`, engines[name], async (scratch) =>
    openedFiles(scratch, name, await unbundled(scratch, "no-simd.js")),
  ),
  environment(`${name}-csp`, engines[name], async (scratch) => {
    const folder = await unbundled(scratch)
    const refused = await openedFiles(scratch, name, folder, { headers: policy("'self'") })
    if (!("error" in refused)) {
      throw new Error("without 'wasm-unsafe-eval' the kernels compiled: the browser does not keep to the policy")
    }
    if (!refused.error.includes("script-src needs 'wasm-unsafe-eval'")) {
      throw new Error(`a policy that forbids WebAssembly is not named: ${refused.error}`)
    }
    return openedFiles(scratch, name, folder, { headers: policy("'self' 'wasm-unsafe-eval'") })
  }),
])
