import { columnSums, type Matrix, multiply, transpose } from "./matrix.ts"
import { normal, type Random } from "./random.ts"

/** s = x·w, plus b where there is one. */
export class Dense {
  readonly w: Matrix
  readonly b: Float64Array | null

  constructor(inputs: number, outputs: number, bias: boolean, random: Random) {
    // He et al. 2015, the usual start for ReLU: the variance 2 / inputs keeps the scale of a signal from layer to layer.
    const deviation = Math.sqrt(2 / inputs)
    const data = Float32Array.from({ length: inputs * outputs }, () => deviation * normal(random))
    this.w = { data, shape: [inputs, outputs] }
    this.b = bias ? new Float64Array(outputs) : null
  }

  forward(x: Matrix): Matrix {
    const s = multiply(x, this.w)
    if (this.b) for (let i = 0; i < s.data.length; i++) s.data[i]! += this.b[i % this.b.length]!
    return s
  }

  /** Takes one step of SGD and gives dx, which is that of the weights before the step. */
  backward(x: Matrix, ds: Matrix, rate: number): Matrix {
    const dx = multiply(ds, transpose(this.w))
    descend(this.w.data, multiply(transpose(x), ds).data, rate)
    if (this.b) descend(this.b, columnSums(ds), rate)
    return dx
  }
}

/** Plain SGD: a step down the gradient, in place. */
export function descend(parameters: Float32Array | Float64Array, gradient: ArrayLike<number>, rate: number): void {
  for (let i = 0; i < parameters.length; i++) parameters[i]! -= rate * gradient[i]!
}
