// tf.js. It differentiates for itself, so of the backward there is only the whole step.
import * as tf from "@tensorflow/tfjs-core"
import "@tensorflow/tfjs-backend-cpu"
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm"
import type { Workload } from "../workloads.ts"
import type { Answer, Mode, Peer, Prepared, Task } from "./peer.ts"
import "@tensorflow/tfjs-core/dist/register_all_gradients.js"

// Else it tells how to become faster.
tf.enableProdMode()
tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false)
if (typeof document !== "undefined") setWasmPaths("/node_modules/@tensorflow/tfjs-backend-wasm/dist/")

/** Elements above which the cpu backend, at up to two microseconds for each, is left out. */
const patience = 1e7

type Tensors = Record<string, tf.Tensor>
/** y = ((x-μ)·r)·γ + β, whose parameters are of one axis or broadcast over x. */
type Normalize = (x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => tf.Tensor

/**
 * tf.js on one of its backends.
 *
 * @param form `"batchNorm"`: by tf.moments and tf.batchNorm, as its layers do; where channels come first, which tf.batchNorm
 *   takes for channels-last, and with `"composed"`: by tf.mean, tf.sub, tf.mul and so on, which broadcast
 */
export function tfjs(backend: "cpu" | "wasm", form: "batchNorm" | "composed"): Peer {
  const name = `tf.js ${backend}${form === "composed" ? ", composed" : ""}`
  return {
    name,
    async prepare(workload, mode) {
      const isSame = form === "composed" && workload.layout === "channels-first"
      if (isSame || (backend === "cpu" && workload.x.length > patience)) return { tasks: {}, dispose() {} }
      await tf.setBackend(backend)
      const tasks = tasksOf(workload, mode, form)
      return { ...tasks, enter: () => tf.setBackend(backend) }
    },
  }
}

function tasksOf(workload: Workload, mode: Mode, form: "batchNorm" | "composed"): Prepared {
  const { shape, axes, epsilon } = workload
  const isFused = form === "batchNorm" && workload.layout === "channels-last"
  const along = isFused ? [workload.channels] : shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
  const moments = (x: tf.Tensor) => tf.moments(x, [...axes], !isFused)
  const normalize: Normalize = isFused
    ? (x, mean, variance, gamma, beta) =>
        tf.batchNorm(x as tf.Tensor2D, mean as never, variance as never, beta as never, gamma as never, epsilon)
    : (x, mean, variance, gamma, beta) =>
        tf.add(tf.mul(tf.sub(x, mean), tf.mul(tf.rsqrt(tf.add(variance, epsilon)), gamma)), beta)

  const kept: tf.Tensor[] = []
  const keep = (data: Float32Array | Float64Array, size: readonly number[]) => {
    const tensor = tf.tensor(Float32Array.from(data), [...size])
    kept.push(tensor)
    return tensor
  }
  const [gamma, beta, mean, variance] = [workload.gamma, workload.beta, workload.mean, workload.variance].map((data) =>
    keep(data, along),
  ) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
  const input = mode === "resident" ? { x: keep(workload.x, shape), dy: keep(workload.dy, shape) } : undefined
  const given = mode === "io" ? { y: new Float32Array(workload.x.length), dx: new Float32Array(workload.x.length) } : {}

  const forward = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => {
    const { mean, variance } = moments(x)
    return { y: normalize(x, mean, variance, gamma, beta), mean, variance }
  }
  const operations: Record<string, (x: tf.Tensor, dy: () => tf.Tensor) => Tensors> = {
    moments: (x) => moments(x) as unknown as Tensors,
    forward: (x) => forward(x, gamma, beta),
    infer: (x) => ({ y: normalize(x, mean, variance, gamma, beta) }),
    step: (x, dy) => {
      let y: tf.Tensor | undefined
      // What is made within belongs to the tape, but for what is kept.
      const gradients = tf.grads((x, gamma, beta) => {
        y = tf.keep(forward(x as tf.Tensor, gamma as tf.Tensor, beta as tf.Tensor).y)
        return y
      })
      const [dx, dgamma, dbeta] = gradients([x, gamma, beta], dy()) as [tf.Tensor, tf.Tensor, tf.Tensor]
      kept.push(y as tf.Tensor)
      return { y: y as tf.Tensor, dx, dgamma, dbeta }
    },
  }
  const tasks = Object.entries(operations).map(([operation, of]): [string, Task] => {
    const compute = () => {
      const x = input?.x ?? tf.tensor(workload.x, [...shape])
      return of(x, () => input?.dy ?? tf.tensor(workload.dy, [...shape]))
    }
    const read = (tensors: Tensors): Answer =>
      Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.dataSync()]))
    const dropKept = () => {
      while (kept.length > lasting) tf.dispose(kept.pop() as tf.Tensor)
    }
    const within = (run: (tensors: Tensors) => void) => {
      tf.tidy(() => run(compute()))
      dropKept()
    }
    const answer = () => {
      let found: Answer = {}
      within((tensors) => {
        found = read(tensors)
      })
      return found
    }
    const run = {
      resident: () => within(() => {}),
      fresh: answer,
      io: () => {
        const found = answer()
        for (const [name, array] of Object.entries(given)) if (found[name]) array.set(found[name])
      },
    }[mode]
    return [operation, { run, answer }]
  })
  const lasting = kept.length
  return { tasks: Object.fromEntries(tasks), dispose: () => tf.dispose(kept) }
}
