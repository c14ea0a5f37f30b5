import { product } from "./arrays.ts"
import type { Layout } from "./dyadic.ts"
import { broadcast, groups } from "./naive.ts"

/** Weights as the functions take them. */
export interface WeightArray {
  readonly data: readonly number[]
  readonly shape: readonly number[]
}

/** Every shape that broadcasts to another without growing it; each other one without its leading ones. */
export function shapesBeside(shape: readonly number[]): number[][] {
  const wide = [...shape.keys()].filter((axis) => shape[axis]! > 1)
  return Array.from({ length: 2 ** wide.length }, (_, subset) => {
    const own = shape.map((size, axis) => ((subset >> wide.indexOf(axis)) % 2 === 1 || size === 1 ? size : 1))
    const first = own.findIndex((size) => size > 1)
    return subset % 2 === 0 ? own : own.slice(first === -1 ? own.length : first)
  })
}

export const reducedOf = ({ shape, axis }: Pick<Layout, "shape" | "axis">): number[] =>
  [...shape.keys()].filter((each) => !axis.includes(each))

const pattern = [1, 0, 0.5, 2, 0, 3, 0.25]

/** Weights of a shape of their own that leave each channel of a layout some; many are 0 where that can be. */
export function weightsBeside(layout: Pick<Layout, "shape" | "axis">, own: readonly number[], seed = 0): WeightArray {
  const data = Array.from({ length: product(own) }, (_, at) => pattern[(at * 5 + seed) % pattern.length]!)
  const all = broadcast({ data, shape: own }, layout.shape)
  const channels = groups(layout.shape, reducedOf(layout))
  const isBare = channels.some((places) => places.every((place) => all[place] === 0))
  return { data: isBare ? data.map((weight) => weight + 0.5) : data, shape: own }
}

/** γ and β of so many channels. */
export const parametersOf = (channels: number): { gamma: number[]; beta: number[] } => ({
  gamma: Array.from({ length: channels }, (_, channel) => ((channel * 7) % 11) / 4 - 1.125),
  beta: Array.from({ length: channels }, (_, channel) => ((channel * 5) % 13) / 4 - 1.375),
})
