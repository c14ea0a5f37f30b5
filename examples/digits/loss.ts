import { type Matrix, zeros } from "./matrix.ts"

/** Of each row. The row's largest value is taken off first, so that exp cannot overflow. */
export function softmax({ data, shape: [rows, columns] }: Matrix): Matrix {
  const p = zeros(rows, columns)
  for (let i = 0; i < data.length; i += columns) {
    const row = data.subarray(i, i + columns)
    const largest = Math.max(...row)
    const exponentials = Array.from(row, (value) => Math.exp(value - largest))
    const sum = exponentials.reduce((a, b) => a + b)
    p.data.set(
      exponentials.map((value) => value / sum),
      i,
    )
  }
  return p
}

/** The mean over the batch, and its gradient in what softmax was given: (p - one-hot) / rows. */
export function crossEntropy(p: Matrix, labels: Uint8Array): { loss: number; gradient: Matrix } {
  const [rows, columns] = p.shape
  const gradient: Matrix = { data: p.data.map((value) => value / rows), shape: p.shape }
  let loss = 0
  for (const [i, label] of labels.entries()) {
    const at = i * columns + label
    // A probability that has underflowed to 0 costs what the least f32 would, not Infinity.
    loss -= Math.log(Math.max(p.data[at]!, 2 ** -149)) / rows
    gradient.data[at]! -= 1 / rows
  }
  return { loss, gradient }
}

/** The share of rows whose largest probability is the label's. A row of NaN has no largest: it answers 0. */
export function accuracy({ data, shape: [rows, columns] }: Matrix, labels: Uint8Array): number {
  let right = 0
  for (const [i, label] of labels.entries()) {
    const row = data.subarray(i * columns, (i + 1) * columns)
    if (Math.max(0, row.indexOf(Math.max(...row))) === label) right++
  }
  return right / rows
}
