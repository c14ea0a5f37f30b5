import type { NetworkName } from "./messages.ts"

export const nameOf: Readonly<Record<NetworkName, string>> = { with: "with batch norm", without: "without" }

/** 97.8 %, with a space that does not break. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)}\u00a0%`

const threeDigits = new Intl.NumberFormat("en", {
  minimumSignificantDigits: 3,
  maximumSignificantDigits: 3,
  useGrouping: false,
})

/** Three significant digits, zeros at the end among them. */
export const significant = (value: number): string => threeDigits.format(value)

const fewDigits = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, useGrouping: false })

/** A round number, as at an axis, without the zeros. */
export const round = (value: number): string => fewDigits.format(value)

/** Two decimals, with a minus sign. */
export const decimal = (value: number): string => value.toFixed(2).replace("-", "−").replace("−0.00", "0.00")

/** The element with this id; the page has it. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no #${id}`)
  return found as T
}

export function made<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const result = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) result.setAttribute(name, value)
  result.append(...children)
  return result
}
