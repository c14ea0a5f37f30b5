// The contract of docs/numerics.md, each row of its table, over families of hostile inputs.
//
// VITE_CONTRACT_SEED repeats a run, VITE_CONTRACT_ROUNDS runs more of them, VITE_CONTRACT_REPORT=1 prints the worst of each.
import { backward, forward, infer, moments, type NdArray } from "batchnorm"
import { afterAll, describe, expect, test } from "vitest"
import { placesOf } from "../reference.ts"
import {
  Arrays,
  type Dtype,
  dtypes,
  inBrowser,
  type Layout,
  layouts,
  ordinary,
  product,
  type Residency,
  residencies,
  setting,
} from "../support/numerics-arrays.ts"
import {
  channelOf,
  exactMoments,
  gather,
  judgeBackward,
  judgeForward,
  judgeMoments,
  type Parameters,
  type Quantity,
} from "../support/numerics-contract.ts"
import { families, slopes } from "../support/numerics-families.ts"
import { Random } from "../support/numerics-random.ts"

const seed = Number(setting("VITE_CONTRACT_SEED") ?? 1)
const rounds = Number(setting("VITE_CONTRACT_ROUNDS") ?? 1)
const casesPerFamily = inBrowser ? 1 : 3

// Elements per channel: around every lane, tree, block, copy and chunk.
const lengths = [
  1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 31, 32, 33, 48, 63, 64, 65, 100, 127, 128, 129, 191, 193, 255, 256, 257,
  511, 512, 513, 1000, 1023, 1024, 1025, 1535, 1536, 2047, 2048, 2049, 3071, 5000, 8191, 8192, 8193, 16385,
]
const inners = [2, 3, 4, 5, 7, 9, 16, 49, 64, 196, 341, 511, 512, 513, 1023, 1024, 1025, 2047, 2049, 3136]
const many = [127, 128, 129, 255, 257, 511, 1023, 1025, 2047, 2048, 2049]

interface Instance {
  readonly layout: Layout
  readonly dtype: Dtype
  readonly residency: Residency
  readonly place: "out of place" | "in place"
}

const instances: Instance[] = layouts.flatMap((layout) =>
  dtypes.flatMap((dtype) =>
    residencies.flatMap((residency) =>
      (["out of place", "in place"] as const).map((place) => ({ layout, dtype, residency, place })),
    ),
  ),
)

/** [outer, reduce, channels, inner], of a size that keeps the tests short. */
function shapeOf(layout: Layout, length: number, random: Random): number[] {
  const most = Math.max(Math.floor(2000 / length), random.pick([1, 2, 3]))
  const fitting = many.filter((channels) => channels <= most)
  const channels =
    random.below(8) === 0 && fitting.length > 0 ? random.pick(fitting) : 1 + random.below(Math.min(70, most))
  const outer = length * channels < 700 && random.below(4) === 0 ? 2 + random.below(2) : 1
  if (layout === "channels-last") return [outer, length, channels, 1]
  const shorter = inners.filter((inner) => inner <= length)
  if (shorter.length === 0 || random.below(3) === 0) return [outer, 1, channels, Math.max(2, length)]
  const inner = random.pick(shorter)
  return [outer, Math.ceil(length / inner), channels, inner]
}

function parametersOf(random: Random, count: number): Parameters[] {
  const gammas = [1, -1, 0, 1e-20, 1e20, 1e-38, 3e30, -0.37, 1e-3]
  const betas = [0, 1, -0.3, 1e-20, 1e6, -1e30]
  const plain = random.below(2) === 0
  const pick = (of: number[]) => (plain ? random.normal() : random.pick(of) * (1 + random.uniform()))
  const epsilon = random.pick([0, 1e-3, 1e-5, 1e-12])
  return Array.from({ length: count }, () => ({ gamma: pick(gammas), beta: pick(betas), epsilon }))
}

/** Which elements of a channel are looked at: its ends, and some in between. */
function sampleOf(length: number): number[] {
  const step = 1 + Math.floor(length / 30)
  return Array.from({ length }, (_, i) => i).filter((i) => i < 9 || i + 9 >= length || i % step === 0)
}

const worst = new Map<string, { ratio: number; what: string }>()

/** Runs one case and returns what is out of bound. */
function check(instance: Instance, family: string, caseSeed: number, length: number): string[] {
  const { layout, dtype, residency, place } = instance
  const random = new Random(caseSeed)
  const shape = shapeOf(layout, length, random)
  const axis = [0, 2]
  const places = placesOf(shape, axis)
  const count = places[0]!.length
  const parameters = parametersOf(random, places.length)
  const gamma = parameters.map((each) => each.gamma)
  const beta = parameters.map((each) => each.beta)
  const { epsilon } = parameters[0]!
  const slopeFamily = random.pick(Object.keys(slopes))
  const relu = random.below(2) === 0
  const frozen = random.below(4) === 0

  const array = (make: (random: Random, length: number) => number[]) => {
    const values = new Float64Array(product(shape))
    const limit = dtype === "float32" ? 2 ** 126 : 2 ** 1022
    for (const channel of places) {
      const elements = make(random, count)
      for (const [index, at] of channel.entries()) values[at] = Math.max(-limit, Math.min(limit, elements[index]!))
    }
    return ordinary(values, shape, dtype)
  }
  const x = array(families[family]!)
  const dy = array(slopes[slopeFamily]!)

  const arrays = new Arrays(residency)
  try {
    const options = { gamma, beta, epsilon, axis, activation: relu ? "relu" : null } as const
    const target = (like: NdArray) => (place === "in place" ? like : arrays.empty(shape, dtype))
    const input = arrays.copy(x)
    const batch = moments(input, [1, 3])
    const given = {
      mean: batch.mean.data.map((mean, i) => mean + random.normal() * Math.sqrt(batch.variance.data[i]!)),
      variance: batch.variance.data.map((variance) => variance * (0.2 + 2 * random.uniform())),
    }
    const chosen = frozen ? { ...options, ...given } : options
    const first = arrays.copy(x)
    const yGiven = infer(first, { ...options, ...given, out: target(first) })
    const second = arrays.copy(x)
    const { y } = forward(second, { ...chosen, out: { y: target(second) } })
    const { saved } = forward(input, chosen)
    const slope = arrays.copy(dy)
    const { dx, dgamma, dbeta } = backward(slope, input, saved, { out: { dx: target(slope) } })

    const broken: string[] = []
    const describeCase = `${family} (dy ${slopeFamily}), seed ${caseSeed}, shape [${shape.join(", ")}], epsilon ${epsilon}`
    for (const [statistic, channel] of places.entries()) {
      const note = (quantity: Quantity, ratio: number, what: string) => {
        const { gamma, beta } = parameters[statistic]!
        const whole = () =>
          `${quantity}: error / bound ${ratio} at channel ${statistic}, ${what}, gamma ${gamma}, beta ${beta}, ` +
          `relu ${relu}, frozen ${frozen}; ${describeCase}`
        const key = `${dtype} ${quantity}`
        if (ratio > (worst.get(key)?.ratio ?? -1)) worst.set(key, { ratio, what: `${layout} ${whole()}` })
        if (!(ratio <= 1)) broken.push(whole())
      }
      const elements = { x: gather(x.data, channel), at: sampleOf(count) }
      const looked = elements.at.map((index) => channel[index]!)
      const due = exactMoments(dtype, elements.x)
      const mean = batch.mean.data[statistic]!
      const variance = batch.variance.data[statistic]!
      const own = parameters[statistic]!
      if (due.covered) {
        judgeMoments(dtype, due, mean, variance, note)
        if (!frozen) {
          judgeForward(
            dtype,
            "y batch",
            channelOf(due.mean, due.variance, own),
            elements,
            gather(y.data, looked),
            relu,
            note,
          )
        }
      }
      const givenChannel = channelOf(given.mean[statistic]!, given.variance[statistic]!, own)
      judgeForward(dtype, "y given", givenChannel, elements, gather(yGiven.data, looked), relu, note)

      // The gradient is that of the statistics, and of the side of the ReLU, that the forward used.
      const used = frozen ? givenChannel : channelOf(mean, variance, own)
      const through = channel.map((at) => (relu && !(y.data[at]! > 0) ? 0 : dy.data[at]!))
      const got = { dbeta: dbeta[statistic]!, dgamma: dgamma[statistic]!, dx: gather(dx.data, looked) }
      judgeBackward(dtype, used, elements, through, got, frozen, note)
    }
    return broken
  } finally {
    arrays.free()
  }
}

afterAll(() => {
  if (setting("VITE_CONTRACT_REPORT")) {
    console.log(
      [...worst]
        .sort()
        .map(([key, { ratio, what }]) => `${key}: ${ratio.toFixed(4)} (${what})`)
        .join("\n"),
    )
  }
})

describe.each(instances)("$layout, $dtype, $residency, $place", (instance) => {
  const number = instances.indexOf(instance)

  test.each(Object.keys(families))("%s: each quantity stays within its bound", (family) => {
    const broken: string[] = []
    const own = Object.keys(families).indexOf(family)
    for (let round = 0; round < casesPerFamily * rounds; round++) {
      // Each family meets every length, in one instance or another.
      const length = lengths[(number * casesPerFamily + round + own * 5) % lengths.length]!
      const index = (number * 64 + own) * 64 + round
      broken.push(...check(instance, family, seed * 1e6 + index, length))
    }
    const repeat = `VITE_CONTRACT_SEED=${seed} VITE_CONTRACT_ROUNDS=${rounds} npx vitest run test/numerics/contract.test.ts`
    const name = `${instance.layout}, ${instance.dtype}, ${instance.residency}, ${instance.place} ${family}`
    expect(broken.length, `${broken.slice(0, 5).join("\n")}\nrepeat: ${repeat} -t "${name}"`).toBe(0)
  })
})
