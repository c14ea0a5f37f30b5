import type { BatchNormOptions, Convention } from "batchnorm"
import { classes, type Images, pixels } from "../examples/digits/images.ts"
import { accuracy } from "../examples/digits/loss.ts"
import type { Matrix } from "../examples/digits/matrix.ts"
import { norm as keras } from "../examples/digits/train.ts"
import { Training } from "../examples/digits/training.ts"
import { activationsOf } from "./activations.ts"
import type { Activations, Answer, Both, EpochOfOne, NetworkName, NormFacts, Settings } from "./messages.ts"

const units = 64

/** Of Keras the digits cannot wait for its own momentum; the others are as their frameworks have them. */
const normOf = (convention: Convention): BatchNormOptions => (convention === "keras" ? keras : { convention })

/** Both networks, in step: from the same weights, on the same batches. */
export class Pair {
  readonly batchesPerEpoch: number
  readonly #trainings: Both<Training>
  readonly #test: Images
  readonly #diverged = new Set<NetworkName>()

  /** @param images standardized */
  constructor(settings: Settings, images: { readonly train: Images; readonly test: Images }) {
    const { rate, batchSize, seed, hiddenLayers, convention } = settings
    const sizes = [pixels, ...Array<number>(hiddenLayers).fill(units), classes]
    const plan = { sizes, batchSize, rate, seed }
    this.#trainings = {
      with: new Training({ ...plan, norm: normOf(convention) }, images.train),
      without: new Training({ ...plan, norm: null }, images.train),
    }
    this.#test = images.test
    this.batchesPerEpoch = this.#trainings.with.batchesPerEpoch
  }

  get norm(): NormFacts {
    const norm = this.#trainings.with.network.hidden[0]?.norm
    if (!norm) throw new Error("there is no hidden layer")
    // Only a cumulative average, which no convention has unasked, is without a decay.
    return { epsilon: norm.epsilon, decay: norm.decay ?? Number.NaN, unbiased: norm.unbiased }
  }

  /** Before training. */
  untrained(): Both<EpochOfOne> {
    return { with: this.#judge("with", Number.NaN), without: this.#judge("without", Number.NaN) }
  }

  /** Trains both on the next batch. Says how they are where an epoch ends; null: had diverged before. */
  step(): Both<EpochOfOne | null> | undefined {
    const losses = { with: this.#step("with"), without: this.#step("without") }
    if (losses.with === undefined && losses.without === undefined) return undefined
    return { with: this.#end("with", losses.with), without: this.#end("without", losses.without) }
  }

  /** Whether neither can learn any more. */
  get isLost(): boolean {
    return this.#diverged.size === 2
  }

  /** What both say to one standardized image. */
  classify(x: Matrix): Both<Answer> {
    const answer = (name: NetworkName): Answer => {
      const { data } = this.#trainings[name].network.infer(x)
      return data.every(Number.isFinite) ? [...data] : null
    }
    return { with: answer("with"), without: answer("without") }
  }

  #step(name: NetworkName): number | undefined {
    return this.#diverged.has(name) ? undefined : this.#trainings[name].step()
  }

  #end(name: NetworkName, loss: number | undefined): EpochOfOne | null {
    if (loss === undefined) return null
    if (!Number.isFinite(loss)) this.#diverged.add(name)
    return this.#judge(name, loss)
  }

  #judge(name: NetworkName, loss: number): EpochOfOne {
    const layers: Activations[] = []
    const p = this.#trainings[name].network.infer(this.#test.x, (s3) => layers.push(activationsOf(s3)))
    return { loss, accuracy: accuracy(p, this.#test.labels), layers }
  }
}
