// Rows that move, and rows that are cut into several, together with their weights, residuals and slopes.
import { backward, forward, type NdArray } from "batchnorm"
import fc from "fast-check"
import { expect, test } from "vitest"
import { type Dtype, layouts, ordinary } from "../support/numerics-arrays.ts"
import { Random } from "../support/numerics-random.ts"
import { dtype, runs, seed, timeout } from "./arbitraries.ts"

const activation = fc.constantFrom("relu" as const, null)

const rowsAndChannels = fc.record({
  layout: fc.constantFrom(...layouts),
  rows: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(63, 64, 65, 129, 513, 1025)),
  channels: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(16, 17, 63, 65)),
  dtype,
  seed,
  activation,
  perElement: fc.boolean(),
})

/** Numbers per row and channel, and where they lie in either layout. */
interface Table {
  readonly rows: number
  readonly channels: number
  /** Row by row. */
  readonly values: readonly number[]
}

const tableOf = (rows: number, channels: number, value: (row: number, channel: number) => number): Table => ({
  rows,
  channels,
  values: Array.from({ length: rows * channels }, (_, at) => value(Math.floor(at / channels), at % channels)),
})
const at = ({ channels, values }: Table, row: number, channel: number) => values[row * channels + channel]!

type Layout = (typeof layouts)[number]

/** [rows, channels], or its transpose. */
function lay({ rows, channels, values }: Table, layout: Layout, dtype: Dtype): NdArray {
  if (layout === "channels-last") return ordinary(values, [rows, channels], dtype)
  const transposed = values.map((_, index) => values[(index % rows) * channels + Math.floor(index / rows)]!)
  return ordinary(transposed, [channels, rows], dtype)
}

function readBack({ data }: NdArray, like: Table, layout: Layout): Table {
  return tableOf(like.rows, like.channels, (row, channel) =>
    layout === "channels-last" ? data[row * like.channels + channel]! : data[channel * like.rows + row]!,
  )
}

/** A pass there and back; weights of each element or one for each row. */
function pass(
  { x, dy, residual, weights }: Record<"x" | "dy" | "residual" | "weights", Table>,
  { layout, dtype, activation, perElement }: Pick<Run, "layout" | "dtype" | "activation" | "perElement">,
) {
  const isLast = layout === "channels-last"
  const spread = lay(weights, layout, "float64")
  const perRow = Array.from({ length: weights.rows }, (_, row) => at(weights, row, 0))
  const operands = {
    residual: lay(residual, layout, dtype),
    weights: perElement ? spread : { data: perRow, shape: isLast ? [weights.rows, 1] : [weights.rows] },
  }
  const [arrayX, arrayDy] = [lay(x, layout, dtype), lay(dy, layout, dtype)]
  const { y, saved } = forward(arrayX, { axis: isLast ? 1 : 0, epsilon: 0.1, activation, ...operands })
  const need = ["dx", "dgamma", "dbeta", "dresidual"] as const
  const { dx, dresidual, ...sums } = backward(arrayDy, arrayX, saved, { ...operands, need })
  const table = (array: NdArray) => readBack(array, x, layout)
  return { saved, ...sums, y: table(y), dx: table(dx), dresidual: table(dresidual) }
}

type Run = typeof rowsAndChannels extends fc.Arbitrary<infer R> ? R : never

/** x, dy, a residual and weights that leave each channel some. */
function tablesOf({ rows, channels, dtype, seed, perElement }: Run) {
  const random = new Random(seed)
  const rounded = (value: number) => (dtype === "float32" ? Math.fround(value) : value)
  const table = (offset: number) => tableOf(rows, channels, () => rounded(offset + random.normal()))
  const [x, dy, residual] = [table(3), table(0), table(0)]
  const draw = (row: number) => (row === 0 ? 1 : random.pick([0, 1, 2, 0.5, random.uniform()]))
  const perRow = Array.from({ length: rows }, (_, row) => draw(row))
  const weights = tableOf(rows, channels, (row) => (perElement ? draw(row) : perRow[row]!))
  return { x, dy, residual, weights }
}

/** Collects numbers that are not near each other, by the size of what they are sums of. */
function comparison() {
  const far: string[] = []
  const near = (what: string, a: number, b: number, dtype: Dtype, size: number) => {
    const isNear = Math.abs(a - b) <= (dtype === "float32" ? 1e-5 : 1e-12) * Math.max(1, size)
    if (!isNear) far.push(`${what}: ${a} and ${b}`)
  }
  return { far, near }
}

/** One side of a ReLU here may be the other side there. */
const isAtKink = (activation: "relu" | null, pairs: Iterable<readonly [number, number]>) =>
  activation !== null && [...pairs].some(([a, b]) => a > 0 !== b > 0)

test(
  "rows may be in any order if their weights and residuals are in the same",
  () => {
    const property = fc.property(rowsAndChannels, (run) => {
      const tables = tablesOf(run)
      const { rows, channels, dtype, activation } = run
      const random = new Random(run.seed + 1)
      const order = Array.from({ length: rows }, (_, row) => row)
      for (let row = rows - 1; row > 0; row--) {
        const other = random.below(row + 1)
        ;[order[row], order[other]] = [order[other]!, order[row]!]
      }
      const shuffled = (table: Table) => tableOf(rows, channels, (row, channel) => at(table, order[row]!, channel))
      const before = pass(tables, run)
      const { far, near } = comparison()
      const { x, dy, residual, weights } = tables
      const after = pass(
        { x: shuffled(x), dy: shuffled(dy), residual: shuffled(residual), weights: shuffled(weights) },
        run,
      )
      const due = shuffled(before.y)
      fc.pre(
        !isAtKink(
          activation,
          due.values.map((value, index) => [value, after.y.values[index]!]),
        ),
      )
      for (const name of ["y", "dx", "dresidual"] as const) {
        const expected = shuffled(before[name])
        for (const [index, value] of after[name].values.entries()) {
          near(`${name}[${index}]`, value, expected.values[index]!, dtype, 10)
        }
      }
      for (let channel = 0; channel < channels; channel++) {
        near("mean", after.saved.mean[channel]!, before.saved.mean[channel]!, "float64", 3)
        near("variance", after.saved.variance[channel]!, before.saved.variance[channel]!, "float64", 3)
        near("count", after.saved.count[channel]!, before.saved.count[channel]!, "float64", rows)
        near("dgamma", after.dgamma[channel]!, before.dgamma[channel]!, dtype, 10 * rows)
        near("dbeta", after.dbeta[channel]!, before.dbeta[channel]!, dtype, 10 * rows)
      }
      expect(far).toEqual([])
    })
    fc.assert(property, runs(60))
  },
  timeout,
)

test(
  "a row may be several that share its weight and its dy, or none where it has no weight",
  () => {
    const property = fc.property(rowsAndChannels, (run) => {
      const { x, dy, residual, weights } = tablesOf(run)
      const { rows, channels, dtype, activation } = run
      const random = new Random(run.seed + 1)
      // Of each new row, which it was and its share.
      const parts: { readonly row: number; readonly share: number }[] = []
      for (let row = 0; row < rows; row++) {
        const isNothing = weights.values.slice(row * channels, (row + 1) * channels).every((weight) => weight === 0)
        const count = isNothing ? random.below(3) : 1 + random.below(3)
        const share = random.pick([0.5, 0.25, 0.1])
        if (count === 1) parts.push({ row, share: 1 })
        if (count === 2) parts.push({ row, share }, { row, share: 1 - share })
        if (count === 3) parts.push({ row, share }, { row, share: 0.5 * share }, { row, share: 1 - 1.5 * share })
      }
      const split = (table: Table, isShared: boolean) =>
        tableOf(parts.length, channels, (part, channel) => {
          const { row, share } = parts[part]!
          return at(table, row, channel) * (isShared ? share : 1)
        })
      const before = pass({ x, dy, residual, weights }, run)
      const { far, near } = comparison()
      const after = pass(
        { x: split(x, false), dy: split(dy, true), residual: split(residual, false), weights: split(weights, true) },
        run,
      )
      const pairs = parts.map(({ row }, part) =>
        Array.from(
          { length: channels },
          (_, channel) => [at(before.y, row, channel), at(after.y, part, channel)] as const,
        ),
      )
      fc.pre(!isAtKink(activation, pairs.flat()))
      for (const [a, b] of pairs.flat()) near("y", b, a, dtype, 10)
      const dx = tableOf(rows, channels, () => 0).values as number[]
      for (const [part, { row }] of parts.entries()) {
        for (let channel = 0; channel < channels; channel++)
          dx[row * channels + channel]! += at(after.dx, part, channel)
      }
      for (const [index, value] of dx.entries()) near(`dx[${index}]`, value, before.dx.values[index]!, dtype, 10)
      for (let channel = 0; channel < channels; channel++) {
        near("mean", after.saved.mean[channel]!, before.saved.mean[channel]!, "float64", 3)
        near("variance", after.saved.variance[channel]!, before.saved.variance[channel]!, "float64", 3)
        near("count", after.saved.count[channel]!, before.saved.count[channel]!, "float64", rows)
        near("dgamma", after.dgamma[channel]!, before.dgamma[channel]!, dtype, 10 * rows)
        near("dbeta", after.dbeta[channel]!, before.dbeta[channel]!, dtype, 10 * rows)
      }
      expect(far).toEqual([])
    })
    fc.assert(property, runs(60))
  },
  timeout,
)
