import type { Stroke } from "../../demo/bitmap.ts"

/** Part of an ellipse about (x, y), from one angle to another, in turns; clockwise on a screen. */
function arc(x: number, y: number, rx: number, ry: number, from: number, to: number): Stroke {
  const steps = 24
  return Array.from({ length: steps + 1 }, (_, i) => {
    const angle = 2 * Math.PI * (from + ((to - from) * i) / steps)
    return { x: x + rx * Math.cos(angle), y: y + ry * Math.sin(angle) }
  })
}

const line = (...points: readonly (readonly [number, number])[]): Stroke => points.map(([x, y]) => ({ x, y }))

/** Each digit as a hand writes it, in a square of side 1. */
export const strokesOf: readonly (readonly Stroke[])[] = [
  [arc(0.5, 0.5, 0.24, 0.38, -0.25, 0.75)],
  [line([0.34, 0.28], [0.52, 0.12], [0.52, 0.88])],
  [[...arc(0.5, 0.32, 0.22, 0.2, -0.5, 0.1), ...line([0.28, 0.86], [0.76, 0.86])]],
  [[...arc(0.47, 0.3, 0.22, 0.18, -0.45, 0.25), ...arc(0.47, 0.68, 0.26, 0.2, -0.25, 0.45)]],
  [line([0.5, 0.1], [0.26, 0.58], [0.76, 0.58]), line([0.6, 0.38], [0.56, 0.9])],
  [line([0.72, 0.12], [0.34, 0.12], [0.31, 0.45]), arc(0.48, 0.65, 0.24, 0.22, -0.4, 0.4)],
  [[...line([0.62, 0.1], [0.4, 0.3], [0.28, 0.62]), ...arc(0.5, 0.68, 0.22, 0.2, -0.5, 0.5)]],
  [line([0.26, 0.13], [0.74, 0.13], [0.44, 0.88]), line([0.36, 0.5], [0.68, 0.5])],
  [[...arc(0.5, 0.3, 0.18, 0.18, 0.25, 1.25), ...arc(0.5, 0.69, 0.23, 0.21, -0.25, 0.75)]],
  [[...arc(0.5, 0.32, 0.22, 0.2, 0, 1), ...line([0.72, 0.32], [0.68, 0.6], [0.58, 0.88])]],
]
