import { expect, test } from "vitest"
import { inWords } from "../../demo/failure.ts"

test.each([
  ["Uncaught Error: out of luck", "The worker stopped: Uncaught Error: out of luck. Measure tries again."],
  ["NetworkError when attempting.", "The worker stopped: NetworkError when attempting. Measure tries again."],
  ["", "The worker stopped: its script could not be loaded. Measure tries again."],
])("%j becomes sentences with one full stop each, and names the button", (message, words) => {
  expect(inWords({ code: undefined, message }, "Measure")).toBe(words)
})

test("digits that did not come are not told as a fault of the worker", () => {
  const message = "The digits could not be loaded: the server answered 404"
  expect(inWords({ code: "no-digits", message }, "Restart")).toBe(`${message}. Restart tries again.`)
})
