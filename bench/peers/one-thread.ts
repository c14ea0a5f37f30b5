// Every peer gets one thread. jax-js takes as many as there are cores wherever it finds a Worker, which ONNX Runtime
// brings into Node.
Object.defineProperty(globalThis, "Worker", { get: () => undefined, set() {}, configurable: true })
