import { checkOptions } from "./options/settings.ts"
import { checkCode, checkKernels, checkResponse, checkSource, checkSyncSource, unfetched } from "./options/source.ts"
import { compile, compileAsync, isStarted, start } from "./wasm.ts"

/** Where to take the kernels from; the entry's own bytes unless given ("batchnorm/slim" has none). */
export interface InitOptions {
  /** A WebAssembly.Module, bytes, a Response, a URL, or a promise of one of them. */
  source?: object | string | undefined
}

/**
 * Starts the kernels, for those who want to choose the moment; the first use does else. The first start wins: a later
 * one does nothing.
 *
 * @throws ArgumentError for a source that is none, or a URL that `fetch` does not load, with its reason as `cause` (Node's
 *   loads no files); UnsupportedError where the engine lacks WebAssembly SIMD; what a promise that is given, or the body
 *   of a response, rejects with
 */
export async function init(options?: InitOptions): Promise<void> {
  const source = checkOptions(options, "options", ["source"])?.source
  if (isStarted()) return
  start(source === undefined ? undefined : checkKernels(await load(await source)))
}

/**
 * Starts the kernels at once, from a module or bytes.
 *
 * @throws ArgumentError for a source that is none, or that only `init` can take; UnsupportedError where the engine lacks
 *   WebAssembly SIMD
 */
export function initSync(options?: InitOptions): void {
  const source = checkOptions(options, "options", ["source"])?.source
  if (isStarted()) return
  start(source === undefined ? undefined : checkKernels(compile(() => checkSyncSource(source))))
}

async function load(source: object | string): Promise<WebAssembly.Module> {
  const loadable = checkSource(source)
  const isUrl = typeof loadable === "string" || loadable instanceof URL
  if (!isUrl && !("arrayBuffer" in loadable)) return compileAsync(loadable)
  const response = isUrl ? await fetched(loadable) : loadable
  checkResponse(response)
  return compileAsync(checkCode(await response.arrayBuffer()))
}

async function fetched(url: string | URL): Promise<Response> {
  try {
    return await fetch(url)
  } catch (cause) {
    throw unfetched(url, cause)
  }
}
