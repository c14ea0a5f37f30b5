// How arrays meet the kernels: in tiles of channels, each in pieces, resident ones where they lie, others through the
// staging buffers. A piece ends where a block does, so the bits do not depend on it.
import { copyIn, copyOut, heap } from "./memory.ts"
import { type Checked, checkHeld } from "./options/arrays.ts"
import type { Axis, Packing, View } from "./view.ts"
import { roles, words } from "./wasm.ts"
import { spread, type Weighting } from "./weighting.ts"

/** Some channels: outers and all their channels, or channels of one outer. */
export interface Tile {
  /** The first statistic, and how many. */
  readonly start: number
  readonly length: number
  readonly pieces: readonly Piece[]
}

/** A part of a tile that the kernels see at once; along each axis of the view a start and a size. */
interface Piece {
  readonly outer: number
  readonly outers: number
  readonly row: number
  readonly rows: number
  readonly channel: number
  readonly channels: number
  readonly inner: number
  readonly inners: number
}

/** Bytes of the channels-first tiles of resident arrays: so many that a second pass finds them in cache. */
const cacheBytes = 1 << 18

/** The tiles of a view. `staged`: some array is not resident, so that a piece must fit a staging buffer. */
export function* tilesOf(view: View, bytes: number, staged: boolean): Generator<Tile> {
  const { outer: outers, reduce, channels, inner } = view
  const { stagingBytes, tile } = heap()
  const capacity = staged ? stagingBytes / bytes : Number.POSITIVE_INFINITY
  const cached = Math.min(capacity, inner === 1 ? capacity : cacheBytes / bytes)
  const perOuter = reduce * channels * inner

  if (outers > 1 && channels <= tile && perOuter <= capacity) {
    const most = Math.min(Math.floor(tile / channels), Math.max(1, Math.floor(cached / perOuter)))
    for (let outer = 0; outer < outers; outer += most) {
      const count = Math.min(most, outers - outer)
      yield { start: outer * channels, length: count * channels, pieces: [whole(view, outer, count, 0, channels)] }
    }
    return
  }
  const width = widthOf(view, capacity, cached, tile)
  for (let outer = 0; outer < outers; outer++) {
    for (let channel = 0; channel < channels; channel += width) {
      const count = Math.min(width, channels - channel)
      const pieces = piecesOf(view, outer, channel, count, capacity)
      yield { start: outer * channels + channel, length: count, pieces }
    }
  }
}

/** How many channels a tile of one outer has. */
function widthOf({ reduce, channels, inner, blockRows }: View, capacity: number, cached: number, tile: number): number {
  const perChannel = reduce * inner
  const most = Math.min(channels, tile)
  if (inner > 1 && perChannel <= cached) return Math.min(most, Math.floor(cached / Math.max(1, perChannel)))
  // A block at least must fit; whole segments where they do.
  const least = inner === 1 ? blockRows : blockRows * Math.min(inner, capacity)
  if (capacity === Number.POSITIVE_INFINITY) return inner === 1 ? most : 1
  return Math.max(1, Math.min(most, Math.floor(capacity / least)))
}

function piecesOf(view: View, outer: number, channel: number, channels: number, capacity: number): Piece[] {
  const { reduce, inner, blockRows } = view
  if (reduce * channels * inner <= capacity) return [whole(view, outer, 1, channel, channels)]
  const pieces: Piece[] = []
  const inners = Math.min(inner, capacity)
  const most = inners < inner ? 1 : Math.floor(capacity / (channels * inner) / blockRows) * blockRows
  for (let row = 0; row < reduce; row += most) {
    const rows = Math.min(most, reduce - row)
    for (let start = 0; start < inner; start += inners) {
      const piece = { outer, outers: 1, row, rows, channel, channels }
      pieces.push({ ...piece, inner: start, inners: Math.min(inners, inner - start) })
    }
  }
  return pieces
}

function whole({ reduce, inner }: View, outer: number, outers: number, channel: number, channels: number): Piece {
  return { outer, outers, row: 0, rows: reduce, channel, channels, inner: 0, inners: inner }
}

/** Bytes of a weight, which is f64 whatever x is. */
export const weightBytes = 8

/** A staging buffer. */
type Slot = 0 | 1 | 2 | 3

/** An array's part in a pass. */
export interface Port {
  readonly role: number
  /** The staging buffer that it uses unless it is resident. */
  readonly slot: Slot
  /** Where its elements lie; weights are spread over the piece instead. */
  readonly array: Checked | undefined
  readonly read: Copy | undefined
  readonly write: Copy | undefined
}

/** Copies a run: elements `start..start + length` of an array from or to a byte address. */
type Copy = (start: number, length: number, address: number) => void

/** An array that a pass reads. */
export function input(array: Checked, role: number, slot: Slot): Port {
  const { data } = checkHeld(array)
  const read: Copy = (start, length, address) => copyIn(data, start, length, address)
  return { role, slot, array, read, write: undefined }
}

/** An array that a pass writes; its staging buffer may be that of an input. */
export function output(array: Checked, role: number, slot: Slot): Port {
  const { data } = checkHeld(array)
  const write: Copy = (start, length, address) => copyOut(address, data, start, length)
  return { role, slot, array, read: undefined, write }
}

/** Weights that a pass reads, in the last staging buffer. */
export function weigh(weights: Weighting): Port {
  const held = checkHeld(weights)
  const read: Copy = (start, length, address) => spread(held, start, length, address)
  return { role: roles.weights, slot: 3, array: undefined, read, write: undefined }
}

/** Whether an array of this view goes through a staging buffer. */
export function isStaged(view: View, array: Checked | undefined): boolean {
  return view.packing !== undefined || !array?.resident
}

/**
 * Runs a kernel on each piece of a tile. `held`: inputs that, in a tile of one piece, still lie in their staging buffers
 * from the pass before.
 */
export function pass(
  view: View,
  tile: Tile,
  ports: readonly Port[],
  held: readonly Port[],
  run: (begin: boolean, end: boolean) => void,
): void {
  const { pieces } = tile
  for (let index = 0; index < pieces.length; index++) {
    const piece = pieces[index] as Piece
    writeCall(view, piece)
    for (const port of ports) {
      writePlace(view, piece, port)
      const isHeld = pieces.length === 1 && held.includes(port)
      if (port.read && !isHeld && isStaged(view, port.array)) move(view, piece, port, port.read)
    }
    run(index === 0, index === pieces.length - 1)
    for (const port of ports) {
      if (port.write && isStaged(view, port.array)) move(view, piece, port, port.write)
    }
  }
}

function writeCall(view: View, piece: Piece): void {
  const { uint32, call } = heap()
  const at = call / 4
  uint32[at + words.outer] = piece.outers
  uint32[at + words.rows] = piece.rows
  uint32[at + words.channels] = piece.channels
  uint32[at + words.inner] = piece.inners
  uint32[at + words.channelsLast] = view.inner === 1 ? 1 : 0
  uint32[at + words.copies] = view.copies
  uint32[at + words.blockRows] = view.blockRows
  uint32[at + words.blocks] = view.blocks
}

function writePlace(view: View, piece: Piece, { role, array, slot }: Port): void {
  const { uint32, call, staging, stagingBytes } = heap()
  const at = call / 4 + words.arrays + role * 3
  if (!array || isStaged(view, array)) {
    uint32[at] = staging + slot * stagingBytes
    uint32[at + 2] = piece.channels * piece.inners
    uint32[at + 1] = piece.rows * piece.channels * piece.inners
  } else {
    const row = view.channels * view.inner
    const start = ((piece.outer * view.reduce + piece.row) * view.channels + piece.channel) * view.inner + piece.inner
    uint32[at] = array.data.byteOffset + start * array.data.BYTES_PER_ELEMENT
    uint32[at + 2] = row
    uint32[at + 1] = view.reduce * row
  }
}

/** Copies a piece between an array and its staging buffer, in runs as long as both lie without gaps. */
function move(view: View, piece: Piece, { array, slot }: Port, copy: Copy): void {
  const { staging, stagingBytes } = heap()
  const bytes = array?.data.BYTES_PER_ELEMENT ?? weightBytes
  let address = staging + slot * stagingBytes
  const run = (start: number, length: number) => {
    copy(start, length, address)
    address += length * bytes
  }
  if (view.packing) {
    movePacked(view.packing, view, piece, run)
    return
  }
  const { outer, outers, row, rows, channel, channels, inner, inners } = piece
  const start = (o: number, r: number) => ((o * view.reduce + r) * view.channels + channel) * view.inner + inner
  const length = channels * inners
  if (length === view.channels * view.inner) {
    // Whole rows follow each other; whole outers too.
    if (length * rows * outers > 0) run(start(outer, row), outers * rows * length)
    return
  }
  for (let o = outer; o < outer + outers; o++) {
    for (let r = row; r < row + rows; r++) run(start(o, r), length)
  }
}

/** The same for a packed view: [major][minor] is [reduce][channels] or [channels][inner]. */
function movePacked(
  { major, minor }: Packing,
  view: View,
  piece: Piece,
  run: (start: number, length: number) => void,
): void {
  const last = (minor.at(-1) as Axis).size
  const [first, count, from, length] =
    view.inner === 1
      ? [piece.row, piece.rows, piece.channel, piece.channels]
      : [piece.channel, piece.channels, piece.inner, piece.inners]
  for (let index = first; index < first + count; index++) {
    const start = offsetOf(index, major)
    for (let next = from; next < from + length; ) {
      const end = Math.min(from + length, next - (next % last) + last)
      run(start + offsetOf(next, minor), end - next)
      next = end
    }
  }
}

/** Where the element with this index among some axes lies. */
function offsetOf(index: number, axes: readonly Axis[]): number {
  let offset = 0
  for (let axis = axes.length - 1; axis >= 0; axis--) {
    const { size, stride } = axes[axis] as Axis
    offset += (index % size) * stride
    index = Math.floor(index / size)
  }
  return offset
}

/** The part of a column of the channel table that a tile uses; not to be kept. */
export function columnOf(column: number, tile: Tile): Float64Array {
  const { float64, channels, tile: stride } = heap()
  const at = channels / 8 + column * stride
  return float64.subarray(at, at + tile.length)
}

/** Writes the numbers of a tile into a column of the channel table; none: `absent` for each. */
export function writeColumn(column: number, tile: Tile, values: ArrayLike<number> | undefined, absent: number): void {
  const { float64, channels, tile: stride } = heap()
  const at = channels / 8 + column * stride
  if (!values) {
    float64.fill(absent, at, at + tile.length)
    return
  }
  for (let index = 0; index < tile.length; index++) float64[at + index] = values[tile.start + index] as number
}

/** Reads a column of the channel table into the numbers of a tile. */
export function readColumn(column: number, tile: Tile, values: Float64Array): void {
  const { float64, channels, tile: stride } = heap()
  const at = channels / 8 + column * stride
  for (let index = 0; index < tile.length; index++) values[tile.start + index] = float64[at + index] as number
}
