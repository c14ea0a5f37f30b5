import { ArgumentError } from "../errors.ts"
import type { Saved } from "../types.ts"
import { missing } from "./settings.ts"

/** What forward was given beside x, where backward needs it, and nothing else. */
export function checkOperands(
  { residual, weights }: { readonly residual: object | undefined; readonly weights: object | undefined },
  saved: Pick<Saved, "hasResidual" | "hasWeights">,
  relu: boolean,
): void {
  if (relu && saved.hasResidual && !residual) throw missing("residual", "the one that forward was given")
  if (residual && !saved.hasResidual)
    throw new ArgumentError("residual", "none, as forward was given: saved.hasResidual says if so", "one")
  if (saved.hasWeights && !weights) throw missing("weights", "those that forward was given")
  if (weights && !saved.hasWeights)
    throw new ArgumentError("weights", "none, as forward was given: saved.hasWeights says if so", "some")
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
