import { element } from "./format.ts"
import { colour, onAppearance } from "./theme.ts"

const blocks = 8
const fullest = 16

/** The 8×8 pixels that the networks are given. */
export class Seen {
  readonly #canvas = element<HTMLCanvasElement>("seen")
  #pixels: Float32Array | undefined

  constructor() {
    onAppearance(() => this.#paint())
    this.show(undefined, "Nothing yet")
  }

  show(pixels: Float32Array | undefined, label: string): void {
    this.#pixels = pixels
    this.#canvas.setAttribute("aria-label", label)
    this.#paint()
  }

  #paint(): void {
    const { width } = this.#canvas
    const context = this.#canvas.getContext("2d")
    if (!context) return
    context.clearRect(0, 0, width, width)
    context.fillStyle = colour("ink")
    const side = width / blocks
    for (const [i, value] of this.#pixels?.entries() ?? []) {
      context.globalAlpha = value / fullest
      context.fillRect((i % blocks) * side, Math.floor(i / blocks) * side, side, side)
    }
    context.globalAlpha = 1
  }
}
