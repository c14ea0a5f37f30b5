import { allocate, BatchNorm, batchNormalization, forward, infer } from "batchnorm"
import { expect, test } from "vitest"
import { keep, settings } from "./support/arrays.ts"
import {
  argumentError,
  disposedError,
  expectRefusal,
  expectRefused,
  goneError,
  type Refusal,
  shapeError,
  thrown,
} from "./support/refuses.ts"
import { bench, broadcast, perChannel, sums } from "./support/slots.ts"

interface Bad {
  readonly is: string
  readonly make: () => unknown
  readonly due: (argument: string) => Refusal
}

const oneEach = "an array of numbers, one per channel"
const anyForm = "a number, an array of numbers or { data, shape }"

const ordinary = { type: "float32", home: "ordinary" } as const

/** Wrong in the same way for what is per channel and for what broadcasts. */
const bad: Bad[] = [
  {
    is: "a text among the numbers",
    make: () => [1, "2", 3],
    due: (argument) => argumentError(`${argument}[1]`, "a number", '"2"'),
  },
  {
    is: "a null among the numbers",
    make: () => [1, 2, null],
    due: (argument) => argumentError(`${argument}[2]`, "a number", "null"),
  },
  {
    is: "a hole among the numbers",
    // biome-ignore lint/suspicious/noSparseArray: it is the point
    make: () => [, 2, 3],
    due: (argument) => argumentError(`${argument}[0]`, "a number", "undefined"),
  },
  {
    is: "an array of BigInts",
    make: () => BigInt64Array.of(1n, 2n, 3n),
    due: (argument) => argumentError(`${argument}[0]`, "a number", "1n"),
  },
  {
    is: "an array of BigInts, wrapped",
    make: () => ({ data: BigInt64Array.of(1n, 2n, 3n), shape: [3] }),
    due: (argument) => argumentError(`${argument}[0]`, "a number", "1n"),
  },
  {
    is: "{ data, shape } without data",
    make: () => ({ data: undefined, shape: [3] }),
    due: (argument) => argumentError(`${argument}.data`, "an array of numbers", "undefined"),
  },
  {
    is: "{ data, shape } with a text as data",
    make: () => ({ data: "123", shape: [3] }),
    due: (argument) => argumentError(`${argument}.data`, "an array of numbers", '"123"'),
  },
  {
    is: "{ data, shape } with a view that has no elements",
    make: () => ({ data: new DataView(new ArrayBuffer(24)), shape: [3] }),
    due: (argument) => argumentError(`${argument}.data`, "an array of numbers", "a DataView"),
  },
  {
    is: "{ data, shape } without a shape",
    make: () => ({ data: [1, 2, 3] }),
    due: (argument) => shapeError(`${argument}.shape`, "an Array of sizes", "undefined"),
  },
  {
    is: "{ data, shape } with a negative size",
    make: () => ({ data: [1, 2, 3], shape: [-3] }),
    due: (argument) => shapeError(`${argument}.shape[0]`, "a whole number from 0 on, below 2^53", "-3"),
  },
  {
    is: "{ data, shape } that do not fit",
    make: () => ({ data: Float32Array.of(1, 2, 3, 4), shape: [3] }),
    due: (argument) => shapeError(`${argument}.data`, "3 elements for shape [3]", "4"),
  },
  {
    is: "{ data, shape } of numbers that do not fit",
    make: () => ({ data: [1, 2], shape: [1, 3] }),
    due: (argument) => shapeError(`${argument}.data`, "3 elements for shape [1, 3]", "2"),
  },
  {
    is: "every other number, by a stride",
    make: () => ({ data: new Float64Array(6), shape: [3], stride: [2], offset: 0 }),
    due: (argument) => argumentError(`${argument}.stride[0]`, "1: arrays are dense and row-major", "2: copy it first"),
  },
  {
    is: "numbers from an offset on",
    make: () => ({ data: new Float64Array(6), shape: [3], strides: [1], offset: 3 }),
    due: (argument) => argumentError(`${argument}.offset`, "0: arrays are dense and row-major", "3: copy it first"),
  },
  {
    is: "a tensor of TensorFlow.js",
    make: () => ({ shape: [3], data: () => Promise.resolve(new Float32Array(3)) }),
    due: (argument) =>
      argumentError(
        argument,
        "{ data, shape }",
        "a tensor of TensorFlow.js: pass { data: t.dataSync(), shape: t.shape }",
      ),
  },
  {
    is: "a tensor of ONNX Runtime",
    make: () => ({ dims: [3], data: new Float32Array(3) }),
    due: (argument) =>
      argumentError(argument, "{ data, shape }", "a tensor of ONNX Runtime: pass { data: t.data, shape: t.dims }"),
  },
  {
    is: "an array that was disposed",
    make: () => {
      const array = allocate([3])
      array.dispose()
      return array
    },
    due: disposedError,
  },
  {
    is: "a view whose buffer was transferred",
    make: () => {
      const view = Float64Array.of(1, 2, 3)
      structuredClone(view, { transfer: [view.buffer] })
      return view
    },
    due: goneError,
  },
  {
    is: "a view whose buffer was transferred, wrapped",
    make: () => {
      const data = Float32Array.of(1, 2, 3)
      structuredClone(data, { transfer: [data.buffer] })
      return { data, shape: [3] }
    },
    due: (argument) => goneError(`${argument}.data`),
  },
]

const outside = (argument: string) =>
  argumentError(
    argument,
    "a view inside one live allocation, or an array of your own",
    "a view of the library's memory outside any: it was disposed, or is not from allocate",
  )

const kept = (type: "float32" | "float64") => {
  const array = allocate([3], type as "float64")
  const { data } = array
  array.dispose()
  return data
}

const ours: Bad[] = [
  { is: "a view that outlived its allocation", make: () => kept("float64"), due: outside },
  {
    is: "a view that outlived its allocation, wrapped",
    make: () => ({ data: kept("float32"), shape: [3] }),
    due: (argument) => outside(`${argument}.data`),
  },
  {
    is: "integers of the library's memory outside of any allocation",
    make: () => new Uint32Array(keep(allocate([1])).data.buffer, 0, 3),
    due: outside,
  },
]

test.each([...bad, ...ours])("$is is refused, wherever a parameter goes", ({ make, due }) => {
  for (const { call, argument, run } of [...perChannel, ...broadcast, ...sums]) {
    for (const setting of settings("ordinary", "resident")) {
      const around = bench(setting)
      const value = make() as number[]
      expectRefused(() => run(value, around), due(argument), around.watched, `${argument} of ${call}`)
    }
  }
})

const noArrays = [
  [true, "true"],
  ["123", '"123"'],
  [1n, "1n"],
  [() => [1, 2, 3], "a function"],
  [{}, "an Object"],
  [new Map(), "a Map"],
  [new DataView(new ArrayBuffer(24)), "a DataView"],
] as const

test.each(noArrays)("%s in place of numbers is refused", (value, actual) => {
  for (const [slots, expected] of [[perChannel, oneEach] as const, [[...broadcast, ...sums], anyForm] as const]) {
    for (const { call, argument, run } of slots) {
      const around = bench(ordinary)
      const due = argumentError(argument, expected, actual)
      expectRefused(() => run(value as never, around), due, around.watched, `${argument} of ${call}`)
    }
  }
})

test("one number for all channels is refused where there is to be one each", () => {
  for (const { call, argument, run } of perChannel) {
    const around = bench(ordinary)
    expectRefused(() => run(1 as never, around), argumentError(argument, oneEach, "1"), around.watched, call)
  }
})

test.each([0, 1, 2, 4, 6, 12])("%i numbers for 3 channels are refused, not cycled or cut", (length) => {
  const forms = [Array(length).fill(1), new Float32Array(length), { data: new Float64Array(length), shape: [length] }]
  for (const { call, argument, run } of perChannel) {
    for (const values of forms) {
      const around = bench(ordinary)
      const due = shapeError(argument, "3 numbers, one per channel", `${length}`)
      expectRefused(() => run(values as number[], around), due, around.watched, `${argument} of ${call}`)
    }
  }
})

test.each([
  [[1, 2], "[2]"],
  [[1, 2, 3, 4], "[4]"],
  [[], "[0]"],
  [{ data: [1, 2, 3, 4], shape: [4] }, "[4]"],
  [{ data: [1, 2, 3, 4], shape: [1, 4] }, "[1, 4]"],
  [{ data: [1, 2, 3], shape: [3, 1] }, "[3, 1]"],
  [{ data: new Float32Array(12), shape: [3, 4] }, "[3, 4]"],
  [{ data: new Float32Array(12), shape: [1, 4, 3] }, "[1, 4, 3]"],
  [{ data: new Float32Array(0), shape: [0, 3] }, "[0, 3]"],
])("%j does not broadcast to [4, 3]", (value, actual) => {
  for (const { argument, run } of broadcast) {
    const around = bench(ordinary)
    const due = shapeError(argument, "a shape that broadcasts to [4, 3]", actual)
    expectRefused(() => run(value as number[], around), due, around.watched, argument)
  }
})

test("an array of one number does not broadcast to a scalar, whose shape is []", () => {
  const x = { data: Float32Array.of(1), shape: [] }
  expectRefusal(
    thrown(() => batchNormalization(x, [0], 1)),
    shapeError("mean", "a shape that broadcasts to []", "[1]"),
  )
})

test("statistics that are left out are refused by name", () => {
  const around = bench(ordinary)
  const { x } = around
  const calls: readonly (readonly [() => unknown, Refusal])[] = [
    [() => batchNormalization(x, undefined as never, 1), argumentError("mean", anyForm, "undefined")],
    [() => batchNormalization(x, null as never, 1), argumentError("mean", anyForm, "null")],
    [() => batchNormalization(x, 0, undefined as never), argumentError("variance", anyForm, "undefined")],
    [() => infer(x, undefined as never), argumentError("options", "{ mean, variance }", "nothing")],
    [() => infer(x, {} as never), argumentError("mean", "one number per channel", "nothing")],
    [() => infer(x, { mean: [0, 0, 0] } as never), argumentError("variance", "one number per channel", "nothing")],
    [
      () => infer(x, { variance: [1, 1, 1], mean: null } as never),
      argumentError("mean", "one number per channel", "nothing"),
    ],
    [() => forward(x, { mean: [0, 0, 0] }), argumentError("variance", "both mean and variance, or neither", "nothing")],
    [() => forward(x, { variance: [1, 1, 1] }), argumentError("mean", "both mean and variance, or neither", "nothing")],
  ]
  for (const [call, due] of calls) expectRefused(call, due, around.watched, due.message)
})

const variances = (argument: string) => argument === "variance" || argument.endsWith(".variance")

test.each([-1, -Number.MIN_VALUE, Number.NEGATIVE_INFINITY])(
  "a variance of %f is refused, with its index",
  (negative) => {
    const slots = [...perChannel, ...broadcast].filter(
      ({ argument }) => variances(argument) || argument === "runningVariance",
    )
    expect(slots.map(({ call }) => call)).toEqual([
      "forward",
      "infer",
      "backward",
      "new BatchNorm",
      "foldIntoDense",
      "batchNormalization",
    ])
    for (const { call, argument, run } of slots) {
      const around = bench(ordinary)
      const due = argumentError(`${argument}[2]`, "a variance from 0 on", `${negative}`)
      expectRefused(() => run([0, 1, negative], around), due, around.watched, call)
    }
  },
)

test("a negative running variance is refused by the name that it has in the layer", () => {
  const around = bench(ordinary)
  const { layer, x, out } = around
  layer.runningVariance[1] = -2
  const due = argumentError("runningVariance[1]", "a variance from 0 on", "-2")
  expectRefused(() => layer.infer(x, { out }), due, around.watched)
  expectRefused(() => layer.forward(x, { training: false, out }), due, around.watched)
})

test("-0 is no negative variance, and NaN stays in its channel", () => {
  const x = { data: Float64Array.of(1, 2, 3), shape: [1, 3] }
  const { data } = infer(x, { mean: [0, 0, 0], variance: [-0, Number.NaN, 1], epsilon: 1 })
  expect([...data]).toEqual([1, Number.NaN, 3 / Math.SQRT2])
})

test("parameters may be arrays of any kind of number", () => {
  const x = { data: Float32Array.of(2, 4, 6), shape: [1, 3] }
  const means = [
    [1, 2, 3],
    Int8Array.of(1, 2, 3),
    Uint32Array.of(1, 2, 3),
    Float32Array.of(1, 2, 3),
    { data: [1, 2, 3], shape: [3] },
    { data: Uint8Array.of(1, 2, 3), shape: [1, 3] },
    { length: 3, 0: 1, 1: 2, 2: 3 },
  ]
  const resident = keep(allocate([3], "float64"))
  resident.data.set([1, 2, 3])
  for (const mean of [...means, resident, resident.data]) {
    const variance = [1, 1, 1]
    expect([...infer(x, { mean: mean as number[], variance, epsilon: 0 }).data]).toEqual([1, 2, 3])
    expect([...batchNormalization(x, mean as number[], 1, null, null, 0).data]).toEqual([1, 2, 3])
    expect([...new BatchNorm(3, { gamma: mean as number[] }).gamma]).toEqual([1, 2, 3])
  }
})
