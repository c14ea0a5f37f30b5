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

const numbersAsText: ReadonlyMap<unknown, number> = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["-0", -0],
])

/** Numbers, as JSON has them or as text. */
export function checkJsonNumbers(list: unknown, length: number, name: string): number[] {
  if (!Array.isArray(list)) throw new ArgumentError(name, "an Array of numbers", describe(list))
  if (list.length !== length) throw new ShapeError(name, `${length} numbers, one per channel`, `${list.length}`)
  return Array.from(list, (value, index) => {
    const number = typeof value === "number" ? value : numbersAsText.get(value)
    if (number !== undefined) return number
    const names = [...numbersAsText.keys()].map((text) => `"${text}"`)
    throw new ArgumentError(`${name}[${index}]`, `a number, ${names.join(", ")}`, describe(value))
  })
}

/** How many of something, of which there may be a most. */
export function checkCount(value: unknown, name: string, most: number = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? "from 0 on" : `from 0 to ${most}, the batches`
    throw new ArgumentError(name, `a whole number ${range}`, describe(value))
  }
  return value as number
}
