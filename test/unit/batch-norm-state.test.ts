import { allocate, BatchNorm, type BatchNormOptions, type Convention, type LoadableState, type State } from "batchnorm"
import { describe, expect, test } from "vitest"
import { keep, numbers, place, settings } from "./support/arrays.ts"
import {
  batchOf,
  centerOff,
  conventions,
  full,
  made,
  names,
  off,
  scaleOff,
  seven,
  values,
  without,
} from "./support/states.ts"

const others = ["onnx", "tf-fused"] as const

const plain = (state: State) =>
  Object.entries(state).map(([name, value]) => [name, typeof value === "number" ? value : [...value]])

describe.each(conventions)("the state of a layer by the names of %s", (convention) => {
  test("has the entries of the framework in the order of its files", () => {
    for (const own of conventions) {
      const due = { ...full(convention), ...(convention === "torch" && { num_batches_tracked: 0 }) }
      expect(plain(made(own).state(convention)), own).toEqual(Object.entries(due))
    }
  })

  test("is that of a layer of the framework, unless another is named", () => {
    expect(made(convention).state()).toEqual(made("keras").state(convention))
    expect(made(convention).state(undefined)).toEqual(made("keras").state(convention))
  })

  test("is copies: Float64Arrays that neither follow the layer nor are followed", () => {
    const layer = made(convention)
    const state = layer.state()
    layer.gamma.fill(99)
    layer.runningMean.fill(99)
    for (const name of names[convention]) {
      expect(state[name]).toBeInstanceOf(Float64Array)
      expect(layer.state()[name]).not.toBe(state[name])
    }
    expect([...(state[names[convention][0]!] as Float64Array)]).toEqual(values.gamma)
    ;(state[names[convention][3]!] as Float64Array).fill(98)
    expect([...layer.runningVariance]).toEqual(values.runningVariance)
  })

  test("is loaded into the layer's own arrays, which stay the same objects", () => {
    const layer = new BatchNorm(2, { convention })
    const { gamma, beta, runningMean, runningVariance } = layer
    expect(layer.load(full(convention))).toBe(layer)
    expect([layer.gamma, layer.beta]).toEqual([Float64Array.from(values.gamma), Float64Array.from(values.beta)])
    expect(layer.gamma).toBe(gamma)
    expect(layer.beta).toBe(beta)
    expect(layer.runningMean).toBe(runningMean)
    expect(layer.runningVariance).toBe(runningVariance)
    expect([...runningMean, ...runningVariance]).toEqual([...values.runningMean, ...values.runningVariance])
  })

  test("is copied in: what is written into it later does not reach the layer", () => {
    const state = full(convention) as Record<string, number[]>
    const layer = new BatchNorm(2).load(state, convention)
    for (const name of names[convention]) state[name]!.fill(99)
    expect([...layer.gamma, ...layer.runningVariance]).toEqual([...values.gamma, ...values.runningVariance])
  })

  test("infers alike in a layer of any framework, given the same ε and axis", () => {
    for (const own of conventions) {
      const layer = seven(own)
      for (const other of conventions) {
        const options = { convention: other, epsilon: layer.epsilon, axis: layer.axis }
        const copy = new BatchNorm(2, options).load(layer.state(convention), convention)
        for (const setting of settings("ordinary", "resident")) {
          const x = place(setting, [3, 2, 2], numbers(12, 40))
          expect(copy.infer(x), `${own} to ${other}`).toEqual(layer.infer(x))
        }
      }
    }
  })

  test("takes numbers of any kind, from any place", () => {
    const resident = keep(allocate([2], "float64"))
    resident.data.set([2, 3])
    const kinds: readonly LoadableState[string][] = [
      [2, 3],
      Float32Array.of(2, 3),
      Uint8Array.of(2, 3),
      { data: Float32Array.of(2, 3), shape: [1, 2, 1, 1] },
      { data: [2, 3], shape: [2] },
      { length: 2, 0: 2, 1: 3 },
      resident,
      resident.data,
    ]
    for (const kind of kinds) {
      for (const [index, name] of names[convention].entries()) {
        const layer = new BatchNorm(2).load({ ...full(convention), [name]: kind }, convention)
        const { gamma, beta, runningMean, runningVariance } = layer
        expect([...[gamma, beta, runningMean, runningVariance][index]!]).toEqual([2, 3])
      }
    }
  })
})

describe("of a layer with scale or center off", () => {
  const entries = (convention: Convention, options: BatchNormOptions) => plain(made(convention, options).state())

  test("Keras's state lacks each that is off", () => {
    const { gamma, beta, moving_mean, moving_variance } = full("keras")
    expect(entries("keras", scaleOff)).toEqual(Object.entries({ beta, moving_mean, moving_variance }))
    expect(entries("keras", centerOff)).toEqual(Object.entries({ gamma, moving_mean, moving_variance }))
    expect(entries("keras", off)).toEqual(Object.entries({ moving_mean, moving_variance }))
  })

  test("PyTorch's state lacks both or neither, and has ones or zeros for the one that is off", () => {
    const count = { num_batches_tracked: 0 }
    expect(entries("torch", scaleOff)).toEqual(Object.entries({ ...full("torch"), weight: [1, 1], ...count }))
    expect(entries("torch", centerOff)).toEqual(Object.entries({ ...full("torch"), bias: [0, 0], ...count }))
    expect(entries("torch", off)).toEqual(Object.entries({ ...without("torch", "weight", "bias"), ...count }))
  })

  test.each(others)("%s's state has ones and zeros", (convention) => {
    const [gamma, beta] = names[convention] as [string, string]
    expect(entries(convention, scaleOff)).toEqual(Object.entries({ ...full(convention), [gamma]: [1, 1] }))
    expect(entries(convention, centerOff)).toEqual(Object.entries({ ...full(convention), [beta]: [0, 0] }))
    const both = { ...full(convention), [gamma]: [1, 1], [beta]: [0, 0] }
    expect(entries(convention, off)).toEqual(Object.entries(both))
  })

  test.each(conventions)(
    "its own state by the names of %s is loaded, and what is off stays untouched",
    (convention) => {
      for (const options of [scaleOff, centerOff, off]) {
        for (const own of conventions) {
          const state = seven(own, options).state(convention)
          const layer = made(own, options).load(state, convention)
          expect(layer.state(convention)).toEqual({ ...state })
          if (!layer.scale) expect([...layer.gamma]).toEqual(values.gamma)
          if (!layer.center) expect([...layer.beta]).toEqual(values.beta)
        }
      }
    },
  )

  test.each(conventions)("a state by the names of %s with ones and zeros is loaded", (convention) => {
    const [gamma, beta] = names[convention] as [string, string]
    const state = { ...full(convention), [gamma]: [1, 1], [beta]: [0, -0] }
    const layer = new BatchNorm(2, off).load(state, convention)
    expect([...layer.runningMean]).toEqual(values.runningMean)
  })
})

describe("the count of batches", () => {
  const counted = (count: LoadableState[string]) => ({ ...full("torch"), num_batches_tracked: count })
  const batch = { data: Float64Array.of(0, 4, 2, 8, 4, 12, 6, 16), shape: [4, 2] }

  test("is PyTorch's num_batches_tracked, a number", () => {
    expect(seven("torch").state().num_batches_tracked).toBe(7)
    expect(seven("keras").state("torch").num_batches_tracked).toBe(7)
    expect(made("keras").load(full("torch"), "torch").batches).toBe(9)
  })

  test("is a number or a bigint, or an array of one", () => {
    const forms: readonly LoadableState[string][] = [
      5,
      5n,
      [5],
      [5n],
      BigInt64Array.of(5n),
      Int32Array.of(5),
      Float32Array.of(5),
      { data: BigInt64Array.of(5n), shape: [] },
      { data: [5], shape: [1] },
    ]
    for (const form of forms) expect(made("torch").load(counted(form)).batches).toBe(5)
    const most = Number.MAX_SAFE_INTEGER
    expect(made("torch").load(counted(BigInt64Array.of(BigInt(most)))).batches).toBe(most)
    expect(made("torch").load(counted(0n)).batches).toBe(0)
  })

  test.each(conventions)("of a layer that loads a state by the names of %s", (convention) => {
    const layer = seven(convention)
    layer.forward({ data: batch.data.map((value, at) => (at === 0 ? Number.NaN : value)), shape: [4, 2] })
    expect([layer.batches, layer.skipped]).toEqual([8, 1])
    layer.load(full(convention))
    // Keras, ONNX and tf-fused do not say, so it stays.
    expect([layer.batches, layer.skipped]).toEqual([convention === "torch" ? 9 : 8, 0])
  })

  test("is of the batches that a cumulative average is of, and none where its channels differ", () => {
    const make = () => new BatchNorm(2, { convention: "torch", momentum: null })
    const batch = (...data: number[]) => ({ data: Float64Array.from(data), shape: [2, 2] })
    const layer = make()
    layer.forward(batch(1, 2, 3, 4))
    layer.forward(batch(Number.NaN, Number.NaN, 3, 4))
    expect(layer.state().num_batches_tracked).toBe(1)
    const other = make().load(layer.state())
    for (const each of [layer, other]) each.forward(batch(7, 8, 9, 10))
    expect(other.runningMean).toEqual(layer.runningMean)
    expect([...other.runningMean]).toEqual([5, 6])
    layer.forward(batch(Number.NaN, 2, 3, 4))
    expect(() => layer.state()).toThrow(/^state: the channels average different numbers of batches/)
    expect(layer.state("keras").moving_mean).toEqual(layer.runningMean)
  })

  test("lets a cumulative average go on where it was", () => {
    const average = () => new BatchNorm(2, { convention: "torch", momentum: null })
    const layer = average()
    for (let seed = 0; seed < 3; seed++) layer.forward(batchOf(seed))
    const copy = average().load(layer.state())
    for (const each of [layer, copy]) each.forward(batch)
    expect(copy.runningMean).toEqual(layer.runningMean)
    expect(copy.runningVariance).toEqual(layer.runningVariance)
    const other = average().load({ ...full("torch"), running_mean: [8, 8], num_batches_tracked: 3 })
    other.forward(batch) // of means 3 and 10
    expect([...other.runningMean]).toEqual([(3 * 8 + 3) / 4, (3 * 8 + 10) / 4])
  })
})

test("a layer's own arrays are loaded as they were before, though they change places", () => {
  const layer = new BatchNorm(2, { gamma: [1, 2], beta: [3, 4], runningMean: [5, 6], runningVariance: [7, 8] })
  const { gamma, beta, runningMean, runningVariance } = layer
  layer.load({ gamma: beta, beta: gamma, moving_mean: runningVariance, moving_variance: runningMean })
  expect([...gamma, ...beta, ...runningMean, ...runningVariance]).toEqual([3, 4, 1, 2, 7, 8, 5, 6])
})

test("each entry is read once", () => {
  const layer = new BatchNorm(2)
  const reads: string[] = []
  const state = Object.defineProperties(
    {},
    Object.fromEntries(
      names.keras.map((name) => [
        name,
        {
          enumerable: true,
          get: () => {
            reads.push(name)
            return reads.length > 4 ? "changed" : [1, 2]
          },
        },
      ]),
    ),
  )
  layer.load(state)
  expect(reads).toEqual(names.keras)
  expect([...layer.gamma]).toEqual([1, 2])
})

test("gradients, options and what is frozen stay as they are, and the last forward can go back", () => {
  const x = batchOf(0)
  const layers = [0, 1].map(() => made("keras", { momentum: 0.5 }))
  for (const layer of layers) {
    layer.forward(x)
    layer.backward(x)
    layer.frozen = true
    layer.forward(x)
  }
  const [layer, due] = layers as [BatchNorm, BatchNorm]
  const gradients = [layer.dgamma.slice(), layer.dbeta.slice()]
  layer.load({ gamma: [9, 9], beta: [9, 9], moving_mean: [9, 9], moving_variance: [9, 9] })
  expect([layer.dgamma, layer.dbeta]).toEqual(gradients)
  expect([layer.frozen, layer.momentum, layer.convention]).toEqual([true, 0.5, "keras"])
  expect(layer.backward(x)).toEqual(due.backward(x))
})

test("Keras's weights are loaded in the order in which get_weights has them", () => {
  const weights = [values.gamma, values.beta, values.runningMean, values.runningVariance]
  const [gamma, beta, moving_mean, moving_variance] = weights as [number[], number[], number[], number[]]
  const layer = new BatchNorm(2).load({ gamma, beta, moving_mean, moving_variance })
  expect(Object.values(layer.state()).map((each) => [...(each as Float64Array)])).toEqual(weights)
})
