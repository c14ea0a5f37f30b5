import {
  allocate,
  BatchNorm,
  backward,
  batchNormalization,
  forward,
  infer,
  type MeanVariance,
  moments,
  type NdArray,
  type Saved,
  type Vector,
} from "batchnorm"
import { expect, test } from "vitest"
import { keep, label, numbers, place, type Setting, settings, types } from "./support/arrays.ts"
import { argumentError, expectRefused, goneError, type Refusal, shapeError } from "./support/refuses.ts"
import { type Bench, bench, operands, outputs, shape } from "./support/slots.ts"

const inBoth = settings("ordinary", "resident")
const ordinary = { type: "float32", home: "ordinary" } as const
const doubles = { type: "float64", home: "ordinary" } as const

const other = ({ type, home }: Setting): Setting => ({ type: type === "float32" ? "float64" : "float32", home })

interface Elementwise {
  readonly call: string
  readonly argument: string
  readonly run: (array: NdArray, bench: Bench) => unknown
}

/** Whatever is to be like x: results, and dy. */
const likeX: readonly Elementwise[] = [
  ...outputs,
  ...operands,
  { call: "backward", argument: "dy", run: (dy, { x, saved }) => backward(dy, x, saved) },
  { call: "BatchNorm.backward", argument: "dy", run: (dy, { layer }) => layer.backward(dy) },
]

test.each([[[3, 4]], [[4, 2]], [[8, 3]], [[12]], [[1, 4, 3]], [[0, 3]]])(
  "an array of shape %j is refused where it is to be like x",
  (sizes) => {
    for (const { call, argument, run } of likeX) {
      for (const setting of inBoth) {
        const around = bench(setting)
        const array = place(setting, sizes, numbers(sizes.reduce((a, b) => a * b, 1)))
        const due = shapeError(`${argument}.shape`, "[4, 3], as x.shape", `[${sizes.join(", ")}]`)
        expectRefused(() => run(array, around), due, { ...around.watched, array: array.data }, `${argument} of ${call}`)
      }
    }
  },
)

test("an array of the other element type is refused where it is to be like x", () => {
  for (const { call, argument, run } of likeX) {
    for (const setting of inBoth) {
      const around = bench(setting)
      const array = place(other(setting), shape, numbers(12))
      const [expected, actual] = [setting, other(setting)].map(({ type }) => `a ${types[type].name}`)
      const due = argumentError(`${argument}.data`, `${expected}, as x.data`, actual!)
      expectRefused(() => run(array, around), due, { ...around.watched, array: array.data }, `${argument} of ${call}`)
    }
  }
})

test.each([-11, -3, -1, 1, 3, 11])(
  "a result that begins %i elements from x, and so overlaps it, is refused",
  (shift) => {
    for (const { call, argument, run } of outputs) {
      for (const setting of inBoth) {
        const around = bench(setting)
        const room = place(setting, [36], numbers(36)).data
        const x = { data: room.subarray(12, 24), shape }
        const out = { data: room.subarray(12 + shift, 24 + shift), shape }
        around.layer.forward(x)
        const due = argumentError(`${argument}.data`, "the elements of x.data, or none of them", "some of them")
        const watched = { ...around.watched, room }
        expectRefused(() => run(out, { ...around, x }), due, watched, `${argument} of ${call}, ${label(setting)}`)
      }
    }
  },
)

test("dx that overlaps dy in part is refused", () => {
  for (const setting of inBoth) {
    const around = bench(setting)
    const { x, saved, layer } = around
    const room = place(setting, [36], numbers(36)).data
    const dy = { data: room.subarray(12, 24), shape }
    const out = { dx: { data: room.subarray(13, 25), shape } }
    const due = argumentError("out.dx.data", "the elements of dy.data, or none of them", "some of them")
    expectRefused(() => backward(dy, x, saved, { out }), due, { ...around.watched, room }, label(setting))
    expectRefused(() => layer.backward(dy, { out }), due, { ...around.watched, room }, label(setting))
  }
})

test("a result that only touches x is written", () => {
  for (const { run } of outputs) {
    for (const setting of inBoth) {
      const around = bench(setting)
      const room = place(setting, [36], numbers(36)).data
      const x = { data: room.subarray(12, 24), shape }
      around.layer.forward(x)
      for (const start of [0, 24]) {
        run({ data: room.subarray(start, start + 12), shape }, { ...around, x })
        around.layer.forward(x)
      }
    }
  }
})

/** An argument that holds one number per channel and is written. */
interface VectorSlot {
  readonly call: string
  readonly argument: string
  readonly run: (vector: Vector, bench: Bench) => unknown
}

const empty = (): Vector => new Float64Array(3)

const vectors: readonly VectorSlot[] = [
  ...(["mean", "variance"] as const).map((name) => ({
    call: "moments",
    argument: `out.${name}.data`,
    run: (data: Vector, { x }: Bench) => {
      const rest = { data: empty(), shape: [3] }
      const out = { mean: rest, variance: { ...rest, data: empty() }, [name]: { data, shape: [data.length] } }
      return moments(x, [0], { out: out as MeanVariance })
    },
  })),
  ...(["mean", "variance", "count", "gamma", "beta"] as const).map((name) => ({
    call: "forward",
    argument: `out.saved.${name}`,
    run: (vector: Vector, { x, out, saved }: Bench) =>
      forward(x, { gamma: [1, 1, 1], beta: [0, 0, 0], out: { y: out, saved: { ...saved, [name]: vector } } }),
  })),
  ...(["dgamma", "dbeta"] as const).map((name) => ({
    call: "backward",
    argument: `out.${name}`,
    run: (vector: Vector, { x, dy, out, saved }: Bench) => backward(dy, x, saved, { out: { dx: out, [name]: vector } }),
  })),
  ...(["dmean", "dvariance"] as const).map((name) => ({
    call: "backward",
    argument: `out.${name}`,
    run: (vector: Vector, { x, dy, out, saved }: Bench) =>
      backward(dy, x, { ...saved, frozen: true }, { need: ["dx", name], out: { dx: out, [name]: vector } }),
  })),
]

const wrongVectors: readonly (readonly [string, () => unknown, (argument: string) => Refusal])[] = [
  [
    "a Float32Array",
    () => new Float32Array(3),
    (argument) => argumentError(argument, "a Float64Array", "a Float32Array"),
  ],
  ["2 numbers", () => new Float64Array(2), (argument) => shapeError(argument, "3 numbers, one per channel", "2")],
  ["12 numbers", () => new Float64Array(12), (argument) => shapeError(argument, "3 numbers, one per channel", "12")],
  ["no numbers", () => new Float64Array(0), (argument) => shapeError(argument, "3 numbers, one per channel", "0")],
  [
    "a view that outlived its allocation",
    () => {
      const array = allocate([3], "float64")
      const { data } = array
      array.dispose()
      return data
    },
    (argument) =>
      argumentError(
        argument,
        "a view inside one live allocation, or an array of your own",
        "a view of the library's memory outside any: it was disposed, or is not from allocate",
      ),
  ],
]

test.each(wrongVectors)("%s in place of a Float64Array of one number per channel is refused", (_, make, due) => {
  for (const { call, argument, run } of vectors) {
    const around = bench(ordinary)
    const vector = make() as Vector
    expectRefused(() => run(vector, around), due(argument), around.watched, `${argument} of ${call}`)
  }
})

test("a vector whose buffer was transferred is refused, with the advice to fetch it again", () => {
  // An array that comes as { data, shape } is measured by its shape; others by the channels of x.
  for (const { call, argument, run } of vectors.slice(2)) {
    const around = bench(ordinary)
    const vector = empty()
    structuredClone(vector, { transfer: [vector.buffer] })
    expectRefused(() => run(vector, around), goneError(argument), around.watched, `${argument} of ${call}`)
  }
  const x = { data: new Float32Array(12), shape }
  const data = empty()
  structuredClone(data, { transfer: [data.buffer] })
  const out = { mean: { data, shape: [3] }, variance: { data: empty(), shape: [3] } }
  expectRefused(() => moments(x, [0], { out }), goneError("out.mean.data"))
})

test.each([
  [null, "null"],
  [7, "7"],
  [[0, 0, 0], "an Array of 3"],
  [{ data: new Float64Array(3), shape: [3] }, "an Object"],
])("%j in place of a Float64Array is refused", (value, actual) => {
  for (const { call, argument, run } of vectors.slice(2)) {
    const around = bench(ordinary)
    const due = argumentError(argument, "a Float64Array", actual)
    expectRefused(() => run(value as never, around), due, around.watched, `${argument} of ${call}`)
  }
})

test("a bare array in place of the mean that moments is to fill is refused, with the way to wrap it", () => {
  const around = bench(ordinary)
  const wrap = "a Float64Array: wrap it, as in { data, shape: [length] }"
  expectRefused(
    () => moments(around.x, [0], { out: { mean: empty() } as never }),
    argumentError("out.mean", "{ data, shape }", wrap),
    around.watched,
  )
})

test("saved vectors without the γ or β that a call has, or with one that it lacks, are refused", () => {
  const around = bench(ordinary)
  const { x, out: y, saved } = around
  const lacks = (name: string) => argumentError(name, `${name}, as out.saved has it`, "nothing")
  const bare: Saved = { ...saved, gamma: null, beta: null }
  const { watched } = around
  expectRefused(() => forward(x, { out: { y, saved } }), lacks("gamma"), watched)
  expectRefused(() => forward(x, { gamma: [1, 1, 1], out: { y, saved } }), lacks("beta"), watched)
  expectRefused(
    () => forward(x, { gamma: [1, 1, 1], out: { y, saved: bare } }),
    argumentError("out.saved.gamma", "a Float64Array", "null"),
    watched,
  )
})

const shared = (name: string, other: string) =>
  argumentError(name, `none of the elements of ${other}`, "some of them: give it memory of its own")

test("per-channel results that share memory with each other are refused", () => {
  const around = bench(doubles)
  const { x, dy, out: y, saved, watched } = around
  const room = new Float64Array(5)
  const [first, second] = [room.subarray(0, 3), room.subarray(2, 5)]
  const wrapped = { mean: { data: first, shape: [3] }, variance: { data: second, shape: [3] } }
  const calls: readonly (readonly [() => unknown, Refusal])[] = [
    [() => moments(x, [0], { out: wrapped }), shared("out.variance.data", "out.mean.data")],
    [
      () => forward(x, { out: { y, saved: { ...saved, gamma: null, beta: null, mean: first, count: second } } }),
      shared("out.saved.count", "out.saved.mean"),
    ],
    [() => backward(dy, x, saved, { out: { dgamma: second, dbeta: first } }), shared("out.dbeta", "out.dgamma")],
    [() => backward(dy, x, saved, { out: { dgamma: first, dbeta: first } }), shared("out.dbeta", "out.dgamma")],
  ]
  for (const [call, due] of calls) expectRefused(call, due, { ...watched, room }, due.message)
})

test("per-channel results that share memory with what is read are refused", () => {
  const around = bench(doubles)
  const { x, dy, out: y, saved, watched } = around
  const inside = x.data.subarray(5, 8) as Vector
  const wrap = (data: Vector) => ({ data, shape: [3] })
  const plain = { ...saved, gamma: null, beta: null }
  const calls: readonly (readonly [() => unknown, Refusal])[] = [
    [() => moments(x, [0], { out: { mean: wrap(inside) } }), shared("out.mean.data", "x.data")],
    [() => moments(x, [0], { out: { variance: wrap(inside) } }), shared("out.variance.data", "x.data")],
    [() => forward(x, { out: { saved: { ...plain, mean: inside } } }), shared("out.saved.mean", "x.data")],
    [
      () => forward(x, { out: { y, saved: { ...plain, count: y.data.subarray(0, 3) as Vector } } }),
      shared("out.saved.count", "out.y.data"),
    ],
    [
      () => forward(x, { mean: saved.variance, variance: saved.mean.map(Math.abs), out: { saved: plain } }),
      shared("out.saved.variance", "mean"),
    ],
    [
      () => forward(x, { gamma: saved.mean, out: { saved: { ...plain, gamma: empty() } } }),
      shared("out.saved.mean", "gamma"),
    ],
    [() => backward(dy, x, saved, { out: { dgamma: inside } }), shared("out.dgamma", "x.data")],
    [
      () => backward(dy, x, saved, { out: { dbeta: dy.data.subarray(0, 3) as Vector } }),
      shared("out.dbeta", "dy.data"),
    ],
    [
      () => backward(dy, x, saved, { out: { dx: y, dbeta: y.data.subarray(9) as Vector } }),
      shared("out.dbeta", "out.dx.data"),
    ],
    [() => backward(dy, x, saved, { out: { dgamma: saved.variance } }), shared("out.dgamma", "saved.variance")],
  ]
  for (const [call, due] of calls) expectRefused(call, due, watched, due.message)
})

test("results that share memory with the parameters are refused", () => {
  const around = bench(doubles)
  const { x, dy, out, saved, watched } = around
  const inside = out.data.subarray(4, 7)
  const row = { data: inside, shape: [1, 3] }
  const { mean, variance } = saved
  const calls: readonly (readonly [() => unknown, Refusal])[] = [
    [() => batchNormalization(x, row, 1, 0, 1, 0, { out }), shared("out.data", "mean")],
    [() => batchNormalization(x, 0, row.data.map(Math.abs), inside, 1, 0, { out }), shared("out.data", "offset")],
    [() => batchNormalization(x, 0, 1, 0, { data: out.data, shape }, 0, { out }), shared("out.data", "scale")],
    [() => infer(x, { mean: inside, variance, out }), shared("out.data", "mean")],
    [() => infer(x, { mean, variance, gamma: row, out }), shared("out.data", "gamma")],
    [() => infer(x, { mean, variance, beta: inside, out }), shared("out.data", "beta")],
    [
      () => backward(dy, x, { ...saved, gamma: inside as Vector }, { out: { dx: out } }),
      shared("out.dx.data", "saved.gamma"),
    ],
  ]
  for (const [call, due] of calls) expectRefused(call, due, watched, due.message)
})

test("the gradient of a layer may not lie in its own dgamma or dbeta", () => {
  const layer = new BatchNorm(3)
  const x = { data: Float64Array.of(1, 2, 3), shape: [1, 3] }
  layer.forward(x)
  const out = { dx: { data: layer.dgamma, shape: [1, 3] } }
  expectRefused(() => layer.backward(x, { out }), shared("out.dgamma", "out.dx.data"), { dgamma: layer.dgamma })
})

test("what is to be saved may be where it is saved already", () => {
  const { x, saved } = bench(doubles)
  const { mean, variance, gamma, beta } = saved
  const again = forward(x, { mean, variance, gamma, beta, out: { saved } })
  expect(again.saved).toBe(saved)
  expect(saved.frozen).toBe(true)
  expect([...saved.gamma!]).toEqual([1, 2, 3])
})

test.each([0, "", false, Number.NaN, null])(
  "%j in place of an array to write into is refused, not ignored",
  (value) => {
    const actual = value === "" ? '""' : `${value}`
    for (const { call, argument, run } of outputs) {
      const around = bench(ordinary)
      const due = argumentError(argument, "{ data, shape }", actual)
      expectRefused(() => run(value as never, around), due, around.watched, call)
    }
  },
)

test("a view of the library's memory between two allocations is refused as a result", () => {
  const around = bench({ type: "float32", home: "resident" })
  const [a, b] = [keep(allocate(shape)), keep(allocate(shape))]
  const start = Math.min(a.data.byteOffset, b.data.byteOffset)
  const data = new Float32Array(a.data.buffer, start + 24, 12)
  const due = argumentError(
    "out.data",
    "a view inside one live allocation, or an array of your own",
    "a view of the library's memory outside any: it was disposed, or is not from allocate",
  )
  expectRefused(() => infer(around.x, { ...around.saved, out: { data, shape } }), due, { ...around.watched, data })
})
