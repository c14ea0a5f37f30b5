import { allocate, type FloatArray, type NdArray, type ResidentArray } from "batchnorm"

export const dtypes = ["float32", "float64"] as const
export type Dtype = (typeof dtypes)[number]

export const residencies = ["ordinary", "resident"] as const
export type Residency = (typeof residencies)[number]

export const layouts = ["channels-last", "channels-first"] as const
export type Layout = (typeof layouts)[number]

export const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1)

/** An ordinary array. */
export function ordinary(values: ArrayLike<number>, shape: readonly number[], dtype: Dtype): NdArray<FloatArray> {
  return { data: dtype === "float32" ? Float32Array.from(values) : Float64Array.from(values), shape }
}

/** An ordinary array of zeros. */
export function zeros(shape: readonly number[], dtype: Dtype): NdArray<FloatArray> {
  const length = product(shape)
  return { data: dtype === "float32" ? new Float32Array(length) : new Float64Array(length), shape }
}

/** Arrays of one residency, given back together. */
export class Arrays {
  readonly residency: Residency
  readonly #live: ResidentArray[] = []

  constructor(residency: Residency) {
    this.residency = residency
  }

  /** An array of zeros. */
  empty(shape: readonly number[], dtype: Dtype): NdArray<FloatArray> {
    if (this.residency === "ordinary") return zeros(shape, dtype)
    const array = dtype === "float32" ? allocate(shape) : allocate(shape, "float64")
    this.#live.push(array)
    return array
  }

  /** A copy of an array. */
  copy({ data, shape }: NdArray): NdArray<FloatArray> {
    const array = this.empty(shape, data instanceof Float32Array ? "float32" : "float64")
    array.data.set(data)
    return array
  }

  free(): void {
    for (const array of this.#live.splice(0)) array.dispose()
  }
}

/** The first place where two arrays differ in their bits (zeros by their sign, all NaN alike); -1: none. */
export function firstDifference(a: FloatArray, b: FloatArray): number {
  if (a.length !== b.length) return Math.min(a.length, b.length)
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return i
  return -1
}

/** Whether the tests run in a browser, where they do with fewer cases. */
export const inBrowser = typeof document !== "undefined"

/** A setting: an environment variable, whose name begins with VITE_ so that the browser sees it too. */
export function setting(name: string): string | undefined {
  // Vite puts the variables where it sees exactly `import.meta.env`.
  const inlined = (import.meta as ImportMeta & { env?: Record<string, string | undefined> }).env
  return globalThis.process?.env?.[name] ?? inlined?.[name]
}
