import { eachBatch } from "./batches.ts"
import { infer } from "./forward.ts"
import { jsonNumber } from "./json.ts"
import { merge, noParts, type Parts, partsOf } from "./merge.ts"
import { checkShapeOf } from "./options/arrays.ts"
import { checkLayerChannels, elementsAlong, layerAxes } from "./options/axes.ts"
import { checkSomeBatches } from "./options/batches.ts"
import { checkJsonAxes, checkJsonNumbers, checkRecord, checkSomeColumns, checkVersion } from "./options/json.ts"
import { checkVariances } from "./options/numbers.ts"
import { checkAdapted, checkOptions } from "./options/settings.ts"
import type { FloatArray, Like, NdArray, OutOption, Owned, Vector } from "./types.ts"

const version = 1

/**
 * Standardizes data: each column to mean 0 and standard deviation 1, by the statistics of a whole data set that comes in
 * batches. A constant column becomes 0. As Keras's `Normalization` and scikit-learn's `StandardScaler`.
 */
export class Standardizer {
  /** The axis of the columns, as it was given. */
  readonly axis: readonly number[]
  #statistics: { readonly mean: Vector; readonly variance: Vector } | undefined

  /**
   * @param options `axis`: the axis of the columns, -1 unless given; several are a set; `[]`: all data are one column
   * @throws ArgumentError for an axis that cannot be
   */
  constructor(options?: { axis?: number | readonly number[] | undefined }) {
    const given = checkOptions(options, "options", ["axis"]) ?? {}
    this.axis = layerAxes(given.axis ?? -1)
  }

  /**
   * A copy of the mean of each column.
   *
   * @throws StateError before `adapt`
   */
  get mean(): Vector {
    return checkAdapted(this.#statistics).mean.slice()
  }

  /**
   * √(m2/count) of each column: 0 where it is constant, NaN where it holds NaN or Infinity.
   *
   * @throws StateError before `adapt`
   */
  get standardDeviation(): Vector {
    return checkAdapted(this.#statistics).variance.map(Math.sqrt)
  }

  /**
   * Takes the statistics of these batches, in place of those that it had. Memory does not grow with the data.
   *
   * @param batches arrays of any sizes with the same columns, in any iterable; an async one makes it a promise
   * @throws ArgumentError where there is no element; ShapeError where a batch has other columns. The statistics are then
   *   those that it had.
   */
  adapt(batches: Iterable<NdArray>): this
  adapt(batches: AsyncIterable<NdArray>): Promise<this>
  adapt(batches: Iterable<NdArray> | AsyncIterable<NdArray>): this | Promise<this> {
    let parts: Parts | undefined
    return eachBatch(
      batches,
      (batch, name) => {
        parts ??= noParts(this.#columnsOf(batch, name))
        merge(parts, partsOf(batch, name, parts.count.length, this.axis))
      },
      () => {
        const { count, mean, m2 } = checkSomeBatches(parts)
        this.#statistics = { mean, variance: m2.map((sum, column) => sum / (count[column] as number)) }
        return this
      },
    )
  }

  /**
   * (x-μ)/σ, and 0 in constant columns.
   *
   * @param x of any shape with the same columns
   * @returns an array like x, or `out`, which may be x
   * @throws StateError before `adapt`; ShapeError where x has other columns
   */
  transform<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
    x: NdArray<T>,
    options?: OutOption<Y>,
  ): Y {
    return this.#map(x, options, checkAdapted(this.#statistics))
  }

  /**
   * x·σ + μ, what `transform` came from; in constant columns μ.
   *
   * @param x of any shape with the same columns
   * @returns an array like x, or `out`, which may be x
   * @throws StateError before `adapt`; ShapeError where x has other columns
   */
  invert<T extends FloatArray, Y extends NdArray<Like<T>> = NdArray<Owned<T>>>(
    x: NdArray<T>,
    options?: OutOption<Y>,
  ): Y {
    const { mean } = checkAdapted(this.#statistics)
    const identity = { mean: mean.map(() => 0), variance: mean.map(() => 1) }
    return this.#map(x, options, { ...identity, gamma: this.standardDeviation, beta: mean })
  }

  /** Axis and statistics, for `JSON.stringify`. */
  toJSON(): object {
    const numbers = (values: Vector | undefined) => (values ? Array.from(values, jsonNumber) : null)
    const { mean, variance } = this.#statistics ?? {}
    return { version, axis: [...this.axis], mean: numbers(mean), variance: numbers(variance) }
  }

  /**
   * What `toJSON` wrote, to the last bit.
   *
   * @throws ArgumentError, ShapeError for anything else
   */
  static fromJSON(json: object): Standardizer {
    const record = checkRecord(json, ["version"], "json")
    checkVersion(record.version, version, "json.version")
    checkRecord(json, ["axis", "mean", "variance"], "json")
    const standardizer = new Standardizer({ axis: layerAxes(checkJsonAxes(record.axis, "json.axis"), "json.axis") })
    if (record.mean === null && record.variance === null) return standardizer
    const mean = Float64Array.from(checkJsonNumbers(record.mean, undefined, "json.mean"))
    checkSomeColumns(mean.length, "json.mean")
    const variance = Float64Array.from(checkJsonNumbers(record.variance, mean.length, "json.variance"))
    checkVariances(variance, "json.variance")
    standardizer.#statistics = { mean, variance }
    return standardizer
  }

  #columnsOf(batch: NdArray, name: string): number {
    const shape = checkShapeOf(batch, name)
    return elementsAlong(shape, checkLayerChannels(shape, this.axis, undefined, name))
  }

  #map<T extends FloatArray, Y extends NdArray<Like<T>>>(
    x: NdArray<T>,
    options: OutOption<Y> | undefined,
    map: { readonly mean: Vector; readonly variance: Vector; readonly gamma?: Vector; readonly beta?: Vector },
  ): Y {
    const { out } = checkOptions(options, "options", ["out"]) ?? {}
    checkLayerChannels(checkShapeOf(x, "x"), this.axis, map.mean.length, "x")
    return infer<T, Y>(x, { ...map, epsilon: 0, axis: this.axis, out })
  }
}
