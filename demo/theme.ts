/** The colours of style.css, for what is painted. */
export function colour(name: "ink" | "muted" | "line" | "surface" | "with" | "without"): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

export const font = "12px system-ui, sans-serif"

/** When light turns dark, or the pixels of the screen change: what is painted must be painted again. */
export function onAppearance(repaint: () => void): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint)
}
