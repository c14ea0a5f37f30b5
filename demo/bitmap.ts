// From strokes to what the networks know. The data set was made so: NIST's programs brought each digit to the height of a
// bitmap of 32×32 pixels, centred, and its strokes to a width of their own; then the pixels that are on were counted
// in blocks of 4×4. In its images some 310 pixels are on, whichever the digit, a 1 as well as an 8, and few are
// wider than 24 pixels. Both are seen to here.

export interface Point {
  readonly x: number
  readonly y: number
}
export type Stroke = readonly Point[]

const side = 32
const block = 4
const widest = 24
const pixelsOn = 310

/** 8×8 counts of 0 … 16, row by row; undefined where nothing is drawn. Any unit of length will do. */
export function digitize(strokes: readonly Stroke[]): Float32Array<ArrayBuffer> | undefined {
  const points = strokes.flat()
  if (points.length === 0) return undefined
  // The thicker the pen, the more pixels are on.
  let [thin, thick] = [0.5, side / 4]
  for (let i = 0; i < 12; i++) {
    const radius = (thin + thick) / 2
    if (drawn(strokes, radius).reduce((sum, on) => sum + on, 0) < pixelsOn) thin = radius
    else thick = radius
  }
  return counted(drawn(strokes, thick))
}

/** The bitmap of the strokes, fitted into the frame with a pen of this radius. */
function drawn(strokes: readonly Stroke[], radius: number): Uint8Array {
  const points = strokes.flat()
  const [left, right] = extent(points.map(({ x }) => x))
  const [top, bottom] = extent(points.map(({ y }) => y))
  const scale = Math.min((side - 2 * radius) / (bottom - top), (widest - 2 * radius) / (right - left))
  const place = ({ x, y }: Point): Point => ({
    x: side / 2 + (Number.isFinite(scale) ? scale * (x - (left + right) / 2) : 0),
    y: side / 2 + (Number.isFinite(scale) ? scale * (y - (top + bottom) / 2) : 0),
  })
  const segments = strokes.flatMap((stroke) => {
    const placed = stroke.map(place)
    return placed.map((end, i) => [placed[Math.max(0, i - 1)]!, end] as const)
  })
  return Uint8Array.from({ length: side * side }, (_, i) => {
    const centre = { x: (i % side) + 0.5, y: Math.floor(i / side) + 0.5 }
    return segments.some(([start, end]) => distance(centre, start, end) <= radius) ? 1 : 0
  })
}

function counted(bitmap: Uint8Array): Float32Array<ArrayBuffer> {
  const blocks = side / block
  const counts = new Float32Array(blocks * blocks)
  for (const [i, on] of bitmap.entries()) {
    const row = Math.floor(i / side / block)
    const column = Math.floor((i % side) / block)
    counts[row * blocks + column]! += on
  }
  return counts
}

const extent = (values: readonly number[]): readonly [number, number] => [Math.min(...values), Math.max(...values)]

/** From a point to a segment. */
function distance(point: Point, start: Point, end: Point): number {
  const [dx, dy] = [end.x - start.x, end.y - start.y]
  const length = dx * dx + dy * dy
  const along = length === 0 ? 0 : ((point.x - start.x) * dx + (point.y - start.y) * dy) / length
  const t = Math.min(1, Math.max(0, along))
  return Math.hypot(point.x - start.x - t * dx, point.y - start.y - t * dy)
}
