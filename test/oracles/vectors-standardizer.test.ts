import { Standardizer } from "batchnorm"
import { afterEach, describe, test } from "vitest"
import { accuracyOf, Verdict } from "../support/framework-bounds.ts"
import { channelsOf } from "../support/framework-judge.ts"
import { type Case, casesOf, instances } from "../support/framework-vectors.ts"
import { Arrays } from "../support/numerics-arrays.ts"

interface StandardizerCase extends Case {
  /** Kept. */
  readonly axis: number | readonly number[]
  readonly batches: readonly string[]
  /** To transform, and to invert. */
  readonly x: string
  readonly z: string
  readonly due: {
    readonly mean: readonly number[]
    readonly variance: readonly number[]
    readonly transformed: readonly number[]
    readonly inverted: readonly number[]
  }
}

/** Keras divides by no less. */
const least = 1e-7

describe.each(instances)("$dtype, $residency", ({ dtype, residency }) => {
  const arrays = new Arrays(residency)
  afterEach(() => arrays.free())

  test.each(casesOf<StandardizerCase>("standardizers", dtype))("$name: adapt, transform and invert", (one) => {
    const { due } = one
    const batches = one.batches.map((name) => arrays.copy(one.array(name, dtype)))
    const standardizer = new Standardizer({ axis: one.axis }).adapt(batches)
    const [x, z] = [one.x, one.z].map((name) => arrays.copy(one.array(name, dtype)))
    const out = () => arrays.empty(x!.shape, dtype)
    const transformed = standardizer.transform(x!, { out: out() })
    const inverted = standardizer.invert(z!, { out: out() })

    const { u, batchLoss } = accuracyOf(dtype, one.exact)
    const deviations = due.variance.map(Math.sqrt)
    // Keras's own average of a constant's means is off by a last digit, and its variance by the square of that.
    const lost = (channel: number) => Math.max(batchLoss, 2 ** -50) * Math.abs(due.mean[channel]!)
    const ofMean = (channel: number) => 4 * u * deviations[channel]! + lost(channel)
    const ofDeviation = (channel: number) => 8 * u * deviations[channel]! + lost(channel)
    const verdict = new Verdict()
    verdict.near("mean", standardizer.mean, due.mean, ofMean)
    // That of a constant may be 0 or the least that is divided by.
    const varying = [...due.mean.keys()].filter((channel) => deviations[channel]! > 10 * least)
    verdict.near(
      "standardDeviation",
      varying.map((channel) => standardizer.standardDeviation[channel]!),
      varying.map((channel) => deviations[channel]!),
      (index) => ofDeviation(varying[index]!),
    )

    // A constant column becomes 0 whatever comes after, and the mean again; Keras divides by its least divisor.
    const wanted = Float64Array.from(due.transformed)
    const wantedBack = Float64Array.from(due.inverted)
    const ofTransformed = new Float64Array(x!.data.length)
    const ofInverted = new Float64Array(x!.data.length)
    for (const [channel, places] of channelsOf(x!.shape, one.axis).entries()) {
      const divisor = Math.max(deviations[channel]!, least)
      const part = deviations[channel]! > least ? ofDeviation(channel) / divisor : 0
      for (const place of places) {
        if (!varying.includes(channel)) [wanted[place], wantedBack[place]] = [0, due.mean[channel]!]
        const normalized = Math.abs(wanted[place]!)
        ofTransformed[place] = 8 * u * Math.max(1, normalized) + ofMean(channel) / divisor + normalized * part
        const offset = Math.abs(z!.data[place]!) * divisor
        ofInverted[place] = 8 * u * (offset + Math.abs(due.mean[channel]!)) + ofMean(channel) + offset * part
      }
    }
    verdict.near("transformed", transformed.data, wanted, (at) => ofTransformed[at]!)
    verdict.near("inverted", inverted.data, wantedBack, (at) => ofInverted[at]!)
    verdict.close()
  })
})
