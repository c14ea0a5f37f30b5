import { bins, reach } from "./activations.ts"
import { decimal, element, made, nameOf, percent } from "./format.ts"
import { type Activations, type Both, type EpochOfOne, type NetworkName, networks } from "./messages.ts"
import { colour, font, onAppearance } from "./theme.ts"

/** What happened in each epoch, from 0 on. */
type History = readonly Both<EpochOfOne | null>[]

const size = { height: 176, top: 72, bottom: 18, side: 6 }
/**
 * The share of the values that a bin of full height holds. A layer whose values are nearly all the same is higher, and cut: were all
 * brought down for it, there would be nothing to see of the others.
 */
const peak = 0.13

/** A panel per hidden layer and network: its histograms, epoch behind epoch. */
export class Ridges {
  readonly #place = element("ridges")
  readonly #slider = element<HTMLInputElement>("epoch")
  #history: History = []
  #panels: { name: NetworkName; layer: number; canvas: HTMLCanvasElement; facts: HTMLElement }[] = []
  #isFollowing = true
  #frame = 0

  constructor() {
    this.#slider.addEventListener("input", () => {
      this.#isFollowing = this.#slider.value === this.#slider.max
      this.#paintSoon()
    })
    new ResizeObserver(() => this.#paintSoon()).observe(this.#place)
    onAppearance(() => this.#paintSoon())
  }

  /** A new training: panels for its layers. */
  reset(hiddenLayers: number): void {
    this.#history = []
    this.#isFollowing = true
    this.#slider.max = "0"
    const layers = Array.from({ length: hiddenLayers }, (_, layer) => layer)
    this.#panels = layers.flatMap((layer) =>
      networks.map((name) => {
        const canvas = made("canvas", { role: "img" })
        return { name, layer, canvas, facts: made("figcaption") }
      }),
    )
    const heads = networks.map((name) => made("p", { class: `head ${name}` }, nameOf[name]))
    this.#place.style.setProperty("--layers", String(hiddenLayers))
    this.#place.replaceChildren(
      ...heads,
      ...this.#panels.map(({ name, layer, canvas, facts }) =>
        made("figure", { class: name }, made("h3", {}, `Layer ${layer + 1}`), canvas, facts),
      ),
    )
  }

  show(history: History): void {
    this.#history = history
    this.#slider.max = String(Math.max(0, history.length - 1))
    if (this.#isFollowing) this.#slider.value = this.#slider.max
    this.#paintSoon()
  }

  #paintSoon(): void {
    cancelAnimationFrame(this.#frame)
    this.#frame = requestAnimationFrame(() => this.#paint())
  }

  #paint(): void {
    const chosen = Number(this.#slider.value)
    const text = chosen === 0 ? "0, before training" : String(chosen)
    element("epoch-value").textContent = text
    this.#slider.setAttribute("aria-valuetext", text)
    const shown = this.#history.slice(0, chosen + 1)
    for (const { name, layer, canvas, facts } of this.#panels) {
      const ridges = shown.map((epoch) => epoch[name]?.layers[layer])
      const words = tell(ridges.at(-1))
      facts.replaceChildren(...words.map((line) => made("span", {}, line)))
      canvas.setAttribute("aria-label", `Layer ${layer + 1}, ${nameOf[name]}, epoch ${chosen}: ${words.join(", ")}`)
      paint(canvas, ridges, colour(name))
    }
  }
}

const isNumber = (layer: Activations | undefined): layer is Activations =>
  layer !== undefined && Number.isFinite(layer.deviation)

function tell(layer: Activations | undefined): string[] {
  if (!isNumber(layer)) return ["diverged", "no finite values"]
  return [
    `${decimal(layer.mean)} ± ${decimal(layer.deviation)}`,
    `${(100 * layer.positive).toFixed(0)}\u00a0% above 0`,
    ...(layer.outside > 0.0005 ? [`${percent(layer.outside)} beyond ±${reach}`] : []),
  ]
}

const total = (counts: Uint32Array): number => counts.reduce((sum, count) => sum + count, 0)

/** The last ridge is in front. */
function paint(canvas: HTMLCanvasElement, ridges: readonly (Activations | undefined)[], hue: string): void {
  const width = canvas.clientWidth
  const ratio = devicePixelRatio
  canvas.width = Math.round(width * ratio)
  canvas.height = Math.round(size.height * ratio)
  const context = canvas.getContext("2d")
  if (!context || width === 0) return
  context.scale(ratio, ratio)
  const { height, top, bottom, side } = size
  const ground = height - bottom
  const x = (bin: number) => side + ((width - 2 * side) * bin) / bins

  context.strokeStyle = colour("line")
  context.lineWidth = 1
  context.beginPath()
  context.moveTo(x(bins / 2), 0)
  context.lineTo(x(bins / 2), ground)
  context.stroke()
  context.fillStyle = colour("muted")
  context.font = font
  context.textBaseline = "bottom"
  for (const [value, align] of [
    [-reach, "left"],
    [0, "center"],
    [reach, "right"],
  ] as const) {
    context.textAlign = align
    context.fillText(String(value).replace("-", "−"), x(((value + reach) / (2 * reach)) * bins), height)
  }

  const distance = (ground - top) / Math.max(1, ridges.length - 1)
  for (const [i, ridge] of ridges.entries()) {
    if (!isNumber(ridge)) continue
    const isFront = i === ridges.length - 1
    const base = ridges.length === 1 ? ground : top + distance * i
    const all = total(ridge.counts) / (1 - ridge.outside || 1)
    context.beginPath()
    context.moveTo(x(0), base)
    for (const [bin, count] of ridge.counts.entries()) {
      context.lineTo(x(bin + 0.5), base - ((top - 4) * count) / all / peak)
    }
    context.lineTo(x(bins), base)
    context.globalAlpha = isFront ? 0.9 : 1
    context.fillStyle = isFront ? hue : colour("surface")
    context.fill()
    context.globalAlpha = isFront ? 1 : 0.25 + (0.5 * i) / ridges.length
    context.strokeStyle = hue
    context.stroke()
    context.globalAlpha = 1
  }
}
