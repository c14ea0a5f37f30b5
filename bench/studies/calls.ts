// What a call costs beside its arithmetic: on resident arrays of four elements, with a complete `out`.
import { allocate, backward, forward, infer, moments } from "batchnorm"
import { type Effort, time } from "../timing.ts"
import { swept } from "./sweep.ts"

/** The cost of one call. */
export interface Call {
  readonly operation: (typeof swept)[number]
  readonly nanoseconds: number
  /** Bytes that a call leaves on the heap of JavaScript; absent where the engine does not say. */
  readonly bytes?: number | undefined
}

/** How many bytes the heap holds, after a collection where the first argument says so. */
export type HeapSize = (collect: boolean) => number

/** Measures each operation. */
export async function calls(effort: Effort, heapSize?: HeapSize): Promise<Call[]> {
  const shape = [2, 2]
  const [x, dy, y, dx] = [allocate(shape), allocate(shape), allocate(shape), allocate(shape)] as const
  x.data.set([1, 2, 3, 5])
  dy.data.set([1, -1, 2, 1])
  const { saved } = forward(x, { gamma: [1, 1], beta: [0, 0] })
  const vector = () => new Float64Array(2)
  const moment = () => ({ data: vector(), shape: [2] })
  const axes = [0]
  const options = {
    moments: { out: { mean: moment(), variance: moment() } },
    forward: { gamma: vector(), beta: vector(), out: { y, saved: structuredClone(saved) } },
    infer: { ...saved, out: y },
    backward: { out: { dx, dgamma: vector(), dbeta: vector() } },
  }
  const runs: Record<Call["operation"], () => unknown> = {
    moments: () => moments(x, axes, options.moments),
    forward: () => forward(x, options.forward),
    infer: () => infer(x, options.infer),
    backward: () => backward(dy, x, saved, options.backward),
  }
  const times = await time(
    swept.map((name) => ({ name, run: runs[name] })),
    effort,
  )
  const results = swept.map((operation) => ({
    operation,
    nanoseconds: (times.get(operation)?.median ?? Number.NaN) * 1e6,
    bytes: heapSize && bytesOf(runs[operation], heapSize),
  }))
  for (const array of [x, dy, y, dx]) array.dispose()
  return results
}

/** The median of several tries, of which a collection may disturb one. */
function bytesOf(run: () => unknown, heapSize: HeapSize): number {
  const count = 2000
  const tries = Array.from({ length: 9 }, () => {
    const before = heapSize(true)
    for (let i = 0; i < count; i++) run()
    return (heapSize(false) - before) / count
  })
  return tries.sort((a, b) => a - b)[4] as number
}
