import { ArgumentError } from "../errors.ts"
import type { Checked } from "./arrays.ts"
import { missing } from "./settings.ts"

/** The residual that forward had, where backward needs it. */
export function checkOperands(residual: Checked | undefined, hasResidual: boolean, relu: boolean): void {
  if (relu && hasResidual && !residual) throw missing("residual", "the one that forward was given")
  if (residual && !hasResidual) throw new ArgumentError("residual", "none, as forward was given", "one")
}

/** No gradient of what forward was not given. */
export function checkAvailable(need: readonly string[], frozen: boolean, hasResidual: boolean): void {
  for (const [index, name] of need.entries()) {
    const refuse = (expected: string) => new ArgumentError(`need[${index}]`, expected, `"${name}"`)
    if ((name === "dmean" || name === "dvariance") && !frozen) {
      throw refuse("gradients of what forward was given: mean and variance were those of the batch")
    }
    if (name === "dresidual" && !hasResidual) {
      throw refuse("gradients of what forward was given: there was no residual")
    }
  }
}
