/** A number for JSON, which has no NaN, infinity or -0. */
export function jsonNumber(value: number): number | string {
  if (Object.is(value, -0)) return "-0"
  return Number.isFinite(value) ? value : `${value}`
}
