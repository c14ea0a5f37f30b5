import uPlot from "uplot"
import { made, nameOf } from "./format.ts"
import { type Both, epochs, type NetworkName, networks } from "./messages.ts"
import { colour, font, onAppearance } from "./theme.ts"

/** What a chart shows, one value per epoch from the first on; NaN: there is none. */
export type Series = Both<readonly number[]>

export interface CurvesOptions {
  readonly chart: HTMLElement
  readonly key: HTMLElement
  readonly isLogarithmic: boolean
  readonly format: (value: number) => string
  /** A round value, at the axis. */
  readonly formatTick: (value: number) => string
  /** Of the values shown, the least and the greatest of the axis. */
  readonly range: (least: number, greatest: number) => [number, number]
}

const height = 260
const dashes: Both<number[]> = { with: [], without: [6, 4] }

/** Two curves over epochs, and a key that tells the values under the pointer, or the last ones. */
export class Curves {
  readonly #options: CurvesOptions
  readonly #values: Readonly<Record<NetworkName, HTMLElement>>
  #series: Series = { with: [], without: [] }
  #plot: uPlot

  constructor(options: CurvesOptions) {
    this.#options = options
    this.#values = { with: made("b"), without: made("b") }
    options.key.append(
      ...networks.map((name) => made("span", { class: name }, made("i"), nameOf[name], " ", this.#values[name])),
    )
    this.#plot = this.#made()
    new ResizeObserver(() => {
      const width = options.chart.clientWidth
      if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height })
    }).observe(options.chart)
    onAppearance(() => {
      this.#plot.destroy()
      this.#plot = this.#made()
      this.show(this.#series)
    })
  }

  show(series: Series): void {
    this.#series = series
    this.#plot.setData(this.#data())
    this.#tell(null)
  }

  #data(): uPlot.AlignedData {
    const x = Array.from({ length: epochs }, (_, i) => i + 1)
    const column = (values: readonly number[]) => x.map((_, i) => (Number.isFinite(values[i]) ? values[i]! : null))
    return [x, column(this.#series.with), column(this.#series.without)]
  }

  /** The values of one epoch, from 0 on, or the last there are. */
  #tell(epoch: number | null): void {
    for (const name of networks) {
      const values = this.#series[name]
      const value = epoch === null ? values.at(-1) : values[epoch]
      this.#values[name].textContent =
        value === undefined ? "" : Number.isFinite(value) ? this.#options.format(value) : "diverged"
    }
  }

  #made(): uPlot {
    const { chart, isLogarithmic, formatTick, range } = this.#options
    const axis = {
      stroke: colour("muted"),
      font,
      grid: { stroke: colour("line"), width: 1 },
      ticks: { stroke: colour("line"), width: 1, size: 4 },
    }
    return new uPlot(
      {
        width: Math.max(1, chart.clientWidth),
        height,
        legend: { show: false },
        padding: [8, 12, 0, 0],
        cursor: { y: false, drag: { x: false, y: false }, sync: { key: "epochs" }, points: { size: 8 } },
        hooks: { setCursor: [({ cursor }) => this.#tell(cursor.idx ?? null)] },
        scales: {
          x: { time: false, range: [1, epochs] },
          y: {
            distr: isLogarithmic ? 3 : 1,
            range: (_, least, greatest) => range(least, greatest),
          },
        },
        axes: [
          { ...axis, label: "epoch", labelFont: font, labelSize: 18, labelGap: 0, size: 30, incrs: [1, 2, 5, 10] },
          {
            ...axis,
            size: 56,
            // uPlot's own splits of a logarithm are nine in each decade.
            ...(isLogarithmic && { splits: decades }),
            values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : formatTick(tick))),
          },
        ],
        series: [
          {},
          ...networks.map((name) => ({
            label: nameOf[name],
            stroke: colour(name),
            width: 2,
            dash: dashes[name],
            points: { show: true, size: 5, fill: colour(name) },
          })),
        ],
      },
      this.#data(),
      chart,
    )
  }
}

function decades(_: uPlot, __: number, least: number, greatest: number): number[] {
  const first = Math.round(Math.log10(least))
  const count = Math.round(Math.log10(greatest)) - first + 1
  return Array.from({ length: count }, (___, i) => 10 ** (first + i))
}
