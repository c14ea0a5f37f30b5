import { BatchNorm, type BatchNormOptions } from "batchnorm"
import { Dense, descend } from "./dense.ts"
import { crossEntropy, softmax } from "./loss.ts"
import { type Matrix, zeros } from "./matrix.ts"
import type { Random } from "./random.ts"

/**
 * With batch norm:                 Without:
 *
 *     s1 = x·w                         s = x·w + b
 *     s2 = (s1 - μ) / √(σ² + ε)        h = relu(s)
 *     s3 = γ·s2 + β
 *     h  = relu(s3)
 *
 * μ and σ² are the mean and the variance of each column of s1 over the batch; γ and β are learned.
 * There is no b beside β: to take off μ is to take off b.
 */
class HiddenLayer {
  readonly dense: Dense
  readonly norm: BatchNorm | null
  millisecondsInBatchNorm = 0
  #x: Matrix | undefined
  #h: Matrix | undefined

  constructor(inputs: number, outputs: number, norm: BatchNormOptions | null, random: Random) {
    this.dense = new Dense(inputs, outputs, !norm, random)
    this.norm = norm && new BatchNorm(outputs, norm)
  }

  forward(x: Matrix): Matrix {
    const { dense, norm } = this
    this.#x = x
    const s1 = dense.forward(x)
    // s2 and s3 in one pass. Not in place: backward takes s1 again.
    const s3 = norm ? this.#timed(() => norm.forward(s1, { out: zeros(...s1.shape) })) : s1
    this.#h = relu(s3)
    return this.#h
  }

  /** s3, or s, for test images: the running statistics in place of the batch's. */
  infer(x: Matrix): Matrix {
    const { dense, norm } = this
    const s1 = dense.forward(x)
    return norm ? this.#timed(() => norm.infer(s1, { out: s1 })) : s1
  }

  /** Takes one step of SGD in w and in γ and β, or b, and gives dx. */
  backward(dh: Matrix, rate: number): Matrix {
    const { dense, norm } = this
    if (!this.#x || !this.#h) throw new Error("backward comes after forward")
    const ds3 = reluGradient(dh, this.#h)
    if (!norm) return dense.backward(this.#x, ds3, rate)
    const { dx: ds1 } = this.#timed(() => norm.backward(ds3, { out: { dx: ds3 } }))
    descend(norm.gamma, norm.dgamma, rate)
    descend(norm.beta, norm.dbeta, rate)
    return dense.backward(this.#x, ds1, rate)
  }

  #timed<T>(work: () => T): T {
    const start = performance.now()
    const result = work()
    this.millisecondsInBatchNorm += performance.now() - start
    return result
  }
}

/** Hidden layers, then x·w + b and softmax. */
export class Network {
  readonly hidden: readonly HiddenLayer[]
  readonly output: Dense

  /**
   * @param sizes inputs, each hidden layer, outputs
   * @param norm of each hidden layer; null: without batch norm. Both kinds draw the same weights from the same `random`.
   */
  constructor(sizes: readonly number[], norm: BatchNormOptions | null, random: Random) {
    const layers = sizes.slice(1).map((outputs, i) => [sizes[i]!, outputs] as const)
    this.hidden = layers.slice(0, -1).map(([inputs, outputs]) => new HiddenLayer(inputs, outputs, norm, random))
    this.output = new Dense(...layers.at(-1)!, true, random)
  }

  /** One step of SGD on one batch. Returns its loss before the step. */
  train(x: Matrix, labels: Uint8Array, rate: number): number {
    const h = this.hidden.reduce((input, layer) => layer.forward(input), x)
    const { loss, gradient } = crossEntropy(softmax(this.output.forward(h)), labels)
    const dh = this.output.backward(h, gradient, rate)
    this.hidden.reduceRight((d, layer) => layer.backward(d, rate), dh)
    return loss
  }

  /** The probability of each class, per image. `see` is shown what each hidden layer gives to its ReLU. */
  infer(x: Matrix, see?: (s3: Matrix, layer: number) => void): Matrix {
    const h = this.hidden.reduce((input, layer, i) => {
      const s3 = layer.infer(input)
      see?.(s3, i)
      return relu(s3)
    }, x)
    return softmax(this.output.forward(h))
  }

  get millisecondsInBatchNorm(): number {
    return this.hidden.reduce((sum, layer) => sum + layer.millisecondsInBatchNorm, 0)
  }
}

function relu({ data, shape }: Matrix): Matrix {
  // Math.max keeps NaN, and so shows a divergence; `s > 0 ? s : 0` would hide it.
  return { data: data.map((s) => Math.max(s, 0)), shape }
}

function reluGradient(dh: Matrix, h: Matrix): Matrix {
  return { data: dh.data.map((d, i) => (h.data[i]! > 0 ? d : 0)), shape: dh.shape }
}
