const worker = new Worker("worker.js", { type: "module" })
worker.addEventListener("message", ({ data }) => Object.assign(globalThis, { answer: data }))
worker.addEventListener("error", ({ message }) => Object.assign(globalThis, { answer: { error: message } }))
