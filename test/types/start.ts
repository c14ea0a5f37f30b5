import type * as main from "batchnorm"
import { init, initSync } from "batchnorm"
import type * as slim from "batchnorm/slim"
import { exactly } from "./exactly.ts"

// A Response, a Module, a URL or a promise of one: types that not every environment has.
declare const response: Promise<object>

exactly<Promise<void>>()(init())
exactly<Promise<void>>()(init({ source: response }))
exactly<Promise<void>>()(init({ source: "/kernel.wasm" }))
exactly<void>()(initSync({ source: new Uint8Array(8) }))
exactly<void>()(initSync({}))
// @ts-expect-error: a source is no number
init({ source: 1 })

// Both entries offer the same.
exactly<keyof typeof main>()(null! as keyof typeof slim)
