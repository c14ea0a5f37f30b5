import { classes, type Images, pixels, select } from "./data.ts"
import { accuracy } from "./loss.ts"
import { Network } from "./network.ts"
import { mulberry32, permutation } from "./random.ts"

/** Inputs, five hidden layers, outputs. Deep enough that an unlucky scale is multiplied up layer by layer. */
export const sizes: readonly number[] = [pixels, 64, 64, 64, 64, 64, classes]
export const batchSize = 60

export interface Setting {
  readonly rate: number
  readonly batchNorm: boolean
}

/** After each epoch: the mean loss over its batches, and the share of the test images told right. */
export interface Epoch {
  readonly loss: number
  readonly accuracy: number
}

export interface Run extends Setting {
  /** Ends with the first epoch whose loss is not a finite number. */
  readonly epochs: readonly Epoch[]
  readonly diverged: boolean
  readonly millisecondsInBatchNorm: number
}

/** Trains one network. Runs of one seed start from the same weights and see the same batches in the same order. */
export function train(
  { rate, batchNorm }: Setting,
  images: { readonly train: Images; readonly test: Images },
  { epochs: count, seed }: { readonly epochs: number; readonly seed: number },
  onEpoch: (epoch: Epoch) => void,
): Run {
  const random = mulberry32(seed)
  const network = new Network(sizes, batchNorm, random)
  const epochs: Epoch[] = []
  let diverged = false
  while (epochs.length < count && !diverged) {
    const loss = trainEpoch(network, images.train, permutation(images.train.labels.length, random), rate)
    const epoch = { loss, accuracy: accuracy(network.infer(images.test.x), images.test.labels) }
    epochs.push(epoch)
    diverged = !Number.isFinite(loss)
    onEpoch(epoch)
  }
  return { rate, batchNorm, epochs, diverged, millisecondsInBatchNorm: network.millisecondsInBatchNorm }
}

/** 23 batches of 60 and the 57 images that remain. */
function trainEpoch(network: Network, images: Images, order: Uint32Array, rate: number): number {
  let loss = 0
  for (let i = 0; i < order.length; i += batchSize) {
    const batch = select(images, order.subarray(i, i + batchSize))
    loss += (network.train(batch.x, batch.labels, rate) * batch.labels.length) / order.length
  }
  return loss
}
