// ONNX Runtime in WebAssembly. It has no gradients, its tensors are ordinary arrays, and channels come first: others are
// transposed in the graph. The output goes into fresh arrays; where they are given, it is copied once more.
import { env, InferenceSession, Tensor } from "onnxruntime-web"
import { modelOf } from "../../test/oracles/support/onnx-model.ts"
import type { Workload } from "../workloads.ts"
import type { Mode, Operation, Peer, Task } from "./peer.ts"

env.wasm.numThreads = 1
env.logLevel = "error"

type Node = Parameters<typeof modelOf>[0]["nodes"][number]

export const onnxruntime: Peer = {
  name: "ONNX Runtime",
  async prepare(workload, mode) {
    if (mode === "resident") return { tasks: {}, dispose() {} }
    const sessions: InferenceSession[] = []
    const tasks: Partial<Record<Operation, Task>> = {}
    for (const operation of ["moments", "forward", "infer"] as const) {
      const graph = graphs[operation](workload)
      const inputs = inputsOf(workload, operation)
      const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { dims }]) => [name, dims]))
      const session = await InferenceSession.create(modelOf({ opset: 15, inputs: shapes, ...graph }), {
        executionProviders: ["wasm"],
      })
      sessions.push(session)
      tasks[operation] = taskOf(session, inputs, workload, mode)
    }
    return { tasks, dispose: () => Promise.all(sessions.map((session) => session.release())) }
  },
}

/** The nodes and outputs of each operation's graph. */
const graphs = {
  moments: ({ axes }: Workload) => {
    const mean = { operator: "ReduceMean", attributes: { axes, keepdims: { int: 1 } } }
    return {
      nodes: [
        { ...mean, inputs: ["x"], outputs: ["mean"] },
        { operator: "Sub", inputs: ["x", "mean"], outputs: ["distance"] },
        { operator: "Mul", inputs: ["distance", "distance"], outputs: ["square"] },
        { ...mean, inputs: ["square"], outputs: ["variance"] },
      ],
      outputs: ["mean", "variance"],
    }
  },
  // With momentum 0 the running statistics are those of the batch.
  forward: (workload: Workload) =>
    normalization(workload, { training_mode: { int: 1 }, momentum: 0 }, ["running_mean", "running_var"]),
  infer: (workload: Workload) => normalization(workload, {}, []),
} as const

function normalization(
  { layout, shape, epsilon }: Workload,
  mode: NonNullable<Node["attributes"]>,
  statistics: readonly string[],
) {
  const isTransposed = layout === "channels-last" && shape.length > 2
  const transpose = (from: string, to: string, perm: readonly number[]): Node[] =>
    isTransposed ? [{ operator: "Transpose", inputs: [from], outputs: [to], attributes: { perm } }] : []
  const axes = [...shape.keys()]
  const toFirst = [0, shape.length - 1, ...axes.slice(1, -1)]
  const toLast = [0, ...axes.slice(2), 1]
  const node: Node = {
    operator: "BatchNormalization",
    inputs: [isTransposed ? "x_first" : "x", "scale", "b", "mean", "var"],
    outputs: [isTransposed ? "y_first" : "y", ...statistics],
    attributes: { epsilon, ...mode },
  }
  return {
    nodes: [...transpose("x", "x_first", toFirst), node, ...transpose("y_first", "y", toLast)],
    outputs: ["y", ...statistics],
  }
}

function inputsOf({ x, shape, gamma, beta, mean, variance }: Workload, operation: Operation): Record<string, Tensor> {
  const input = { x: new Tensor("float32", x, shape) }
  if (operation === "moments") return input
  const vector = (data: Float64Array) => new Tensor("float32", Float32Array.from(data), [data.length])
  return { ...input, scale: vector(gamma), b: vector(beta), mean: vector(mean), var: vector(variance) }
}

function taskOf(session: InferenceSession, inputs: Record<string, Tensor>, { x }: Workload, mode: Mode): Task {
  const given = mode === "io" ? new Float32Array(x.length) : undefined
  const answer = async () => {
    const found = await session.run(inputs)
    const data = (name: string) => found[name]?.data as Float32Array | undefined
    return {
      y: data("y"),
      mean: data("mean") ?? data("running_mean"),
      variance: data("variance") ?? data("running_var"),
    }
  }
  const run = async () => {
    const { y } = await answer()
    if (given && y) given.set(y)
  }
  return { run, answer }
}
