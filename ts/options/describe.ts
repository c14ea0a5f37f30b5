/** A user's value, in a few words. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return `${value}`
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)
  if (typeof value === "function") return "a function"
  if (typeof value !== "object") return `${String(value)}${typeof value === "bigint" ? "n" : ""}`
  if (Array.isArray(value)) return `an Array of ${value.length}`
  return `${/^[AEIO]/.test(typeName(value)) ? "an" : "a"} ${typeName(value)}`
}

export function typeName(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1)
}

export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`
}
