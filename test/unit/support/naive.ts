// What the functions are to give, element by element, in doubles: only for numbers that are far from any trouble.
// How near the results come is the matter of test/numerics.

/** Row-major steps from one index to the next along each axis. */
function stepsOf(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((step, size) => step * size, 1))
}

/** For each element of an array of this shape, its index along each axis. */
function indices(shape: readonly number[]): number[][] {
  const steps = stepsOf(shape)
  const length = shape.reduce((count, size) => count * size, 1)
  return Array.from({ length }, (_, at) => shape.map((size, axis) => Math.floor(at / steps[axis]!) % size))
}

/** An array and the shape by which it broadcasts; a bare number or array stands for its own. */
export type Spread =
  | number
  | readonly number[]
  | { readonly data: ArrayLike<number>; readonly shape: readonly number[] }

/** Broadcasts to a shape as NumPy does: shapes line up at their last axes, and size 1 stretches. */
export function broadcast(value: Spread, to: readonly number[]): number[] {
  const { data, shape } =
    typeof value === "number"
      ? { data: [value], shape: [] }
      : "data" in value
        ? value
        : { data: value, shape: [value.length] }
  const steps = stepsOf(shape)
  const missing = to.length - shape.length
  return indices(to).map((index) => {
    const at = shape.map((size, axis) => (size === 1 ? 0 : index[missing + axis]! * steps[axis]!))
    return data[at.reduce((sum, step) => sum + step, 0)]!
  })
}

/** For each statistic, in the order of the kept axes, the places of its elements. */
export function groups(shape: readonly number[], reduced: readonly number[]): number[][] {
  const kept = shape.map((size, axis) => (reduced.includes(axis) ? 1 : size))
  const steps = stepsOf(kept)
  const found: number[][] = Array.from({ length: kept.reduce((count, size) => count * size, 1) }, () => [])
  for (const [at, index] of indices(shape).entries()) {
    const group = kept.reduce((sum, size, axis) => sum + (size === 1 ? 0 : index[axis]! * steps[axis]!), 0)
    found[group]!.push(at)
  }
  return found
}

const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Mean and biased variance of some places of an array. */
export function momentsOf(x: ArrayLike<number>, places: readonly number[]): { mean: number; variance: number } {
  const values = places.map((at) => x[at]!)
  const mean = average(values)
  return { mean, variance: average(values.map((value) => (value - mean) ** 2)) }
}
