/** The frameworks whose defaults and meanings the layer knows. */
export type Convention = "keras" | "torch" | "onnx" | "tf-fused"

interface Meaning {
  /** The channel axis. */
  readonly axis: number
  readonly epsilon: number
  /** The default momentum. */
  readonly momentum: number
  /** Momentum is the weight of the old running value (else of the new one). */
  readonly weighsOld: boolean
  /** The running variance is m2/(m-1) (else m2/m). */
  readonly unbiased: boolean
  /** `momentum: null` means a cumulative average. */
  readonly cumulative: boolean
  /** What training on one element per channel is. */
  readonly singleElement: "allow" | "throw"
  /** x of rank 1 is one channel. */
  readonly rankOne: boolean
}

/** Keras 3, torch.nn.BatchNorm*, ONNX BatchNormalization-15, tf.raw_ops.FusedBatchNormV3. */
export const conventions: Readonly<Record<Convention, Meaning>> = {
  keras: {
    axis: -1,
    epsilon: 1e-3,
    momentum: 0.99,
    weighsOld: true,
    unbiased: false,
    cumulative: false,
    singleElement: "allow",
    rankOne: false,
  },
  torch: {
    axis: 1,
    epsilon: 1e-5,
    momentum: 0.1,
    weighsOld: false,
    unbiased: true,
    cumulative: true,
    singleElement: "throw",
    rankOne: false,
  },
  onnx: {
    axis: 1,
    epsilon: 1e-5,
    momentum: 0.9,
    weighsOld: true,
    unbiased: false,
    cumulative: false,
    singleElement: "allow",
    rankOne: true,
  },
  "tf-fused": {
    axis: -1,
    epsilon: 1e-3,
    momentum: 1,
    weighsOld: false,
    unbiased: true,
    cumulative: false,
    singleElement: "allow",
    rankOne: false,
  },
}
