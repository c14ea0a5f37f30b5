// Every peer gets one thread. jax-js takes as many as there are cores wherever it finds a Worker, which ONNX Runtime
// brings into Node.
const own = Object.getOwnPropertyDescriptor(globalThis, "Worker")
const none = { get: () => undefined, set() {}, configurable: true }
Object.defineProperty(globalThis, "Worker", none)

/** Starts what is to have threads of its own. */
export async function withWorkers(start: () => Promise<void>): Promise<void> {
  if (own) Object.defineProperty(globalThis, "Worker", own)
  await start()
  Object.defineProperty(globalThis, "Worker", none)
}
