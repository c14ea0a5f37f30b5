import type { BatchNormOptions } from "batchnorm"
import { classes, type Images, pixels } from "./images.ts"
import { accuracy } from "./loss.ts"
import { Training } from "./training.ts"

/** Inputs, five hidden layers, outputs. Deep enough that an unlucky scale is multiplied up layer by layer. */
export const sizes: readonly number[] = [pixels, 64, 64, 64, 64, 64, classes]
/** 23 batches of 60 and the 57 images that remain. */
export const batchSize = 60
/**
 * A test image is judged by the running statistics, a moving average over the batches. With 24 batches an epoch the default
 * momentum, 0.99, would hold on to the initial ones for too long: after four epochs they would still weigh 38 %.
 */
export const norm: BatchNormOptions = { momentum: 0.9 }

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

/** Trains one network. */
export function train(
  { rate, batchNorm }: Setting,
  images: { readonly train: Images; readonly test: Images },
  { epochs: count, seed }: { readonly epochs: number; readonly seed: number },
  onEpoch: (epoch: Epoch) => void,
): Run {
  const training = new Training({ sizes, norm: batchNorm ? norm : null, batchSize, rate, seed }, images.train)
  const { network } = training
  const epochs: Epoch[] = []
  let diverged = false
  while (epochs.length < count && !diverged) {
    let loss: number | undefined
    while (loss === undefined) loss = training.step()
    const epoch = { loss, accuracy: accuracy(network.infer(images.test.x), images.test.labels) }
    epochs.push(epoch)
    diverged = !Number.isFinite(loss)
    onEpoch(epoch)
  }
  return { rate, batchNorm, epochs, diverged, millisecondsInBatchNorm: network.millisecondsInBatchNorm }
}
