// Prints the milliseconds from import to first result of one library: node first-result.mjs PEER
const shape = [32, 256]
const x = Float32Array.from({ length: 32 * 256 }, (_, index) => Math.sin(index))

/** @type {Record<string, () => Promise<ArrayLike<number>>>} */
const firstResults = {
  async batchnorm() {
    const { forward } = await import("batchnorm")
    return forward({ data: x, shape }).y.data
  },
  "tfjs-cpu": () => tfjs("cpu"),
  "tfjs-wasm": () => tfjs("wasm"),
  async onnxruntime() {
    const { env, InferenceSession, Tensor } = await import("onnxruntime-web")
    env.wasm.numThreads = 1
    const session = await InferenceSession.create(model, { executionProviders: ["wasm"] })
    const vector = () => new Tensor("float32", new Float32Array(256).fill(1), [256])
    const inputs = { x: new Tensor("float32", x, shape), scale: vector(), b: vector(), mean: vector(), var: vector() }
    return /** @type {Float32Array} */ ((await session.run(inputs)).y?.data)
  },
  async "jax-js"() {
    const { defaultDevice, init, jit, numpy: np } = await import("@jax-js/jax")
    await init("wasm")
    defaultDevice("wasm")
    const forward = jit((/** @type {import("@jax-js/jax").numpy.Array} */ x) => {
      const mean = np.mean(x.ref, 0)
      const distance = x.sub(mean)
      const variance = np.mean(distance.ref.mul(distance.ref), 0)
      return distance.mul(np.reciprocal(np.sqrt(variance.add(1e-3))))
    })
    return forward(np.array(x).reshape(shape)).data()
  },
}

/** @param {"cpu" | "wasm"} backend */
async function tfjs(backend) {
  const tf = await import("@tensorflow/tfjs-core")
  await (backend === "cpu" ? import("@tensorflow/tfjs-backend-cpu") : import("@tensorflow/tfjs-backend-wasm"))
  await tf.setBackend(backend)
  const input = tf.tensor2d(x, [32, 256])
  const { mean, variance } = tf.moments(input, 0)
  return tf.batchNorm(input, /** @type {never} */ (mean), /** @type {never} */ (variance)).dataSync()
}

async function writeModel() {
  const { modelOf } = await import("../../test/oracles/support/onnx-model.ts")
  const outputs = ["y", "running_mean", "running_var"]
  const attributes = { training_mode: { int: 1 } }
  const node = { operator: "BatchNormalization", inputs: ["x", "scale", "b", "mean", "var"], outputs, attributes }
  const vectors = { scale: [256], b: [256], mean: [256], var: [256] }
  return modelOf({ opset: 15, nodes: [node], inputs: { x: shape, ...vectors }, outputs: ["y"] })
}

const name = process.argv[2] ?? ""
const firstResult = firstResults[name]
if (!firstResult) throw new Error(`no library "${name}"`)
// The model is a file to its users, so that writing it does not count.
const model = name === "onnxruntime" ? await writeModel() : new Uint8Array()
const start = performance.now()
const result = await firstResult()
const end = performance.now()
if (result.length !== x.length || !Number.isFinite(result[77])) throw new Error(`${name} gave no result`)
console.log(end - start)
// Workers and pools keep some of them alive.
process.exit()
