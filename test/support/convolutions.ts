// Convolutions as the textbook has them: one product after the other, in doubles, of stride 1 and without padding.
import type { ConvLayout } from "batchnorm"

export interface Convolution {
  readonly layout: ConvLayout
  /** Of the depthwise layout: the inputs. */
  readonly groups: number
  /** Sizes of the window, along 1 to 3 axes. */
  readonly space: readonly number[]
  /** Input and output channels of all groups. */
  readonly inputs: number
  readonly outputs: number
}

export const convLayouts: readonly ConvLayout[] = ["hwio", "oihw", "iohw", "hwoi", "hwim"]

const size = (shape: readonly number[]): number => shape.reduce((product, each) => product * each, 1)

/** The shape of the weights. */
export function weightShape({ layout, groups, space, inputs, outputs }: Convolution): number[] {
  switch (layout) {
    case "hwio":
      return [...space, inputs / groups, outputs]
    case "oihw":
      return [outputs, inputs / groups, ...space]
    case "iohw":
      return [inputs, outputs / groups, ...space]
    case "hwoi":
      return [...space, outputs / groups, inputs]
    case "hwim":
      return [...space, inputs, outputs / inputs]
  }
}

/** Where the weight from an input to an output channel of its group lies, at a place of the window. */
function weightAt({ layout, groups, space, inputs, outputs }: Convolution, k: number, i: number, o: number): number {
  const [perInput, perOutput] = [inputs / groups, outputs / groups]
  const [inGroup, outGroup] = [i % perInput, o % perOutput]
  switch (layout) {
    case "hwio":
      return (k * perInput + inGroup) * outputs + o
    case "oihw":
      return (o * perInput + inGroup) * size(space) + k
    case "iohw":
      return (i * perOutput + outGroup) * size(space) + k
    case "hwoi":
      return (k * perOutput + outGroup) * inputs + i
    case "hwim":
      return (k * inputs + i) * perOutput + outGroup
  }
}

/** Which input meets which output, at which place of the window: those of the same group, at each. */
function* links(convolution: Convolution): Generator<{ at: number; k: number; i: number; o: number }> {
  const { groups, space, inputs, outputs } = convolution
  for (let k = 0; k < size(space); k++) {
    for (let i = 0; i < inputs; i++) {
      const group = Math.floor(i / (inputs / groups))
      for (let j = 0; j < outputs / groups; j++) {
        const o = group * (outputs / groups) + j
        yield { at: weightAt(convolution, k, i, o), k, i, o }
      }
    }
  }
}

/** For each weight, the output channel that it goes to. */
export function outputsOf(convolution: Convolution): number[] {
  const found: number[] = Array(size(weightShape(convolution))).fill(Number.NaN)
  for (const { at, o } of links(convolution)) found[at] = o
  return found
}

/** The index along each axis of an element. */
function indexOf(place: number, shape: readonly number[]): number[] {
  return shape.map((each, axis) => Math.floor(place / size(shape.slice(axis + 1))) % each)
}

const placeOf = (index: readonly number[], shape: readonly number[]): number =>
  index.reduce((place, each, axis) => place * shape[axis]! + each, 0)

export interface Image {
  readonly data: Float64Array<ArrayBuffer>
  /** [channels, ...sizes]. */
  readonly shape: readonly number[]
}

/** The convolution of an image, transposed in the layouts of such. */
export function convolve(
  convolution: Convolution,
  image: Image,
  weights: ArrayLike<number>,
  bias: ArrayLike<number> | null,
): Image {
  const { layout, space, outputs } = convolution
  const isTransposed = layout === "iohw" || layout === "hwoi"
  const sizes = image.shape.slice(1)
  const results = sizes.map((each, axis) => (isTransposed ? each + space[axis]! - 1 : each - space[axis]! + 1))
  const shape = [outputs, ...results]
  const data = Float64Array.from({ length: size(shape) }, (_, place) => bias?.[Math.floor(place / size(results))] ?? 0)
  // A window lies at each place of the smaller of the two images and meets one of the larger for each of its own.
  const [small, large] = isTransposed ? [sizes, results] : [results, sizes]
  for (const { at, k, i, o } of links(convolution)) {
    const shift = indexOf(k, space)
    for (let place = 0; place < size(small); place++) {
      const met = placeOf(
        indexOf(place, small).map((each, axis) => each + shift[axis]!),
        large,
      )
      const [from, to] = isTransposed ? [place, met] : [met, place]
      data[o * size(results) + to]! += image.data[i * size(sizes) + from]! * weights[at]!
    }
  }
  return { data, shape }
}

export interface Numbers {
  readonly mean: ArrayLike<number>
  readonly variance: ArrayLike<number>
  readonly gamma?: ArrayLike<number> | null | undefined
  readonly beta?: ArrayLike<number> | null | undefined
  readonly epsilon: number
}

/** (y-μ)/√(σ²+ε)·γ + β, channel by channel. */
export function normalize({ data, shape }: Image, { mean, variance, gamma, beta, epsilon }: Numbers): number[] {
  const length = size(shape.slice(1))
  return Array.from(data, (y, place) => {
    const channel = Math.floor(place / length)
    const scale = (gamma?.[channel] ?? 1) / Math.sqrt(variance[channel]! + epsilon)
    return (y - mean[channel]!) * scale + (beta?.[channel] ?? 0)
  })
}
