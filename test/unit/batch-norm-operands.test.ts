// The layer with weights and residuals.
import { allocate, BatchNorm, type BatchNormOptions, backward, forward, infer, type NdArray } from "batchnorm"
import { describe, expect, test } from "vitest"
import { everywhere, keep, label, numbers, place, settings, somewhere } from "./support/arrays.ts"
import { plain } from "./support/dyadic.ts"
import { bits, expectNear } from "./support/near.ts"
import { conventions } from "./support/states.ts"

/** The weight of the old running value, and whether the running variance is the unbiased one. */
const meanings = {
  keras: { decay: 0.99, unbiased: false },
  torch: { decay: 0.9, unbiased: true },
  onnx: { decay: 0.9, unbiased: false },
  "tf-fused": { decay: 0, unbiased: true },
} as const

/** Two channels along axis 1; by the weights below means 2 and 8, biased variances 1 and 12, Σw 4. */
const values = [1, 2, Number.NaN, 99, 3, 10, 3, 10, 1, 10, -50, Number.NaN]
const shape = [6, 2]
const rows = { data: [1, 0, 1, 1, 1, 0], shape: [6, 1] }
const mask = { data: rows.data.map(Boolean), shape: [6, 1] }
const slopes = numbers(12, 5)

describe.each(conventions)("in the convention %s", (convention) => {
  const { decay, unbiased } = meanings[convention]
  const make = (options: BatchNormOptions = {}) => new BatchNorm(2, { convention, ...options })
  const follow = (old: number, fresh: number) => decay * old + (1 - decay) * fresh

  test("the running statistics follow those of the elements that count", () => {
    for (const setting of everywhere) {
      const layer = make()
      layer.forward(place(setting, shape, values), { weights: mask })
      const correction = unbiased ? 4 / 3 : 1
      expectNear(layer.runningMean, [follow(0, 2), follow(0, 8)], 1e-14, label(setting))
      const due = [follow(1, 1 * correction), follow(1, 12 * correction)]
      expectNear(layer.runningVariance, due, 1e-14, label(setting))
      expect([layer.batches, layer.skipped]).toEqual([1, 0])
    }
  })

  test("m is Σw where a running variance is unbiased: m/(m-1) of the biased one", () => {
    for (const scale of [0.5, 1, 2.5]) {
      for (const chosen of [true, false]) {
        const layer = make({ unbiased: chosen, runningVariance: [5, 6] })
        const weights = { data: rows.data.map((weight) => weight * scale), shape: [6, 1] }
        layer.forward(place(somewhere[1]!, shape, values), { weights })
        const m = 4 * scale
        const correction = chosen ? m / (m - 1) : 1
        const old = (value: number, fresh: number) => decay * value + (1 - decay) * fresh
        const due = [old(5, 1 * correction), old(6, 12 * correction)]
        expectNear(layer.runningVariance, due, 1e-13, `${scale}, ${chosen}`)
      }
    }
  })

  test("weights of Σw up to 1 have no unbiased variance: that running variance stays, where it trains at all", () => {
    for (const total of [1, 0.5]) {
      const weights = { data: rows.data.map((weight) => (weight * total) / 4), shape: [6, 1] }
      for (const chosen of [true, false]) {
        const layer = make({ unbiased: chosen, singleElement: "allow", runningVariance: [5, 6] })
        const y = layer.forward(place(somewhere[1]!, shape, values), { weights })
        expect(y.data[0]).toBeCloseTo(-1, 2)
        expectNear(layer.runningMean, [follow(0, 2), follow(0, 8)], 1e-13, "mean")
        const due = chosen ? [5, 6] : [decay * 5 + (1 - decay), decay * 6 + (1 - decay) * 12]
        expectNear(layer.runningVariance, due, 1e-13, `${total}, ${chosen}`)
      }
      const refusing = make({ singleElement: "throw" })
      const before = JSON.stringify(refusing)
      expect(() => refusing.forward(place(somewhere[1]!, shape, values), { weights })).toThrow(
        `weights: expected more weight than 1 in each channel to train on, got ${total} in channel 0`,
      )
      expect(JSON.stringify(refusing)).toBe(before)
    }
  })

  test("weights that were normalized leave an unbiased running variance, however their sum is rounded", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const some = numbers(6, seed).map((value) => Math.abs(value) + 0.1)
      const total = some.reduce((sum, value) => sum + value, 0)
      const weights = { data: Float32Array.from(some, (value) => value / total), shape: [6, 1] }
      const layer = make({ singleElement: "allow" })
      layer.forward({ data: new Float64Array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]), shape }, { weights })
      const [first] = layer.runningVariance
      if (unbiased) expect(first, `seed ${seed}`).toBe(1)
      else expect(first, `seed ${seed}`).toBeLessThan(10)
    }
  })

  test("one element that counts trains where that is allowed", () => {
    const x = place(somewhere[1]!, shape, values)
    const weights = { data: [0, 0, 1, 0, 0, 0], shape: [6, 1] }
    if (convention === "torch") {
      expect(() => make().forward(x, { weights })).toThrow("more weight than 1")
      expect(() =>
        make().forward(x, { weights: { ...weights, data: weights.data.map((each) => 2 * each) } }),
      ).not.toThrow()
      return
    }
    const layer = make({ beta: [5, 6] })
    const y = layer.forward(x, { weights })
    expect([...y.data.subarray(4, 6)]).toEqual([5, 6])
    expect(layer.runningVariance[0]).toBeCloseTo(unbiased ? 1 : decay, 14)
  })

  test("updateRunning false leaves them as they are", () => {
    const layer = make()
    const x = place(somewhere[0]!, shape, values)
    const y = layer.forward(x, { weights: rows, updateRunning: false })
    expect([layer.batches, ...layer.runningMean, ...layer.runningVariance]).toEqual([0, 0, 0, 1, 1])
    expect(bits(y)).toEqual(bits(make().forward(x, { weights: rows })))
  })

  test("by running statistics weights change nothing but what goes back", () => {
    for (const setting of settings("ordinary", "resident")) {
      for (const isFrozen of [false, true]) {
        const layer = make({ runningMean: [1, 2], runningVariance: [4, 9], gamma: [2, 3] })
        layer.frozen = isFrozen
        const [x, dy] = [place(setting, shape, numbers(12)), place(setting, shape, slopes)]
        const before = JSON.stringify(layer)
        const options = isFrozen ? { weights: rows } : { weights: rows, training: false }
        const y = layer.forward(x, options)
        expect(bits(y), label(setting)).toEqual(bits(layer.infer(x)))
        expect(JSON.stringify(layer)).toBe(before)
        const { epsilon, gamma, beta, runningMean: mean, runningVariance: variance } = layer
        const { saved } = forward(x, { axis: 1, epsilon, gamma, beta, mean, variance, weights: rows })
        const due = backward(dy, x, saved, { weights: rows })
        expect(layer.backward(dy)).toEqual(due)
        expect(plain(due.dx.data.subarray(2, 4))).toEqual([0, 0])
        expect(plain(due.dx.data.subarray(0, 2))).not.toEqual([0, 0])
      }
    }
  })

  test("by running statistics no element has to count", () => {
    const layer = make()
    const x = place(somewhere[0]!, shape, numbers(12))
    const y = layer.forward(x, { weights: [0, 0], training: false })
    expect(bits(y)).toEqual(bits(layer.infer(x)))
    expect([...plain(layer.backward(x).dx.data), ...layer.dbeta]).toEqual(Array(14).fill(0))
  })
})

test("a cumulative average takes masked batches as others", () => {
  const layer = new BatchNorm(2, { convention: "torch", momentum: null })
  layer.forward(place(somewhere[1]!, shape, values), { weights: mask })
  layer.forward(place(somewhere[1]!, [2, 2], [0, 0, 2, 4]))
  expectNear(layer.runningMean, [1.5, 5], 1e-14, "mean")
  expectNear(layer.runningVariance, [(4 / 3 + 2) / 2, (16 + 8) / 2], 1e-14, "variance")
})

describe("what has no weight", () => {
  test("is no NaN to skip", () => {
    const layer = new BatchNorm(2)
    layer.forward(place(somewhere[1]!, shape, values), { weights: mask })
    expect(layer.skipped).toBe(0)
    layer.forward(place(somewhere[1]!, shape, values))
    expect(layer.skipped).toBe(2)
  })

  test("is none to throw for", () => {
    for (const setting of everywhere) {
      const layer = new BatchNorm(2, { nonFinite: "throw" })
      const x = place(setting, shape, values)
      layer.forward(x, { weights: mask })
      const due = "x: expected finite statistics in each channel, got NaN or Infinity in channel 0"
      expect(() => layer.forward(x), label(setting)).toThrow(due)
      expect(() => layer.forward(x, { weights: [1, 1] })).toThrow(due)
      expect(layer.batches).toBe(1)
    }
  })

  test("of a mask for each channel is told apart", () => {
    const layer = new BatchNorm(2, { convention: "tf-fused" })
    const x = place(somewhere[1]!, [4, 2], [1, 9, 3, Number.NaN, Number.NaN, 5, 7, 7])
    layer.forward(x, { weights: { data: [1, 1, 1, 0, 0, 1, 0, 0], shape: [4, 2] } })
    expect([...layer.runningMean, ...layer.runningVariance]).toEqual([2, 7, 2, 8])
  })
})

describe("the layer's backward", () => {
  const operands = [
    { name: "a mask", weights: mask },
    { name: "weights", weights: { data: [0.5, 0, 2, 1, 3, 0], shape: [6, 1] } },
    { name: "a residual", residual: 9 },
    { name: "a mask and a residual", weights: mask, residual: 9 },
  ]

  test.each(operands)(
    "is that of the function with the operands of the forward: $name",
    ({ weights, residual: seed }) => {
      for (const activation of [null, "relu"] as const) {
        for (const training of [true, false]) {
          for (const setting of everywhere) {
            const layer = new BatchNorm(2, { activation, gamma: [2, 3], beta: [0.5, -0.5], runningVariance: [4, 9] })
            const { epsilon, gamma, beta } = layer
            const [x, dy] = [place(setting, shape, numbers(12)), place(setting, shape, slopes)]
            const residual = seed === undefined ? undefined : place(setting, shape, numbers(12, seed))
            const given = training ? {} : { mean: layer.runningMean, variance: layer.runningVariance }
            const due = forward(x, { axis: -1, epsilon, gamma, beta, activation, weights, residual, ...given })
            expect(bits(layer.forward(x, { weights, residual, training })), label(setting)).toEqual(bits(due.y))
            const need = ["dx", "dgamma", "dbeta", ...(residual ? (["dresidual"] as const) : [])] as const
            const gradients = backward(dy, x, due.saved, { weights, residual, need })
            const got = layer.backward(dy, { need })
            expect(got).toEqual(gradients)
            expect(got.dgamma).toBe(layer.dgamma)
            expect(got.dbeta).toBe(layer.dbeta)
          }
        }
      }
    },
  )

  test("writes dx and dresidual where it is told, also over x, dy and the residual", () => {
    for (const setting of everywhere) {
      const run = (
        pick: (arrays: Record<"x" | "dy" | "residual" | "new", NdArray>) => [NdArray, NdArray] | undefined,
      ) => {
        const layer = new BatchNorm(2, { activation: "relu" })
        const arrays = {
          ...{ x: place(setting, shape, numbers(12)), dy: place(setting, shape, slopes) },
          ...{ residual: place(setting, shape, numbers(12, 9)), new: place(setting, shape, numbers(12, 1)) },
        }
        layer.forward(arrays.x, { residual: arrays.residual, weights: rows })
        const picked = pick(arrays)
        const out = picked && { dx: picked[0], dresidual: picked[1] }
        const got = layer.backward(arrays.dy, { need: ["dx", "dresidual"], ...(out && { out }) })
        if (out) {
          expect(got.dx).toBe(out.dx)
          expect(got.dresidual).toBe(out.dresidual)
        }
        return [bits(got.dx), bits(got.dresidual)]
      }
      const due = run(() => undefined)
      expect(
        run((arrays) => [arrays.x, arrays.dy]),
        label(setting),
      ).toEqual(due)
      expect(run((arrays) => [arrays.dy, arrays.residual])).toEqual(due)
      expect(run((arrays) => [arrays.residual, arrays.x])).toEqual(due)
      expect(run((arrays) => [arrays.new, arrays.dy])).toEqual(due)
    }
  })

  test("forgets weights and the residual once it has run, and with the next forward", () => {
    const layer = new BatchNorm(2, { activation: "relu" })
    const [x, dy, residual] = [0, 5, 9].map((seed) => place(somewhere[0]!, shape, numbers(12, seed))) as [
      NdArray,
      NdArray,
      NdArray,
    ]
    layer.forward(x)
    const due = layer.backward(dy)
    const dx = bits(due.dx)
    layer.forward(x, { weights: rows, residual })
    layer.forward(x)
    expect(bits(layer.backward(dy).dx)).toEqual(dx)
    layer.forward(x, { weights: rows, residual })
    expect(bits(layer.backward(dy).dx)).not.toEqual(dx)
    layer.forward(x)
    expect(bits(layer.backward(dy).dx)).toEqual(dx)
    expect(() => layer.backward(dy)).toThrow("no forward pass")
  })

  test("needs what forward had: both are kept as they are, not copied", () => {
    const layer = new BatchNorm(2, { activation: "relu" })
    const [x, dy] = [place(somewhere[0]!, shape, numbers(12)), place(somewhere[0]!, shape, slopes)]
    const residual = place(somewhere[0]!, shape, numbers(12, 9))
    layer.forward(x, { residual })
    residual.data.fill(-1000)
    expect(plain(layer.backward(dy).dx.data)).toEqual(Array(12).fill(0))
    const weights = { data: [1, 1, 1, 0, 0, 0], shape: [6, 1] }
    layer.forward(x, { weights })
    weights.data.reverse()
    expect(plain(layer.backward(dy).dx.data.subarray(0, 6))).toEqual(Array(6).fill(0))
  })

  test("finds resident weights and a resident residual although the memory grew meanwhile", () => {
    const layer = new BatchNorm(2, { activation: "relu" })
    const x = { data: Float64Array.from(numbers(12)), shape }
    const dy = { data: Float64Array.from(slopes), shape }
    const residual = keep(allocate(shape, "float64"))
    residual.data.set(numbers(12, 9))
    const weights = keep(allocate([6, 1]))
    weights.data.set(rows.data)
    layer.forward(x, { weights, residual })
    const before = residual.data
    const grown: Disposable[] = []
    while (before.length > 0) grown.push(allocate([2 ** 18]))
    const got = layer.backward(dy, { need: ["dx", "dresidual"] })
    for (const array of grown) array[Symbol.dispose]()
    layer.forward(x, { weights: rows, residual: { data: residual.data.slice(), shape } })
    expect(got).toEqual(layer.backward(dy, { need: ["dx", "dresidual"] }))
  })
})

describe("the layer's residual", () => {
  test("is added before the activation, in training, by running statistics and in infer", () => {
    for (const activation of [null, "relu"] as const) {
      for (const setting of everywhere) {
        const layer = new BatchNorm(2, { activation, epsilon: 0, runningMean: [1, 2], runningVariance: [4, 16] })
        const x = place(setting, [4, 2], [1, 2, 3, 6, 5, -2, -1, 10])
        const residual = place(setting, [4, 2], [0.5, 1, -2, 0.25, 0, 3, 4, -1])
        const act = (value: number) => (activation ? Math.max(0, value) : value)
        const due = [0.5, 1, -1, 1.25, 2, 2, 3, 1].map(act)
        expect(plain(layer.infer(x, { residual }).data), label(setting)).toEqual(due)
        expect(plain(layer.forward(x, { residual, training: false }).data)).toEqual(due)
        const y = layer.forward(x, { residual })
        const trained = forward(x, { epsilon: 0, gamma: [1, 1], beta: [0, 0], activation, residual })
        expect(bits(y)).toEqual(bits(trained.y))
        expectNear(layer.runningMean, [1 * 0.99 + 0.01 * 2, 2 * 0.99 + 0.01 * 4], 1e-14, "statistics are those of x")
      }
    }
  })

  test("may be written over by infer, and by forward without a ReLU", () => {
    for (const setting of everywhere) {
      for (const activation of [null, "relu"] as const) {
        const layer = new BatchNorm(2, { activation })
        const x = place(setting, shape, numbers(12))
        const residual = () => place(setting, shape, numbers(12, 9))
        const due = bits(layer.infer(x, { residual: residual() }))
        const over = residual()
        expect(layer.infer(x, { residual: over, out: over })).toBe(over)
        expect(bits(over), label(setting)).toEqual(due)
        if (activation) continue
        const trained = bits(layer.forward(x, { residual: residual() }))
        const out = residual()
        expect(layer.forward(x, { residual: out, out })).toBe(out)
        expect(bits(out)).toEqual(trained)
        // Without a ReLU nothing has to be read from it again.
        expect(layer.backward(x, { need: ["dresidual"] }).dresidual).toEqual({ ...x, data: x.data.slice() })
      }
    }
  })

  test("goes with x of any rank, and with a layer of one channel", () => {
    const layer = new BatchNorm(1, { axis: [], activation: "relu" })
    for (const each of [[], [3], [2, 3], [2, 1, 3]]) {
      const length = each.reduce((size, axis) => size * axis, 1)
      const [x, residual] = [
        place(somewhere[1]!, each, numbers(length)),
        place(somewhere[1]!, each, numbers(length, 9)),
      ]
      const { saved, y } = forward(x, { axis: [], activation: "relu", gamma: [1], beta: [0], residual })
      expect(bits(layer.forward(x, { residual }))).toEqual(bits(y))
      const need = ["dx", "dresidual"] as const
      expect(layer.backward(x, { need })).toEqual(backward(x, x, saved, { need, residual }))
    }
  })
})

test("a call that throws leaves what the forward before it kept", () => {
  const layer = new BatchNorm(2, { activation: "relu" })
  const [x, dy, residual] = [0, 5, 9].map((seed) => place(somewhere[0]!, shape, numbers(12, seed))) as [
    NdArray,
    NdArray,
    NdArray,
  ]
  layer.forward(x, { weights: rows, residual })
  const due = bits(layer.backward(dy, { need: ["dresidual"] }).dresidual)
  layer.forward(x, { weights: rows, residual })
  const before = JSON.stringify(layer)
  expect(() => layer.forward(x, { weights: [0, 1] })).toThrow("weights")
  expect(() => layer.forward(x, { residual: place(somewhere[0]!, [2, 2], [1, 2, 3, 4]) })).toThrow("residual")
  expect(() => layer.backward(place(somewhere[0]!, [2, 2], [1, 2, 3, 4]))).toThrow("dy")
  expect(JSON.stringify(layer)).toBe(before)
  expect(bits(layer.backward(dy, { need: ["dresidual"] }).dresidual)).toEqual(due)
})

test("infer by what a layer learned from masked batches is that of the function", () => {
  const layer = new BatchNorm(2, { convention: "tf-fused" })
  const x = place(somewhere[1]!, shape, values)
  layer.forward(x, { weights: mask })
  const { runningMean: mean, runningVariance: variance, gamma, beta, epsilon } = layer
  const unseen = place(somewhere[1]!, shape, numbers(12))
  expect(bits(layer.infer(unseen))).toEqual(bits(infer(unseen, { mean, variance, gamma, beta, epsilon })))
})
