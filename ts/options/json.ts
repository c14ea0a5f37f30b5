import { ArgumentError, ShapeError } from "../errors.ts"
import { describe } from "./describe.ts"
import { missing } from "./settings.ts"

/** What `toJSON` wrote: a record with these entries. */
export function checkRecord(json: unknown, names: readonly string[], name: string): Readonly<Record<string, unknown>> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    const hint = typeof json === "string" ? ": parse it first" : ""
    throw new ArgumentError(name, "an object that toJSON wrote", `${describe(json)}${hint}`)
  }
  for (const key of names) if (!Object.hasOwn(json, key)) throw missing(`${name}.${key}`, "what toJSON wrote")
  return json as Record<string, unknown>
}

/** The version of what `toJSON` wrote. */
export function checkVersion(version: unknown, expected: number, name: string): void {
  if (version !== expected) throw new ArgumentError(name, `${expected}`, describe(version))
}

const numbersAsText: readonly unknown[] = ["NaN", "Infinity", "-Infinity", "-0"]

/** Numbers, as JSON has them or as text; undefined: any length. */
export function checkJsonNumbers(list: unknown, length: number | undefined, name: string): number[] {
  if (!Array.isArray(list)) throw new ArgumentError(name, "an Array of numbers", describe(list))
  if (length !== undefined && list.length !== length)
    throw new ShapeError(name, `${length} numbers, one per channel`, `${list.length}`)
  return Array.from(list, (value, index) => {
    if (typeof value === "number" || numbersAsText.includes(value)) return Number(value)
    const names = numbersAsText.map((text) => `"${text}"`)
    throw new ArgumentError(`${name}[${index}]`, `a number, ${names.join(", ")}`, describe(value))
  })
}

/** Of a data set, one number each. */
export function checkSomeColumns(length: number, name: string): void {
  if (length === 0) throw new ShapeError(name, "a number for each column", "none")
}

/** How many of something, of which there may be a most. */
export function checkCount(value: unknown, name: string, most: number = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? "from 0 on" : `from 0 to ${most}, the batches`
    throw new ArgumentError(name, `a whole number ${range}`, describe(value))
  }
  return value as number
}

/** Axes of channels, in an Array. */
export function checkJsonAxes(axes: unknown, name: string): readonly number[] {
  if (!Array.isArray(axes)) throw new ArgumentError(name, "an Array of axes", describe(axes))
  return axes
}

/**
 * Counts from 0 on, sums of squares that are not negative, and zeros where nothing was counted; NaN is what a NaN among
 * the data leaves.
 */
export function checkParts(columns: Readonly<Record<string, readonly number[]>>, prefix: string): void {
  const { count = [], m2 = [] } = columns
  for (const [channel, value] of count.entries()) {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw new ArgumentError(`${prefix}count[${channel}]`, "a finite number from 0 on", `${value}`)
    }
  }
  for (const [channel, value] of m2.entries()) {
    if (value < 0) throw new ArgumentError(`${prefix}m2[${channel}]`, "a sum of squares from 0 on", `${value}`)
  }
  for (const [name, column] of Object.entries(columns)) {
    const channel = column.findIndex((value, index) => count[index] === 0 && value !== 0)
    if (channel >= 0) {
      throw new ArgumentError(`${prefix}${name}[${channel}]`, "0, since nothing was counted", `${column[channel]}`)
    }
  }
}
