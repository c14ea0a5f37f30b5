import { backward, forward, moments, type Weights } from "batchnorm"
import { expect, test } from "vitest"
import { label, settings } from "./support/arrays.ts"
import { argumentError, expectRefused, type Refusal } from "./support/refuses.ts"
import { bench, type Slot } from "./support/slots.ts"

const inBoth = settings("ordinary", "resident")

/** Every call that takes weights. */
const slots: readonly Slot<Weights>[] = [
  { call: "moments", argument: "weights", run: (weights, { x }) => moments(x, [0], { weights }) },
  { call: "Moments.push", argument: "weights", run: (weights, { x, moments }) => moments.push(x, { weights }) },
  {
    call: "forward",
    argument: "weights",
    run: (weights, { x, out, saved }) =>
      forward(x, { weights, gamma: [1, 1, 1], beta: [0, 0, 0], out: { y: out, saved } }),
  },
  {
    call: "forward, given statistics",
    argument: "weights",
    run: (weights, { x, out, saved }) => forward(x, { ...saved, weights, out: { y: out, saved } }),
  },
  {
    call: "backward",
    argument: "weights",
    run: (weights, { x, dy, out, saved }) => backward(dy, x, saved, { weights, out: { dx: out } }),
  },
  {
    call: "BatchNorm.forward",
    argument: "weights",
    run: (weights, { x, layer, out }) => layer.forward(x, { weights, out }),
  },
  {
    call: "BatchNorm.forward, not training",
    argument: "weights",
    run: (weights, { x, layer, out }) => layer.forward(x, { weights, out, training: false }),
  },
]

/** Weights are refused as it is due by each of some calls, whatever the element type and place of x. */
function refuse(weights: unknown, due: Refusal, by: readonly Slot<Weights>[] = slots): void {
  for (const { call, run } of by) {
    for (const setting of inBoth) {
      const around = bench(setting)
      expectRefused(() => run(weights as Weights, around), due, around.watched, `${call}, ${label(setting)}`)
      // What the layer kept of the forward pass before is still there.
      const { dx } = bench(setting).layer.backward(around.dy)
      expect(around.layer.backward(around.dy).dx, call).toEqual(dx)
    }
  }
}

test("weights whose sum leaves the range of numbers are refused, though each is finite", () => {
  const due = (channel: number) =>
    argumentError(
      "weights",
      "weights of a finite sum in each channel",
      `more than a number holds in channel ${channel}`,
    )
  const most = Number.MAX_VALUE
  refuse({ data: [0, most, most, 0], shape: [4, 1] }, due(0))
  refuse([1, 2 ** 1022, 1], due(1))
  refuse({ data: [1, 1, 1, 1, 1, most, 1, 1, most, 1, 1, 1], shape: [4, 3] }, due(2))
})
