/** The frameworks whose defaults and meanings the layer knows. */
export type Convention = "keras" | "torch" | "onnx" | "tf-fused"

/** What a framework calls the state of a layer, in the order of its files. */
type StateNames = readonly [
  gamma: string,
  beta: string,
  runningMean: string,
  runningVariance: string,
  /** How many batches the running statistics have followed; none: its state does not say. */
  batches?: string,
]

/**
 * The count up to which a channel counts as having one element, hence no unbiased variance: weights that were normalized
 * sum up to 1 and what rounding adds, and m/(m-1) would be anything.
 */
export const oneElement: number = 1 + 2 ** -10

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
  readonly names: StateNames
  /** γ and β in the state of a layer that does not use them: left out each, left out both or neither, written as 1 and 0. */
  readonly unused: "left out" | "left out together" | "written"
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
    unused: "left out",
    names: ["gamma", "beta", "moving_mean", "moving_variance"],
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
    unused: "left out together",
    names: ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"],
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
    unused: "written",
    names: ["scale", "B", "input_mean", "input_var"],
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
    unused: "written",
    names: ["scale", "offset", "mean", "variance"],
  },
}

/** Which of its parameters a layer uses: γ with `scale`, β with `center`. */
export interface Uses {
  readonly scale: boolean
  readonly center: boolean
}

/** Whether a framework's state of such a layer has γ and β. */
export function parametersOf(convention: Convention, { scale, center }: Uses): { gamma: boolean; beta: boolean } {
  switch (conventions[convention].unused) {
    case "left out":
      return { gamma: scale, beta: center }
    case "left out together":
      return { gamma: scale || center, beta: scale || center }
    case "written":
      return { gamma: true, beta: true }
  }
}
