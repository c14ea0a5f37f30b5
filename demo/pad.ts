import { digitize, type Point, type Stroke } from "./bitmap.ts"
import { element } from "./format.ts"
import { colour, onAppearance } from "./theme.ts"

/** How far an arrow key moves the pen, of the pad's side. */
const step = 1 / 24
const penWidth = 1 / 14

/** Where a visitor draws. `onDrawn` gets 8×8 pixels with each change, undefined where the pad is empty. */
export class Pad {
  readonly #canvas = element<HTMLCanvasElement>("pad")
  readonly #onDrawn: (pixels: Float32Array<ArrayBuffer> | undefined) => void
  #strokes: Stroke[] = []
  /** Where the keyboard's pen is. */
  #pen: Point = { x: 0.5, y: 0.25 }
  #isDown = false
  #isByKeyboard = false

  constructor(onDrawn: (pixels: Float32Array<ArrayBuffer> | undefined) => void) {
    this.#onDrawn = onDrawn
    const canvas = this.#canvas
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return
      canvas.setPointerCapture(event.pointerId)
      this.#isByKeyboard = false
      this.#isDown = false
      this.#strokes.push([this.#pointOf(event)])
      this.#changed()
    })
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return
      this.#extend(this.#pointOf(event))
    })
    canvas.addEventListener("keydown", (event) => this.#onKey(event))
    for (const name of ["focus", "blur"]) canvas.addEventListener(name, () => this.#paint())
    onAppearance(() => this.#paint())
    this.#paint()
  }

  clear(): void {
    this.#strokes = []
    this.#isDown = false
    this.#changed()
  }

  /** Takes the drawing away without a word: something else is shown. */
  empty(): void {
    this.#strokes = []
    this.#isDown = false
    this.#paint()
  }

  #extend(point: Point): void {
    this.#strokes.push([...(this.#strokes.pop() ?? []), point])
    this.#changed()
  }

  #onKey(event: KeyboardEvent): void {
    const move = moves[event.key]
    if (!move && event.key !== " " && event.key !== "Delete" && event.key !== "Backspace") return
    event.preventDefault()
    this.#isByKeyboard = true
    if (move) {
      const inside = (value: number) => Math.min(1 - step, Math.max(step, value))
      this.#pen = { x: inside(this.#pen.x + step * move[0]), y: inside(this.#pen.y + step * move[1]) }
      if (this.#isDown) this.#extend(this.#pen)
      else this.#paint()
    } else if (event.key === " ") {
      this.#isDown = !this.#isDown
      if (this.#isDown) this.#strokes.push([this.#pen])
      this.#changed()
    } else this.clear()
  }

  #pointOf(event: PointerEvent): Point {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect()
    return { x: (event.clientX - left) / width, y: (event.clientY - top) / height }
  }

  #changed(): void {
    this.#paint()
    this.#onDrawn(digitize(this.#strokes))
  }

  #paint(): void {
    const { width: side } = this.#canvas
    const context = this.#canvas.getContext("2d")
    if (!context) return
    context.clearRect(0, 0, side, side)
    context.lineCap = "round"
    context.lineJoin = "round"
    context.lineWidth = penWidth * side
    context.strokeStyle = colour("ink")
    for (const stroke of this.#strokes) {
      context.beginPath()
      for (const { x, y } of [stroke[0]!, ...stroke]) context.lineTo(x * side, y * side)
      context.stroke()
    }
    if (!this.#isByKeyboard || document.activeElement !== this.#canvas) return
    context.beginPath()
    context.arc(this.#pen.x * side, this.#pen.y * side, (penWidth * side) / 2, 0, 2 * Math.PI)
    context.lineWidth = side / 140
    context.strokeStyle = colour("with")
    context.fillStyle = colour(this.#isDown ? "with" : "surface")
    context.fill()
    context.stroke()
  }
}

const moves: Readonly<Record<string, readonly [number, number] | undefined>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
}
