import {
  BatchNorm,
  backward,
  batchNormalization,
  forward,
  infer,
  initSync,
  Moments,
  moments,
  Standardizer,
  sufficientStatistics,
} from "batchnorm"
import { expect, test } from "vitest"
import { argumentError, expectRefused, unknownOption } from "./support/refuses.ts"

const x = { data: new Float32Array([1, 2, 3, 4]), shape: [2, 2] }
const statistics = { mean: [0, 0], variance: [1, 1] }
const { saved } = forward(x)
const standardizer = new Standardizer().adapt([x])
const trained = () => {
  const layer = new BatchNorm(2)
  layer.forward(x)
  return layer
}

// A name that is misspelt, or that this version does not know, would otherwise give other numbers without a word.
const calls: readonly (readonly [string, string, string, (options: never) => unknown])[] = [
  ["moments", "weight", "keepDims, weights, out", (options) => moments(x, [0], options)],
  ["moments", "keepdims", "keepDims, weights, out", (options) => moments(x, [0], options)],
  ["batchNormalization", "activation", "out", (options) => batchNormalization(x, 0, 1, 0, 1, 1e-3, options)],
  ["backward", "mask", "need, out, residual, weights", (options) => backward(x, x, saved, options)],
  [
    "the layer's forward",
    "mask",
    "training, updateRunning, residual, weights, out",
    (options) => new BatchNorm(2).forward(x, options),
  ],
  ["the layer's backward", "mask", "need, out", (options) => trained().backward(x, options)],
  ["the layer's infer", "training", "residual, out", (options) => new BatchNorm(2).infer(x, options)],
  ["initSync", "url", "source", (options) => initSync(options)],
  ["sufficientStatistics", "weights", "shift, keepDims", (options) => sufficientStatistics(x, [0], options)],
  ["sufficientStatistics", "out", "shift, keepDims", (options) => sufficientStatistics(x, [0], options)],
  ["new Moments", "axes", "axis", (options) => new Moments(2, options)],
  ["Moments.push", "residual", "weights", (options) => new Moments(2).push(x, options)],
  ["new Standardizer", "epsilon", "axis", (options) => new Standardizer(options)],
  ["Standardizer.transform", "weights", "out", (options) => standardizer.transform(x, options)],
  ["Standardizer.invert", "axis", "out", (options) => standardizer.invert(x, options)],
  // Weights and residuals where they have no meaning.
  ["the layer's infer", "weights", "residual, out", (options) => new BatchNorm(2).infer(x, options)],
  ["the layer's backward", "weights", "need, out", (options) => trained().backward(x, options)],
  ["the layer's backward", "residual", "need, out", (options) => trained().backward(x, options)],
  ["batchNormalization", "weights", "out", (options) => batchNormalization(x, 0, 1, 0, 1, 1e-3, options)],
  ["batchNormalization", "residual", "out", (options) => batchNormalization(x, 0, 1, 0, 1, 1e-3, options)],
  ["moments", "residual", "keepDims, weights, out", (options) => moments(x, [0], options)],
]

test.each(calls)("%s names the option %s, which there is not", (_, name, known, call) => {
  const due = unknownOption(`options.${name}`, known)
  expectRefused(() => call({ [name]: true } as never), due)
})

const normalization = "gamma, beta, epsilon, axis, activation, mean, variance, residual, out"

test.each(["mask", "training", "eps"])("forward and infer name the option %s, which there is not", (name) => {
  const due = (known: string) => unknownOption(`options.${name}`, known)
  expectRefused(() => forward(x, { [name]: 1 } as never), due(`${normalization}, weights`))
  expectRefused(() => infer(x, { ...statistics, [name]: 1 } as never), due(normalization))
})

test("infer takes no weights, by which nothing that it computes would change", () => {
  const due = unknownOption("options.weights", normalization)
  expectRefused(() => infer(x, { ...statistics, weights: [1, 1] } as never), due)
})

test("a layer names the option that is misspelt", () => {
  expect(() => new BatchNorm(2, { convension: "torch" } as never)).toThrow(/^options\.convension: .*convention/)
})

test("an `out` of another form is refused", () => {
  const out = { z: x }
  expectRefused(() => forward(x, { out } as never), unknownOption("out.z", "y, saved"))
})

test("none is none by any name, and what forward saved is options whole", () => {
  expect(moments(x, [0], { weights: null } as never)).toEqual(moments(x, [0]))
  expect(forward(x, saved).saved.frozen).toBe(true)
})

test("a layer that is frozen by what is no boolean says so", () => {
  const layer = new BatchNorm(2)
  layer.frozen = "false" as never
  expectRefused(() => layer.forward(x), argumentError("frozen", "true or false", '"false"'))
})
