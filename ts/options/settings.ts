import { type Convention, conventions } from "../conventions.ts"
import { ArgumentError, StateError } from "../errors.ts"
import type { Maybe } from "../types.ts"
import { describe } from "./describe.ts"

/** The ε of Keras and of `tf.nn`'s examples, wherever none is given. */
export const defaultEpsilon = 1e-3

/** ε: finite, not negative. `forward` and `backward` judge it in place: handing it on would make an object of it. */
export function checkEpsilon(epsilon: number | undefined, absent: number, name = "epsilon"): number {
  if (epsilon === undefined) return absent
  if (typeof epsilon !== "number" || !(epsilon >= 0 && epsilon < Number.POSITIVE_INFINITY)) {
    throw notEpsilon(epsilon, name)
  }
  return epsilon
}

export function notEpsilon(epsilon: unknown, name: string): ArgumentError {
  return new ArgumentError(name, "a finite number from 0 on", describe(epsilon))
}

/** "relu" or none. */
export function checkActivation(activation: Maybe<"relu">, name = "activation"): "relu" | null {
  if (activation === undefined || activation === null) return null
  if (activation !== "relu") throw new ArgumentError(name, '"relu" or null', describe(activation))
  return activation
}

/** A name of a convention. */
export function checkConvention(convention: Convention | undefined, absent: Convention): Convention {
  if (convention === undefined) return absent
  if (typeof convention !== "string" || !Object.hasOwn(conventions, convention)) {
    const names = Object.keys(conventions).map((name) => `"${name}"`)
    throw new ArgumentError("convention", names.join(" or "), describe(convention))
  }
  return convention
}

/** Momentum as the convention means it; null where that is a cumulative average. */
export function checkMomentum(momentum: Maybe<number>, convention: Convention): number | null {
  const meaning = conventions[convention]
  if (momentum === undefined) return meaning.momentum
  if (momentum === null) {
    if (meaning.cumulative) return null
    throw new ArgumentError("momentum", `a number: "${convention}" has no cumulative average`, "null")
  }
  if (typeof momentum !== "number" || !(momentum >= 0 && momentum <= 1)) {
    throw new ArgumentError("momentum", "a number from 0 to 1", describe(momentum))
  }
  return momentum
}

/** A flag. */
export function checkFlag(flag: boolean | undefined, absent: boolean, name: string): boolean {
  if (flag === undefined) return absent
  if (typeof flag !== "boolean") throw new ArgumentError(name, "true or false", describe(flag))
  return flag
}

/** How many channels a layer has. */
export function checkChannels(channels: unknown, name = "channels"): number {
  return checkWhole(channels, 1, name)
}

/** A whole number, of which there is a least. */
export function checkWhole(value: unknown, least: number, name: string): number {
  if (!Number.isInteger(value) || !((value as number) >= least && (value as number) < 2 ** 31)) {
    throw new ArgumentError(name, `a whole number from ${least} on, below 2^31`, describe(value))
  }
  return value as number
}

/** One of a few names. */
export function checkOneOf<T extends string>(value: T | undefined, allowed: readonly T[], absent: T, name: string): T {
  return value === undefined ? absent : checkName(value, allowed, name)
}

export function checkName<T extends string>(value: T, allowed: readonly T[], name: string): T {
  if (!allowed.includes(value)) {
    throw new ArgumentError(name, allowed.map((one) => `"${one}"`).join(" or "), describe(value))
  }
  return value
}

/** Batch statistics need an element per channel. */
export function checkSomeElements(count: number, least: number, name: string): void {
  if (count < least) {
    const expected = least === 1 ? "an element per channel" : `${least} or more elements per channel to train on`
    throw new ArgumentError(name, expected, count === 0 ? "none: the batch is empty" : `${count}`)
  }
}

const none: readonly string[] = []

/** An object of options with none but known names, and some that are ignored, or none. */
export function checkOptions<T extends object>(
  options: T | undefined,
  name: string,
  known: readonly string[],
  ignored: readonly string[] = none,
): T | undefined {
  checkObject(options, name, "an object of options")
  for (const key in options) {
    if (known.includes(key) || ignored.includes(key)) continue
    const value = options[key]
    if (value !== undefined && value !== null) {
      throw new ArgumentError(`${name}.${key}`, `${known.length > 1 ? "one of " : ""}${known.join(", ")}`, key)
    }
  }
  return options
}

/** An object that is no array, or none. */
export function checkObject<T extends object>(object: T | undefined, name: string, expected: string): T | undefined {
  if (object === undefined) return undefined
  if (typeof object !== "object" || object === null || Array.isArray(object) || ArrayBuffer.isView(object)) {
    throw new ArgumentError(name, expected, describe(object))
  }
  if ("data" in object && "shape" in object) {
    throw new ArgumentError(name, expected, "an array: say which option it is, as in { out }")
  }
  return object
}

/** What the caller left out. */
export function missing(name: string, expected: string): ArgumentError {
  return new ArgumentError(name, expected, "nothing")
}

/** Channels that a forward pass found not finite. */
export function notFinite(channel: number, name = "x"): ArgumentError {
  return new ArgumentError(name, "finite statistics in each channel", `NaN or Infinity in channel ${channel}`)
}

/** An object of a class. */
export function checkInstance(
  value: unknown,
  type: abstract new (...args: never[]) => object,
  name: string,
  expected: string,
): void {
  if (!(value instanceof type)) throw new ArgumentError(name, expected, describe(value))
}

/** Statistics that `adapt` took. */
export function checkAdapted<S extends object>(statistics: S | undefined): S {
  if (!statistics) throw new StateError("no statistics yet: adapt the standardizer to data first")
  return statistics
}
