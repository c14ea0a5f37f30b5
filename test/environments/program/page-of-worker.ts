const worker = new Worker("worker.js", { type: "module" })
worker.addEventListener("message", ({ data }) => Object.assign(globalThis, { answer: data }))
// A script that does not even start says nothing of why.
worker.addEventListener("error", ({ message = "the worker did not start" }) =>
  Object.assign(globalThis, { answer: { error: message } }),
)
