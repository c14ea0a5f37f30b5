// Of the vitest project "threads", in which the tests of "batchnorm" import this entry in its place.
import { init } from "batchnorm/threads"

await init({ threads: 3, maximumMemory: 2 ** 28 })
