import { ArgumentError, StateError } from "../errors.ts"
import type { Saved } from "../types.ts"
import { describe } from "./describe.ts"
import { checkFlag, checkName, missing } from "./settings.ts"

/** What forward saved, as far as it is flags; y is not to lie where x was. */
export function checkSavedFlags(saved: Saved): void {
  checkFlag(saved.frozen, false, "saved.frozen")
  checkFlag(saved.hasResidual, false, "saved.hasResidual")
  checkFlag(saved.hasWeights, false, "saved.hasWeights")
  if (checkFlag(saved.inPlace, false, "saved.inPlace")) {
    throw new StateError("saved: forward wrote y over x, so x is gone: give it another array for y to go back", "saved")
  }
}

/** What forward was given beside x, where backward needs it, and nothing else. */
export function checkOperand(
  given: unknown,
  had: boolean,
  isNeeded: boolean,
  name: "residual" | "weights",
  those: string,
  some: string,
): void {
  if (had && isNeeded && !given) throw missing(name, `${those} that forward was given`)
  if (given && !had) {
    const flag = name === "residual" ? "saved.hasResidual" : "saved.hasWeights"
    throw new ArgumentError(name, `none, as forward was given: ${flag} says if so`, some)
  }
}

/** The gradients that there may be; the first three are asked for most. */
export const gradientNames = ["dx", "dgamma", "dbeta", "dmean", "dvariance", "dresidual"] as const

/** The same as bits of a set. */
export const dxBit = 1
export const dgammaBit = 2
export const dbetaBit = 4
export const dmeanBit = 8
export const dvarianceBit = 16
export const dresidualBit = 32
export const usualBits: number = dxBit | dgammaBit | dbetaBit
export const allBits = 63

/** No gradient of what forward was not given. `need`: as it was given, for the place of a name in it. */
export function checkAvailable(
  wanted: number,
  frozen: boolean,
  hasResidual: boolean,
  need: readonly string[] | undefined,
): void {
  const lacking = (frozen ? 0 : dmeanBit | dvarianceBit) | (hasResidual ? 0 : dresidualBit)
  if (!(wanted & lacking) || !need) return
  const index = need.findIndex((name) => lacking & (1 << gradientNames.indexOf(name as "dx")))
  const why = need[index] === "dresidual" ? "there was no residual" : "mean and variance were those of the batch"
  throw new ArgumentError(`need[${index}]`, `gradients of what forward was given: ${why}`, `"${need[index]}"`)
}

/** The names of the gradients wanted, as a set; `allowed`: which there may be. None given: the usual ones. */
export function checkNeed(need: readonly string[] | undefined, allowed: number): number {
  if (need === undefined) return usualBits
  if (!Array.isArray(need)) throw new ArgumentError("need", "an array of names", describe(need))
  let wanted = 0
  for (let index = 0; index < need.length; index++) {
    const bit = 1 << gradientNames.indexOf(need[index])
    if (!(allowed & bit))
      checkName(
        need[index],
        gradientNames.filter((_, at) => allowed & (1 << at)),
        `need[${index}]`,
      )
    wanted |= bit
  }
  return wanted
}
