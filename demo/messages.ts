// What the page and its workers tell each other.

import type { Convention } from "batchnorm"

/** What the visitor chooses. */
export interface Settings {
  /** The learning rate of SGD. */
  readonly rate: number
  readonly hiddenLayers: number
  readonly batchSize: number
  readonly convention: Convention
  readonly seed: number
}

/** How often each network sees every training image. */
export const epochs = 20

/** Both networks, in the order in which they stand everywhere. */
export const networks = ["with", "without"] as const
export type NetworkName = (typeof networks)[number]
export type Both<T> = Readonly<Record<NetworkName, T>>

/** What a hidden layer gives to its ReLU, over all its units and all test images. */
export interface Activations {
  /** How many values lie in each bin, from the least bin on; activations.ts says where those lie. */
  readonly counts: Uint32Array
  readonly mean: number
  readonly deviation: number
  /** Shares of the values: above 0, which the ReLU lets through, and outside of the bins. NaN counts as outside. */
  readonly positive: number
  readonly outside: number
}

/** A network after an epoch; after epoch 0 it has not trained yet. */
export interface EpochOfOne {
  /** The mean over the batches; NaN before training and where the network has diverged. */
  readonly loss: number
  /** The share of the test images told right. */
  readonly accuracy: number
  readonly layers: readonly Activations[]
}

/** How the layers with batch norm keep their running statistics. */
export interface NormFacts {
  readonly epsilon: number
  /** The weight of the old value. */
  readonly decay: number
  readonly unbiased: boolean
}

/** The probability of each digit; null where there is none, the network having diverged. */
export type Answer = readonly number[] | null

/** To the worker that trains. `run` tells messages of one start from those of the one before. */
export type Command =
  | { readonly kind: "start"; readonly run: number; readonly settings: Settings }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | { readonly kind: "classify"; readonly pixels: Float32Array }
  | { readonly kind: "test image"; readonly index: number }

/** From the worker that trains. */
export type Report =
  | { readonly kind: "ready"; readonly train: number; readonly test: number }
  | { readonly kind: "started"; readonly run: number; readonly batchesPerEpoch: number; readonly norm: NormFacts }
  | { readonly kind: "batch"; readonly run: number; readonly batches: number }
  | { readonly kind: "epoch"; readonly run: number; readonly epoch: number; readonly networks: Both<EpochOfOne | null> }
  | { readonly kind: "finished"; readonly run: number }
  | { readonly kind: "answers"; readonly answers: Both<Answer> }
  | { readonly kind: "test image"; readonly pixels: Float32Array; readonly label: number }
  | Failure

/** What went wrong, and the code of the error where it is the package's, or of digits that did not come. */
export interface Failure {
  readonly kind: "failed"
  readonly code: string | undefined
  readonly message: string
}
