// The rows of the table of edges in docs/numerics.md, for the layer: in every mode, convention, element type and place.
import { BatchNorm, type BatchNormOptions, type Convention, type NdArray } from "batchnorm"
import { describe, expect, test } from "vitest"
import { label, place, product, type Setting, settings } from "./support/arrays.ts"
import { argumentError, expectRefused, type Refusal, shapeError } from "./support/refuses.ts"

interface Meaning {
  readonly convention: Convention
  /** The channel axis, and shapes of 3 channels with 4 elements each, 1 and none. */
  readonly axis: number
  readonly shapes: Readonly<Record<"four" | "one" | "none", readonly number[]>>
  /** The weight of the old running value. */
  readonly decay: number
  readonly unbiased: boolean
}

const last = { axis: 2, shapes: { four: [2, 2, 3], one: [1, 1, 3], none: [0, 2, 3] } }
const second = { axis: 1, shapes: { four: [2, 3, 2], one: [1, 3, 1], none: [2, 3, 0] } }

const meanings: readonly Meaning[] = [
  { convention: "keras", ...last, decay: 0.99, unbiased: false },
  { convention: "torch", ...second, decay: 0.9, unbiased: true },
  { convention: "onnx", ...second, decay: 0.9, unbiased: false },
  { convention: "tf-fused", ...last, decay: 0, unbiased: true },
]

interface Mode {
  readonly mode: string
  /** Whose statistics y is normalized by. */
  readonly by: "batch" | "running"
  /** Whether the running statistics follow. */
  readonly follows: boolean
  /** Whether there is a backward pass. */
  readonly trains: boolean
  readonly run: (layer: BatchNorm, x: NdArray, out?: NdArray) => NdArray
}

const modes: readonly Mode[] = [
  { mode: "training", by: "batch", follows: true, trains: true, run: (layer, x, out) => layer.forward(x, { out }) },
  {
    mode: "training, updateRunning: false",
    by: "batch",
    follows: false,
    trains: true,
    run: (layer, x, out) => layer.forward(x, { updateRunning: false, out }),
  },
  {
    mode: "training: false",
    by: "running",
    follows: false,
    trains: true,
    run: (layer, x, out) => layer.forward(x, { training: false, out }),
  },
  {
    mode: "frozen",
    by: "running",
    follows: false,
    trains: true,
    run: (layer, x, out) => {
      layer.frozen = true
      try {
        return layer.forward(x, { out })
      } finally {
        layer.frozen = false
      }
    },
  },
  { mode: "infer", by: "running", follows: false, trains: false, run: (layer, x, out) => layer.infer(x, { out }) },
]

const everyCase = meanings.flatMap((meaning) => modes.map((mode) => ({ ...meaning, ...mode })))
const hostile = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

describe.each(everyCase)(
  "$convention, $mode",
  ({ convention, axis, shapes, decay, unbiased, by, follows, trains, run }) => {
    const made = (options: BatchNormOptions = {}) =>
      new BatchNorm(3, {
        convention,
        gamma: [2, -1, 0.5],
        beta: [1, 0, -4],
        runningMean: [0.5, 1, -1],
        runningVariance: [4, 1, 0.25],
        axis,
        ...options,
      })

    const channelOf = (shape: readonly number[], at: number) => Math.floor(at / product(shape.slice(axis + 1))) % 3

    const filled = (setting: Setting, shape: readonly number[], value: (channel: number, at: number) => number) =>
      place(
        setting,
        shape,
        Array.from({ length: product(shape) }, (_, at) => value(channelOf(shape, at), at)),
      )

    const ordinaryNumber = (channel: number, at: number) => ((at * 5) % 7) - 3 + channel

    const inEach = (check: (setting: Setting) => void) => {
      for (const setting of settings("ordinary", "resident")) check(setting)
    }

    /** The values of one channel. */
    const ofChannel = ({ data, shape }: NdArray, channel: number) =>
      [...data].filter((_, at) => channelOf(shape, at) === channel)

    const inside = (layer: BatchNorm) => JSON.stringify(layer)

    /** That a call is refused and leaves no trace. */
    const refuses = (layer: BatchNorm, x: NdArray, setting: Setting, due: Refusal) => {
      const out = filled(setting, x.shape, () => 77)
      const before = inside(layer)
      expectRefused(() => run(layer, x, out), due, { x: x.data, out: out.data }, label(setting))
      expectRefused(() => run(layer, x, x), due, { x: x.data }, label(setting))
      expect(inside(layer), label(setting)).toBe(before)
    }

    test("no elements are refused by batch statistics, and an empty result by running ones", () => {
      inEach((setting) => {
        const x = filled(setting, shapes.none, () => 0)
        const layer = made({ singleElement: "allow" })
        const due = argumentError("x", "an element per channel", "none: the batch is empty")
        if (by === "batch") return refuses(layer, x, setting, due)
        const before = inside(layer)
        const y = run(layer, x)
        expect([y.data.length, y.shape]).toEqual([0, shapes.none])
        expect(y.data.BYTES_PER_ELEMENT).toBe(x.data.BYTES_PER_ELEMENT)
        expect(inside(layer)).toBe(before)
      })
    })

    test("one element per channel has no variance and β as y; an unbiased running variance stays as it was", () => {
      inEach((setting) => {
        const x = filled(setting, shapes.one, (channel) => [2.5, -3, 6][channel]!)
        for (const epsilon of [0, 1e-3]) {
          const layer = made({ singleElement: "allow", epsilon })
          const before = inside(layer)
          const y = run(layer, x)
          if (by === "batch") expect([...y.data]).toEqual([1, 0, -4])
          else if (epsilon === 0) expect([...y.data]).toEqual([3, 4, 3])
          if (!follows) {
            expect(inside(layer)).toBe(before)
            continue
          }
          expect([layer.batches, layer.skipped]).toEqual([1, 0])
          expect(layer.runningMean[1]! + 3).toBeCloseTo(4 * decay, 14)
          expect([...layer.runningVariance]).toEqual(unbiased ? [4, 1, 0.25] : [4 * decay, decay, 0.25 * decay])
        }
      })
    })

    test("one element per channel is refused where that was asked for, by batch statistics alone", () => {
      inEach((setting) => {
        const x = filled(setting, shapes.one, ordinaryNumber)
        const layer = made({ singleElement: "throw" })
        const due = argumentError("x", "2 or more elements per channel to train on", "1")
        if (by === "batch") refuses(layer, x, setting, due)
        else expect(run(layer, x).data.every(Number.isFinite)).toBe(true)
      })
    })

    test("a constant channel and no ε give β, and no dx", () => {
      inEach((setting) => {
        for (const constant of [0, 0.1, -3, 1e30]) {
          const x = filled(setting, shapes.four, (channel, at) => (channel === 1 ? ordinaryNumber(1, at) : constant))
          const layer = made({ epsilon: 0, runningVariance: [0, 1, 0], runningMean: [constant, 1, 7] })
          const y = run(layer, x)
          expect(ofChannel(y, 0)).toEqual([1, 1, 1, 1])
          expect(ofChannel(y, 2)).toEqual([-4, -4, -4, -4])
          expect(ofChannel(y, 1).every(Number.isFinite)).toBe(true)
          expect(layer.runningVariance.every((variance) => Number.isFinite(variance) && variance >= 0)).toBe(true)
          expect([layer.runningVariance[0], layer.runningVariance[2]]).toEqual([0, 0])
          if (!trains) continue
          const { dx } = layer.backward(filled(setting, shapes.four, ordinaryNumber))
          expect([...ofChannel(dx, 0), ...ofChannel(dx, 2)].map((each) => each + 0)).toEqual(Array(8).fill(0))
        }
      })
    })

    test("a NaN or infinity stays in its channel, whose running statistics stay, and is counted", () => {
      inEach((setting) => {
        for (const value of hostile) {
          for (const sick of [0, 1, 2]) {
            const well = filled(setting, shapes.four, ordinaryNumber)
            const at = [...well.data.keys()].findLast((each) => channelOf(shapes.four, each) === sick)!
            const x = filled(setting, shapes.four, (channel, each) =>
              each === at ? value : ordinaryNumber(channel, each),
            )
            const [layer, clean] = [made(), made()]
            const before = inside(layer)
            const [y, due] = [run(layer, x), run(clean, well)]
            for (const channel of [0, 1, 2]) {
              if (channel !== sick) {
                expect(ofChannel(y, channel)).toEqual(ofChannel(due, channel))
                expect(layer.runningMean[channel]).toBe(clean.runningMean[channel])
                expect(layer.runningVariance[channel]).toBe(clean.runningVariance[channel])
              } else if (by === "batch") {
                expect(ofChannel(y, channel)).toEqual(Array(4).fill(Number.NaN))
              } else {
                expect(ofChannel(y, channel).slice(0, 3)).toEqual(ofChannel(due, channel).slice(0, 3))
                expect(y.data[at]! * layer.gamma[channel]!).toBe(value)
              }
            }
            const untouched = made()
            expect(layer.runningMean[sick]).toBe(untouched.runningMean[sick])
            expect(layer.runningVariance[sick]).toBe(untouched.runningVariance[sick])
            expect([layer.skipped, layer.batches]).toEqual(follows ? [1, 1] : [0, 0])
            if (!follows) expect(inside(layer)).toBe(before)
            const after = run(layer, well)
            expect(after.data.every(Number.isFinite)).toBe(true)
            expect([...layer.runningMean, ...layer.runningVariance].every(Number.isFinite)).toBe(true)
          }
        }
      })
    })

    test("a NaN or infinity throws where that was asked for, before anything is written", () => {
      inEach((setting) => {
        for (const value of hostile) {
          const at = product(shapes.four) - 1
          const x = filled(setting, shapes.four, (channel, each) =>
            each === at ? value : ordinaryNumber(channel, each),
          )
          const layer = made({ nonFinite: "throw" })
          const due = argumentError("x", "finite statistics in each channel", "NaN or Infinity in channel 2")
          if (by === "batch") refuses(layer, x, setting, due)
          else expect(Number.isFinite(run(layer, x).data[at])).toBe(false)
          expect(run(layer, filled(setting, shapes.four, ordinaryNumber)).data.every(Number.isFinite)).toBe(true)
        }
      })
    })

    test("a negative running variance is refused with its index where it is used", () => {
      inEach((setting) => {
        const x = filled(setting, shapes.four, ordinaryNumber)
        for (const negative of [-1, -Number.MIN_VALUE, Number.NEGATIVE_INFINITY]) {
          const layer = made()
          layer.runningVariance[1] = negative
          const due = argumentError("runningVariance[1]", "a variance from 0 on", `${negative}`)
          if (by === "running") refuses(layer, x, setting, due)
          else expect([...run(layer, x).data]).toEqual([...run(made(), x).data])
        }
      })
    })

    test("NaN in γ, β or a running statistic that is used stays in its channel", () => {
      inEach((setting) => {
        const x = filled(setting, shapes.four, ordinaryNumber)
        for (const name of ["gamma", "beta", "runningMean", "runningVariance"] as const) {
          for (const sick of [0, 1, 2]) {
            const [layer, clean] = [made(), made()]
            layer[name][sick] = Number.NaN
            const [y, due] = [run(layer, x), run(clean, x)]
            const used = by === "running" || name === "gamma" || name === "beta"
            for (const channel of [0, 1, 2]) {
              const isSick = channel === sick && used
              expect(ofChannel(y, channel), name).toEqual(isSick ? Array(4).fill(Number.NaN) : ofChannel(due, channel))
              if (channel === sick && name.startsWith("running")) continue
              expect(layer.runningMean[channel]).toBe(clean.runningMean[channel])
              expect(layer.runningVariance[channel]).toBe(clean.runningVariance[channel])
            }
            expect(layer.skipped).toBe(0)
          }
        }
      })
    })

    test("x of other channels, or an out of another shape, is refused", () => {
      inEach((setting) => {
        for (const channels of [1, 2, 4, 6]) {
          const shape = shapes.four.with(axis, channels)
          const x = place(setting, shape, Array(product(shape)).fill(1))
          const due = shapeError(`x.shape[${axis}]`, `3 channels along axis [${axis}]`, `${channels}`)
          const layer = made()
          const before = inside(layer)
          const out = filled(setting, shapes.four, () => 77)
          expectRefused(() => run(layer, x, out), due, { x: x.data, out: out.data })
          const good = filled(setting, shapes.four, ordinaryNumber)
          const wrong = shapeError("out.shape", `[${shapes.four.join(", ")}], as x.shape`, `[${shape.join(", ")}]`)
          expectRefused(() => run(layer, good, x), wrong, { x: x.data, good: good.data })
          expect(inside(layer)).toBe(before)
        }
      })
    })
  },
)

describe.each(meanings)("a layer of $convention", ({ convention }) => {
  test("is not made with a negative variance, nor with an ε that is below 0, infinite or NaN", () => {
    for (const negative of [-1, -Number.MIN_VALUE, Number.NEGATIVE_INFINITY]) {
      const due = argumentError("runningVariance[2]", "a variance from 0 on", `${negative}`)
      expectRefused(() => new BatchNorm(3, { convention, runningVariance: [1, 0, negative] }), due)
    }
    for (const epsilon of [-1e-3, -Number.MIN_VALUE, Number.POSITIVE_INFINITY, Number.NaN]) {
      const due = argumentError("epsilon", "a finite number from 0 on", `${epsilon}`)
      expectRefused(() => new BatchNorm(3, { convention, epsilon }), due)
    }
  })

  test("is not made with numbers of another length", () => {
    for (const name of ["gamma", "beta", "runningMean", "runningVariance"]) {
      for (const length of [0, 1, 2, 4, 6]) {
        const due = shapeError(name, "3 numbers, one per channel", `${length}`)
        expectRefused(() => new BatchNorm(3, { convention, [name]: Array(length).fill(1) }), due)
      }
    }
  })
})
