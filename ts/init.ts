import { checkOptions, checkSource, checkSyncSource } from "./options.ts"
import { isStarted, type Source, start } from "./wasm.ts"

/** Where to take the kernels from; the entry's own bytes unless given ("batchnorm/slim" has none). */
export interface InitOptions {
  /** A WebAssembly.Module, bytes, a Response, a URL, or a promise of one of them. */
  source?: object | string | undefined
}

/**
 * Starts the kernels, for those who want to choose the moment; the first use does else. The first start wins: a later
 * one does nothing.
 *
 * @throws ArgumentError for a source that is none; UnsupportedError where the engine lacks WebAssembly SIMD; whatever
 *   fetching rejects with
 */
export async function init(options?: InitOptions): Promise<void> {
  const source = checkOptions(options, "options")?.source
  if (isStarted()) return
  start(source === undefined ? undefined : await load(await source))
}

/**
 * The same at once, from a module or bytes.
 *
 * @throws as `init`
 */
export function initSync(options?: InitOptions): void {
  const source = checkOptions(options, "options")?.source
  if (isStarted()) return
  start(source === undefined ? undefined : checkSyncSource(source))
}

async function load(source: object | string): Promise<Source> {
  const loadable = checkSource(source)
  if (typeof loadable !== "string" && !(loadable instanceof URL) && !("arrayBuffer" in loadable)) return loadable
  const response = "arrayBuffer" in Object(loadable) ? (loadable as Response) : await fetch(loadable as string | URL)
  return WebAssembly.compile(await checkedBytes(response))
}

async function checkedBytes(response: Response): Promise<ArrayBuffer> {
  if (!response.ok) throw new TypeError(`source: fetching ${response.url} answered ${response.status}`)
  return response.arrayBuffer()
}
