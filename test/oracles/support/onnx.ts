import type { NdArray } from "batchnorm"
import { env, InferenceSession, Tensor } from "onnxruntime-web"
import { type Graph, modelOf } from "./onnx-model.ts"

env.wasm.numThreads = 1
env.logLevel = "error"

/** Runs a graph in ONNX Runtime's WebAssembly build, node by node as it stands. */
export async function run(
  graph: Pick<Graph, "opset" | "nodes" | "outputs">,
  inputs: Readonly<Record<string, NdArray<Float32Array>>>,
): Promise<Record<string, NdArray<Float32Array>>> {
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]))
  const session = await InferenceSession.create(modelOf({ ...graph, inputs: shapes }), {
    executionProviders: ["wasm"],
    // Else it would fold the very operators that are to be compared.
    graphOptimizationLevel: "disabled",
  })
  try {
    const tensors = Object.entries(inputs).map(([name, { data, shape }]) => [name, new Tensor("float32", data, shape)])
    const outputs = await session.run(Object.fromEntries(tensors))
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { data, dims }]) => [name, { data: data as Float32Array, shape: dims }]),
    )
  } finally {
    await session.release()
  }
}
