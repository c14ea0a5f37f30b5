import { allocate, forward, init, type Owned, threads, workerSource } from "batchnorm/threads"
import { exactly } from "./exactly.ts"

const x = allocate([2, 3])
exactly<Float32Array<SharedArrayBuffer>>()(x.data)
exactly<Float64Array<SharedArrayBuffer>>()(allocate([2], "float64").data)
const { y } = forward(x)
exactly<Owned<Float32Array<SharedArrayBuffer>>>()(y.data)
exactly<Float32Array<ArrayBuffer>>()(y.data)
exactly<typeof x>()(forward(x, { out: { y: x } }).y)

exactly<number>()(threads.count)
exactly<string | undefined>()(threads.reason)
exactly<Promise<void>>()(threads.dispose())
exactly<string>()(workerSource)
exactly<Promise<void>>()(init({ threads: 2, maximumMemory: 2 ** 28, workerUrl: "/worker.js" }))
// @ts-expect-error: a word that there is not
init({ threads: "all" })
