// The files of test/vectors/frameworks, whose readme says what is in them.
import type { FloatArray, NdArray } from "batchnorm"
import exact from "../vectors/frameworks/exact.json" with { type: "json" }
import keras from "../vectors/frameworks/keras.json" with { type: "json" }
import onnx from "../vectors/frameworks/onnx.json" with { type: "json" }
import tensorflow from "../vectors/frameworks/tensorflow.json" with { type: "json" }
import torch from "../vectors/frameworks/torch.json" with { type: "json" }
import { type Dtype, dtypes, ordinary, type Residency, residencies } from "./numerics-arrays.ts"

/** An array as the files have it. */
export interface Stored {
  readonly shape: readonly number[]
  readonly data: readonly number[]
}

/** What every case has beside its own. */
export interface Case {
  readonly name: string
}

/** A case that knows its file. */
export type Loaded<C extends Case> = C & {
  /** What is due was computed exactly, for f64 input, and rounded once; else in float64, for f32 input. */
  readonly exact: boolean
  /** An input array of this name, as f32 or f64. */
  readonly array: (name: string, dtype: Dtype) => NdArray<FloatArray>
}

/** The package's element type and memory. */
export interface Instance {
  readonly dtype: Dtype
  readonly residency: Residency
}

interface File {
  readonly versions: Readonly<Record<string, string>>
  readonly dtype: Dtype
  readonly arrays: Readonly<Record<string, Stored>>
}

const files = Object.entries({ torch, tensorflow, keras, onnx, exact }) as unknown as [string, File][]

export const instances: readonly Instance[] = dtypes.flatMap((dtype) =>
  residencies.map((residency) => ({ dtype, residency })),
)

/** The versions that each file was made with. */
export const versions: Readonly<Record<string, Readonly<Record<string, string>>>> = Object.fromEntries(
  files.map(([name, file]) => [name, file.versions]),
)

/** All cases of a kind that are for this type; f64 input is not for f32. */
export function casesOf<C extends Case>(kind: string, dtype: Dtype): Loaded<C>[] {
  return files
    .filter(([, file]) => file.dtype === "float32" || dtype === "float64")
    .flatMap(([source, file]) => {
      const cases = (file as unknown as Readonly<Record<string, readonly C[] | undefined>>)[kind] ?? []
      const array = (name: string, to: Dtype) => {
        const { data, shape } = file.arrays[name]!
        return ordinary(file.dtype === "float32" ? data.map(Math.fround) : data, shape, to)
      }
      return cases.map((one) => ({ ...one, name: `${source}: ${one.name}`, exact: file.dtype === "float64", array }))
    })
}

/** A parameter of the files, as the package takes it: f64. */
export const stored = ({ data, shape }: Stored): NdArray<Float64Array> => ({ data: Float64Array.from(data), shape })
