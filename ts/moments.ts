import { oneElement } from "./conventions.ts"
import { jsonNumber } from "./json.ts"
import { merge, noParts, type Parts, partsOf } from "./merge.ts"
import { checkSameChannels, layerAxes } from "./options/axes.ts"
import { checkBytes } from "./options/bytes.ts"
import { checkJsonAxes, checkJsonNumbers, checkParts, checkRecord, checkVersion } from "./options/json.ts"
import { checkChannels, checkInstance, checkOptions, checkWhole } from "./options/settings.ts"
import type { Maybe, NdArray, Vector, Weights } from "./types.ts"

const version = 1
const columns = ["count", "countRest", "mean", "meanRest", "m2", "m2Rest"] as const
/** "BNMO" */
const magic = 0x4f4d4e42
/** magic, version, channels, how many axes */
const headerWords = 4

/**
 * Mergeable count, mean and m2 = Σ(x-μ)² of each channel, for data that come in parts. They are kept with what their
 * additions rounded away, so it does not matter into how many parts the data fall, nor how unequal these are. The
 * same pushes and merges in the same order give the same bits. Source: Chan, Golub and LeVeque 1979.
 */
export class Moments {
  /** How many, over all channel axes. */
  readonly channels: number
  /** The channel axes, as they were given. */
  readonly axis: readonly number[]
  readonly #parts: Parts

  /**
   * @param channels how many, over all channel axes
   * @param options `axis`: the channel axis, -1 unless given; several are a set; `[]`: one channel
   * @throws ArgumentError for a number of channels or an axis that cannot be
   */
  constructor(channels: number, options?: { axis?: number | readonly number[] | undefined }) {
    const given = checkOptions(options, "options", ["axis"]) ?? {}
    this.channels = checkChannels(channels)
    this.axis = layerAxes(given.axis ?? -1)
    this.#parts = noParts(channels)
  }

  /** The elements of each channel so far, or the sum of their weights. */
  get count(): Vector {
    return this.#parts.count
  }

  /** μ of each channel; 0 of no elements. */
  get mean(): Vector {
    return this.#parts.mean
  }

  /** Σ(x-μ)² of each channel. */
  get m2(): Vector {
    return this.#parts.m2
  }

  /** Biased: m2 / count; NaN of no elements. */
  get variance(): Vector {
    return this.m2.map((m2, channel) => m2 / (this.count[channel] as number))
  }

  /** m2 / (count - 1); NaN of one element or none, and of no more weight than that. */
  get unbiasedVariance(): Vector {
    return this.m2.map((m2, channel) => {
      const count = this.count[channel] as number
      return count > oneElement ? m2 / (count - 1) : Number.NaN
    })
  }

  /**
   * Adds the elements of x; of none, nothing. A NaN or Infinity leaves NaN in its channel.
   *
   * @param x of any shape with as many channels along its axes
   * @param options `weights`: what each element counts
   * @returns itself
   * @throws ShapeError where x has other channels; ArgumentError for bad weights
   */
  push(x: NdArray, options?: { weights?: Maybe<Weights> }): this {
    const given = checkOptions(options, "options", ["weights"]) ?? {}
    merge(this.#parts, partsOf(x, "x", this.channels, this.axis, given.weights))
    return this
  }

  /**
   * Adds what another has, which stays as it is.
   *
   * @returns itself
   * @throws ArgumentError for what is no Moments; ShapeError where it has other channels
   */
  merge(other: Moments): this {
    checkInstance(
      other,
      Moments,
      "other",
      "Moments of this copy of the package: fromBytes makes them of any other's bytes",
    )
    checkSameChannels(other.channels, this.channels, "other.channels")
    merge(this.#parts, other.#parts)
    return this
  }

  /**
   * All of it, to the last bit, for a file or a message: "BNMO", then little-endian the version 1, how many channels and
   * how many axes as 32-bit integers, the axes likewise, zeros up to a multiple of 8 bytes, and as 64-bit floats count,
   * mean and m2, each followed by what rounding took away from it, each for all channels.
   */
  toBytes(): Uint8Array<ArrayBuffer> {
    const { channels, axis } = this
    const start = columnsStart(axis.length)
    const bytes = new Uint8Array(start + columns.length * 8 * channels)
    const view = new DataView(bytes.buffer)
    for (const [index, word] of [magic, version, channels, axis.length, ...axis].entries()) {
      view.setInt32(4 * index, word, true)
    }
    for (const [column, name] of columns.entries()) {
      for (const [channel, value] of this.#parts[name].entries()) {
        view.setFloat64(start + 8 * (column * channels + channel), value, true)
      }
    }
    return bytes
  }

  /**
   * What `toBytes` wrote.
   *
   * @throws ArgumentError for anything else
   */
  static fromBytes(bytes: Uint8Array): Moments {
    const view = checkBytes(bytes, 4 * headerWords, magic)
    checkVersion(view.getInt32(4, true), version, "bytes.version")
    const channels = checkChannels(view.getInt32(8, true), "bytes.channels")
    const axes = checkWhole(view.getInt32(12, true), 0, "bytes.axes")
    const start = columnsStart(axes)
    checkBytes(bytes, start + columns.length * 8 * channels, magic, true)
    const axis = Array.from({ length: axes }, (_, index) => view.getInt32(4 * (headerWords + index), true))
    const numbers = (column: number) =>
      Array.from({ length: channels }, (_, channel) => view.getFloat64(start + 8 * (column * channels + channel), true))
    return Moments.#from(
      channels,
      axis,
      columns.map((_, column) => numbers(column)),
      "bytes.",
    )
  }

  /** The same for `JSON.stringify`. */
  toJSON(): object {
    const numbers = columns.map((name) => [name, Array.from(this.#parts[name], jsonNumber)])
    return { version, channels: this.channels, axis: [...this.axis], ...Object.fromEntries(numbers) }
  }

  /**
   * What `toJSON` wrote, to the last bit.
   *
   * @throws ArgumentError, ShapeError for anything else
   */
  static fromJSON(json: object): Moments {
    const record = checkRecord(json, ["version"], "json")
    checkVersion(record.version, version, "json.version")
    checkRecord(json, ["channels", "axis", ...columns], "json")
    const channels = checkChannels(record.channels, "json.channels")
    const numbers = columns.map((name) => checkJsonNumbers(record[name], channels, `json.${name}`))
    return Moments.#from(channels, record.axis as readonly number[], numbers, "json.")
  }

  static #from(
    channels: number,
    axis: readonly number[],
    numbers: readonly (readonly number[])[],
    prefix: string,
  ): Moments {
    const name = `${prefix}axis`
    const moments = new Moments(channels, { axis: layerAxes(checkJsonAxes(axis, name), name) })
    const parts = Object.fromEntries(columns.map((name, index) => [name, numbers[index] as number[]]))
    checkParts(parts, prefix)
    for (const name of columns) moments.#parts[name].set(parts[name] as number[])
    return moments
  }
}

/** Where the columns begin, in bytes. */
function columnsStart(axes: number): number {
  return 8 * Math.ceil((headerWords + axes) / 2)
}
