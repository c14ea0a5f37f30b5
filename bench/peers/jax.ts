// jax-js on its WebAssembly backend, compiled by its jit. An argument is consumed by what it is passed to, hence `.ref`.
import { blockUntilReady, defaultDevice, init, jit, numpy as np, vjp } from "@jax-js/jax"
import type { Workload } from "../workloads.ts"
import type { Answer, Mode, Operation, Peer, Prepared, Task } from "./peer.ts"

/** Arrays of jax-js. */
type Arrays = np.Array[]

export const jax: Peer = {
  name: "jax-js",
  async prepare(workload, mode) {
    await init("wasm")
    defaultDevice("wasm")
    return tasksOf(workload, mode)
  },
}

const names: Partial<Record<Operation, readonly string[]>> = {
  moments: ["mean", "variance"],
  forward: ["y", "mean", "variance"],
  infer: ["y"],
  step: ["y", "dx", "dgamma", "dbeta"],
}

function tasksOf(workload: Workload, mode: Mode): Prepared {
  const { shape, epsilon } = workload
  const axes = [...workload.axes]
  const along = shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
  const array = (data: Float32Array<ArrayBuffer>, size: readonly number[] = shape) => np.array(data).reshape([...size])
  const [gamma, beta, mean, variance] = [workload.gamma, workload.beta, workload.mean, workload.variance].map((data) =>
    array(Float32Array.from(data), along),
  ) as [np.Array, np.Array, np.Array, np.Array]

  const moments = (x: np.Array): [np.Array, np.Array] => {
    const mean = np.mean(x.ref, axes, { keepdims: true })
    const distance = x.sub(mean.ref)
    return [mean, np.mean(distance.ref.mul(distance), axes, { keepdims: true })]
  }
  const normalize = (x: np.Array, mean: np.Array, variance: np.Array, gamma: np.Array, beta: np.Array) =>
    x
      .sub(mean)
      .mul(np.reciprocal(np.sqrt(variance.add(epsilon))).mul(gamma))
      .add(beta)
  const forward = (x: np.Array, gamma: np.Array, beta: np.Array): Arrays => {
    const [mean, variance] = moments(x.ref)
    return [normalize(x, mean.ref, variance.ref, gamma, beta), mean, variance]
  }
  const y = (x: np.Array, gamma: np.Array, beta: np.Array): np.Array => {
    const [mean, variance] = moments(x.ref)
    return normalize(x, mean, variance, gamma, beta)
  }
  const compiled = {
    moments: jit(moments),
    forward: jit(forward),
    infer: jit(normalize),
    step: jit((x: np.Array, gamma: np.Array, beta: np.Array, dy: np.Array): Arrays => {
      const [result, back] = vjp(y, [x, gamma, beta])
      return [result as np.Array, ...(back(dy) as Arrays)]
    }),
  }
  const resident = mode === "resident" ? { x: array(workload.x), dy: array(workload.dy) } : undefined
  const x = () => resident?.x.ref ?? array(workload.x)
  const dy = () => resident?.dy.ref ?? array(workload.dy)
  const run: Partial<Record<Operation, () => Arrays>> = {
    moments: () => compiled.moments(x()),
    forward: () => compiled.forward(x(), gamma.ref, beta.ref),
    infer: () => [compiled.infer(x(), mean.ref, variance.ref, gamma.ref, beta.ref)],
    step: () => compiled.step(x(), gamma.ref, beta.ref, dy()),
  }
  const given = mode === "io" ? { y: new Float32Array(workload.x.length), dx: new Float32Array(workload.x.length) } : {}
  const tasks = Object.entries(run).map(([operation, compute]): [string, Task] => {
    const answer = async (): Promise<Answer> => {
      const found = await Promise.all(compute().map((each) => each.data()))
      return Object.fromEntries(
        found.map((data, index) => [names[operation as Operation]?.[index], data as Float32Array]),
      )
    }
    const timed = {
      resident: async () => {
        const found = compute()
        await blockUntilReady(found)
        for (const each of found) each.dispose()
      },
      fresh: answer,
      io: async () => {
        const found = await answer()
        for (const [name, to] of Object.entries(given)) if (found[name]) to.set(found[name])
      },
    }[mode]
    return [operation, { run: timed, answer }]
  })
  return {
    tasks: Object.fromEntries(tasks),
    dispose() {
      for (const each of [gamma, beta, mean, variance, resident?.x, resident?.dy]) each?.dispose()
      for (const each of Object.values(compiled)) each.dispose()
    },
  }
}
