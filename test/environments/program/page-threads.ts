import { attemptByTwo } from "./threads.ts"

// Where browser.ts looks for it.
attemptByTwo().then(
  (answer) => Object.assign(globalThis, { answer }),
  (error) => Object.assign(globalThis, { answer: { error: String(error) } }),
)
