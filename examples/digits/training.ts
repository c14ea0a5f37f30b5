import type { BatchNormOptions } from "batchnorm"
import { type Images, select } from "./images.ts"
import { Network } from "./network.ts"
import { mulberry32, permutation, type Random } from "./random.ts"

/** What is trained, and how. */
export interface Plan {
  /** Inputs, each hidden layer, outputs. */
  readonly sizes: readonly number[]
  /** null: without batch norm. */
  readonly norm: BatchNormOptions | null
  readonly batchSize: number
  /** The learning rate. */
  readonly rate: number
  readonly seed: number
}

/** A network in training. Those of one seed start from the same weights and see the same batches in the same order. */
export class Training {
  readonly network: Network
  readonly batchesPerEpoch: number
  readonly #images: Images
  readonly #plan: Plan
  readonly #random: Random
  #order: Uint32Array = new Uint32Array()
  #next = 0
  #loss = 0

  constructor(plan: Plan, images: Images) {
    this.#plan = plan
    this.#images = images
    this.#random = mulberry32(plan.seed)
    this.network = new Network(plan.sizes, plan.norm, this.#random)
    this.batchesPerEpoch = Math.ceil(images.labels.length / plan.batchSize)
  }

  /**
   * Trains on the next batch; the last one of an epoch is what remains. Gives the mean loss of the epoch where it ends, which is
   * no finite number where the network has diverged.
   */
  step(): number | undefined {
    const { batchSize, rate } = this.#plan
    if (this.#next === 0) {
      this.#order = permutation(this.#images.labels.length, this.#random)
      this.#loss = 0
    }
    const { x, labels } = select(this.#images, this.#order.subarray(this.#next, this.#next + batchSize))
    this.#loss += (this.network.train(x, labels, rate) * labels.length) / this.#order.length
    this.#next += labels.length
    if (this.#next < this.#order.length) return undefined
    this.#next = 0
    return this.#loss
  }
}
