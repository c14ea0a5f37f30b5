import { allocate, type NdArray } from "batchnorm"
import { describe, expect, test } from "vitest"
import { keep, label, numbers, place, type Setting, settings, types } from "./support/arrays.ts"
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
import { bench, inputs, operands, outputs, shape } from "./support/slots.ts"

interface Bad {
  readonly is: string
  /** What is passed, in place of a good array; nothing else is wrong with it. */
  readonly make: (setting: Setting) => unknown
  readonly due: (argument: string) => Refusal
}

const slots = [...inputs, ...outputs, ...operands]
const good = (setting: Setting) => place(setting, shape, numbers(12))
const dataOf = ({ type }: Setting, length = 12) => new types[type](length)
const nameOf = ({ type }: Setting) => types[type].name
const floats = "a Float32Array or Float64Array"
const convert = ": convert it, as by new Float32Array(data)"

const notArrays: Bad[] = [
  ...([null, 5, true, "x", 7n, Symbol("s"), () => 1] as const).map((value, index) => ({
    is: `${typeof value} in place of { data, shape }`,
    make: () => value,
    due: (argument: string) =>
      argumentError(
        argument,
        "{ data, shape }",
        ["null", "5", "true", '"x"', "7n", "Symbol(s)", "a function"][index] as string,
      ),
  })),
  {
    is: "a plain array",
    make: () => numbers(12),
    due: (argument) =>
      argumentError(argument, "{ data, shape }", "an Array of 12: wrap it, as in { data, shape: [length] }"),
  },
  {
    is: "a tensor of TensorFlow.js",
    make: (setting) => ({
      shape,
      dtype: "float32",
      data: async () => dataOf(setting),
      dataSync: () => dataOf(setting),
    }),
    due: (argument) =>
      argumentError(
        argument,
        "{ data, shape }",
        "a tensor of TensorFlow.js: pass { data: t.dataSync(), shape: t.shape }",
      ),
  },
  {
    is: "a tensor of ONNX Runtime",
    make: (setting) => ({ dims: shape, type: "float32", data: dataOf(setting), size: 12 }),
    due: (argument) =>
      argumentError(argument, "{ data, shape }", "a tensor of ONNX Runtime: pass { data: t.data, shape: t.dims }"),
  },
]

const badShapes: Bad[] = [
  ...(
    [
      [undefined, "undefined"],
      [12, "12"],
      ["4,3", '"4,3"'],
      [Int32Array.of(4, 3), "an Int32Array"],
      [{ length: 2, 0: 4, 1: 3 }, "an Object"],
    ] as const
  ).map(([value, actual]) => ({
    is: `the shape ${actual}`,
    make: (setting: Setting) => ({ data: dataOf(setting), shape: value }),
    due: (argument: string) => shapeError(`${argument}.shape`, "an Array of sizes", actual),
  })),
  ...(
    [
      [[-4, -3], 0, "-4"],
      [[4, 2.5], 1, "2.5"],
      [[Number.NaN, 3], 0, "NaN"],
      [[4, Number.POSITIVE_INFINITY], 1, "Infinity"],
      [[12, 2 ** 53], 1, "9007199254740992"],
      [["4", 3], 0, '"4"'],
      [[4n, 3n], 0, "4n"],
      // biome-ignore lint/suspicious/noSparseArray: it is the point
      [[, 3], 0, "undefined"],
    ] as const
  ).map(([value, axis, actual]) => ({
    is: `a shape with the size ${actual}`,
    make: (setting: Setting) => ({ data: dataOf(setting), shape: value }),
    due: (argument: string) => shapeError(`${argument}.shape[${axis}]`, "a whole number from 0 on, below 2^53", actual),
  })),
  ...[
    [2 ** 30, 2 ** 30],
    [0, 2 ** 30, 2 ** 30],
  ].map((sizes) => ({
    is: `the shape [${sizes}]`,
    make: (setting: Setting) => ({ data: dataOf(setting), shape: sizes }),
    due: (argument: string) => shapeError(`${argument}.shape`, "fewer than 2^53 elements", `[${sizes.join(", ")}]`),
  })),
  {
    is: "a shape of 33 axes",
    make: (setting) => ({ data: dataOf(setting, 1), shape: Array(33).fill(1) }),
    due: (argument) => shapeError(`${argument}.shape`, "at most 32 axes", "33"),
  },
]

const badData: Bad[] = [
  ...[11, 13, 0].map((length) => ({
    is: `${length} elements for 12`,
    make: (setting: Setting) => ({ data: dataOf(setting, length), shape }),
    due: (argument: string) => shapeError(`${argument}.data`, "12 elements for shape [4, 3]", `${length}`),
  })),
  ...[
    new Int8Array(12),
    new Uint8Array(12),
    new Uint8ClampedArray(12),
    new Int16Array(12),
    new Uint16Array(12),
    new Int32Array(12),
    new Uint32Array(12),
  ].map((data) => ({
    is: `integers, ${data.constructor.name}`,
    make: () => ({ data, shape }),
    due: (argument: string) =>
      argumentError(
        `${argument}.data`,
        floats,
        `${data instanceof Int8Array || data instanceof Int16Array || data instanceof Int32Array ? "an" : "a"} ${data.constructor.name}${convert}`,
      ),
  })),
  {
    is: "a plain array as data",
    make: () => ({ data: numbers(12), shape }),
    due: (argument) => argumentError(`${argument}.data`, floats, `an Array of 12${convert}`),
  },
  ...(
    [
      [new BigInt64Array(12), "a BigInt64Array"],
      [new DataView(new ArrayBuffer(48)), "a DataView"],
      [new ArrayBuffer(48), "an ArrayBuffer"],
      [undefined, "undefined"],
      [null, "null"],
      ["abc", '"abc"'],
    ] as const
  ).map(([data, actual]) => ({
    is: `${actual} as data`,
    make: () => ({ data, shape }),
    due: (argument: string) => argumentError(`${argument}.data`, floats, actual),
  })),
]

const strided: Bad[] = [
  ...(["stride", "strides"] as const).flatMap((key) => [
    {
      is: `an array with a transposed ${key}`,
      make: (setting: Setting) => ({ data: dataOf(setting), shape, [key]: [1, 4], offset: 0 }),
      due: (argument: string) =>
        argumentError(`${argument}.${key}[1]`, "1: arrays are dense and row-major", "4: copy it first"),
    },
    {
      is: `every other row, by ${key}`,
      make: (setting: Setting) => ({ data: dataOf(setting, 24), shape, [key]: [6, 1], offset: 0 }),
      due: (argument: string) =>
        argumentError(`${argument}.${key}[0]`, "3: arrays are dense and row-major", "6: copy it first"),
    },
    {
      is: `a reversed axis, by ${key}`,
      make: (setting: Setting) => ({ data: dataOf(setting), shape, [key]: [-3, 1], offset: 9 }),
      due: (argument: string) =>
        argumentError(`${argument}.offset`, "0: arrays are dense and row-major", "9: copy it first"),
    },
  ]),
  {
    is: "an array with too few strides",
    make: (setting) => ({ data: dataOf(setting), shape, strides: [1] }),
    due: (argument) =>
      argumentError(`${argument}.strides[1]`, "1: arrays are dense and row-major", "undefined: copy it first"),
  },
]

// TypeScript's es2023 does not know buffers that can be resized.
type Resizable = ArrayBuffer & { resize(length: number): void }
const ResizableBuffer = ArrayBuffer as unknown as new (length: number, options: { maxByteLength: number }) => Resizable
const resizable = (length: number) => new ResizableBuffer(length, { maxByteLength: 2 * length })

const gone: Bad[] = [
  {
    is: "data whose buffer was transferred",
    make: (setting) => {
      const data = dataOf(setting)
      structuredClone(data, { transfer: [data.buffer] })
      return { data, shape }
    },
    due: (argument) => goneError(`${argument}.data`),
  },
  {
    is: "data whose buffer was shrunk",
    make: ({ type }) => {
      const View = types[type]
      const buffer = resizable(12 * View.BYTES_PER_ELEMENT)
      const data = new View(buffer, 0, 12)
      buffer.resize(View.BYTES_PER_ELEMENT)
      return { data, shape }
    },
    due: (argument) => goneError(`${argument}.data`),
  },
  ...[11, 13, 0].map((length) => ({
    is: `data that follow their buffer to ${length} elements`,
    make: ({ type }: Setting) => {
      const View = types[type]
      const buffer = resizable(12 * View.BYTES_PER_ELEMENT)
      const data = new View(buffer)
      buffer.resize(length * View.BYTES_PER_ELEMENT)
      return { data, shape }
    },
    due: (argument: string) => shapeError(`${argument}.data`, "12 elements for shape [4, 3]", `${length}`),
  })),
]

const outside = (argument: string) =>
  argumentError(
    `${argument}.data`,
    "a view inside one live allocation, or an array of your own",
    "a view of the library's memory outside any: it was disposed, or is not from allocate",
  )

const ours: Bad[] = [
  {
    is: "an array that was disposed",
    make: ({ type }) => {
      const array = allocate(shape, type as "float64")
      array.dispose()
      return array
    },
    due: disposedError,
  },
  {
    is: "a view that outlived its allocation",
    make: ({ type }) => {
      const array = allocate(shape, type as "float64")
      const { data } = array
      array.dispose()
      return { data, shape }
    },
    due: outside,
  },
  {
    is: "a view from the start of the library's memory",
    make: ({ type }) => {
      const { buffer } = keep(allocate(shape)).data
      return { data: new types[type](buffer, 0, 12), shape }
    },
    due: outside,
  },
  {
    is: "a view that runs over the end of an allocation",
    make: ({ type }) => {
      const { buffer, byteOffset, byteLength } = keep(allocate([11], type as "float64")).data
      const { BYTES_PER_ELEMENT } = types[type]
      expect(byteLength).toBe(11 * BYTES_PER_ELEMENT)
      return { data: new types[type](buffer, byteOffset, 12), shape }
    },
    due: outside,
  },
  {
    is: "a view that begins before an allocation",
    make: ({ type }) => {
      const { buffer, byteOffset } = keep(allocate(shape, type as "float64")).data
      return { data: new types[type](buffer, byteOffset - types[type].BYTES_PER_ELEMENT, 12), shape }
    },
    due: outside,
  },
]

const bad = { notArrays, badShapes, badData, strided, gone, ours }

test.each(Object.values(bad).flat())("$is is refused, wherever an array goes", ({ make, due }) => {
  for (const { call, argument, run } of slots) {
    for (const setting of settings("ordinary", "resident")) {
      const around = bench(setting)
      const array = make(setting) as NdArray
      // An operand may be none.
      if (array === null && argument === "residual") continue
      expectRefused(
        () => run(array, around),
        due(argument),
        around.watched,
        `${argument} of ${call}, ${label(setting)}`,
      )
    }
  }
})

test("a bare typed array is refused, with the way to wrap it", () => {
  for (const { call, argument, run } of slots) {
    for (const setting of settings("ordinary", "resident")) {
      const around = bench(setting)
      const due = argumentError(
        argument,
        "{ data, shape }",
        `a ${nameOf(setting)}: wrap it, as in { data, shape: [length] }`,
      )
      expectRefused(() => run(good(setting).data as never, around), due, around.watched, `${argument} of ${call}`)
    }
  }
})

test.each(inputs)("$call without its $argument is refused", ({ argument, run }) => {
  const around = bench({ type: "float32", home: "ordinary" })
  const due = argumentError(argument, "{ data, shape }", "undefined")
  expectRefused(() => run(undefined as never, around), due, around.watched)
})

test("a view that an allocate detached is refused, with the advice to fetch it again", () => {
  const around = bench({ type: "float32", home: "ordinary" })
  const array = keep(allocate(shape))
  const view = { data: array.data, shape }
  const { byteLength } = array.data.buffer
  keep(allocate([byteLength / 4]))
  expect(view.data.length).toBe(0)
  for (const { call, argument, run } of slots) {
    expectRefusal(
      thrown(() => run(view, around), call),
      goneError(`${argument}.data`),
      call,
    )
    run({ data: array.data, shape }, bench({ type: "float32", home: "ordinary" }))
  }
})

describe("an array that says what row-major means anyway is welcome", () => {
  test.each([
    ["scijs", { stride: [3, 1], offset: 0 }],
    ["stdlib", { strides: [3, 1], offset: 0, order: "row-major" }],
    ["neither", {}],
  ])("with the fields of %s", (_, fields) => {
    for (const { run } of slots) {
      const around = bench({ type: "float32", home: "ordinary" })
      run({ ...good(around.setting), ...fields } as NdArray, around)
    }
  })

  test("whatever stride an axis of size 1 has", () => {
    for (const { run } of [...inputs.slice(0, 2), ...inputs.slice(0, 1)]) {
      const around = bench({ type: "float32", home: "ordinary" })
      const out = place(around.setting, [1, 12], numbers(12))
      const array = { ...place(around.setting, [1, 12], numbers(12)), stride: [99, 1] }
      run(array, { ...around, out })
    }
  })
})
