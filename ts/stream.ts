// How arrays meet the kernels: in tiles of channels, each in pieces, resident ones where they lie, others through the
// staging buffers. A piece ends where a block does, so the bits do not depend on it.
//
// One call runs at a time, so its state lies in variables of this file, and no pass allocates:
//
//   open(view, x), use(…)         the arrays
//   give(…), take(…)              the numbers per channel, and where those that are computed go
//   runTiles(reduce, map, …)      of each tile a pass that reduces it, if there is one, and one that maps it
//     load(…), a kernel           what a pass does with each piece
import { walk } from "./broadcast.ts"
import { later, type Pass } from "./later.ts"
import {
  callAt,
  channelsAt,
  copy,
  float64,
  isOurs,
  shortRun,
  stagingAt,
  stagingBytes,
  tileChannels,
  uint32,
} from "./memory.ts"
import { checkHeld, elements } from "./options/arrays.ts"
import type { FloatArray } from "./types.ts"
import type { Packing, View } from "./view.ts"
import {
  arraysWord,
  blockRowsWord,
  blocksWord,
  channelsLastWord,
  channelsWord,
  copiesWord,
  countColumn,
  dyRole,
  gammaColumn,
  innerWord,
  outerWord,
  outRole,
  rowsWord,
  weightsRole,
  xRole,
} from "./wasm.ts"
import { spread, type Weighting } from "./weighting.ts"

/** Bytes of the channels-first tiles of resident arrays that two passes go over: so many that the second finds them in cache. */
let cacheBytes = 1 << 18

/** Makes them larger, for several threads. */
export function setCacheBytes(bytes: number): void {
  cacheBytes = bytes
}

/** More elements than there can be in the linear memory; an infinity would be made into an object at each call. */
const unlimited = 2 ** 30
/** Elements of a piece of resident arrays. */
let mostElements = unlimited

/** Makes the pieces of resident arrays smaller, so that none takes long; undefined: as they were. */
export function setMostElements(elements: number = unlimited): void {
  mostElements = elements
}

/** Bytes of a weight, which is f64 whatever x is. */
const weightBytes = 8

/** dresidual lies where dy did, in its staging buffer; the kernels do not know it. */
const dresidual = 5

/** Sets of arrays: bits by role. */
export const xUse = 1
export const dyUse = 2
export const outUse = 4
export const residualUse = 8
export const weightsUse = 16
export const dresidualUse = 32

/** The arrays of the call, by role. */
const arrays: (FloatArray | undefined)[] = [undefined, undefined, undefined, undefined, undefined, undefined]
/** The staging buffer of each; below 0: it is used where it lies. */
const slots: number[] = [0, 0, 0, 0, 0, 0]
let weighting: Weighting | undefined
let view: View

// The columns of the channel table that each tile begins with, and those that its reduction leaves for vectors.
const givenColumns: number[] = [0, 0, 0, 0, 0]
const givenValues: (Given | null | undefined)[] = [undefined, undefined, undefined, undefined, undefined]
let gives = 0
const takenColumns: number[] = [0, 0, 0, 0]
const takenInto: (Float64Array | undefined)[] = [undefined, undefined, undefined, undefined]
let takes = 0

/** Whether x, and so whatever is like it, is of f64: 0 or 1. */
export let double = 0
/** Some array goes through a staging buffer, which a piece must then fit. */
let isStaged = false
// The tile: outers and all their channels, or channels of one outer.
let outer = 0
let outers = 0
let channel = 0
let channels = 0
let outerStep = 0
let channelStep = 0
let capacity = 0
/** Whether a pass follows another. */
let isTwice = false
/** Its first statistic, and how many it has. */
let tileStart = 0
let tileLength = 0

/** Arrays of the tile whose staging buffers hold all that it has of them. */
let held = 0

// The piece: a part of the tile that the kernels see at once. No row: before the first.
let row = -1
let rows = 0
let rowStep = 0
let inner = 0
let inners = 0
let innerStep = 0
/** Whether it is the first of its tile, and the last: 0 or 1. */
export let begin = 0
export let end = 0
/** How many elements it has. */
export let pieceElements = 0

/** Starts on an array x, seen through a view. `copied`: as of {@link use}. */
export function open(seen: View, x: FloatArray, copied?: boolean): void {
  later?.open()
  view = seen
  double = x.BYTES_PER_ELEMENT === 8 ? 1 : 0
  weighting = undefined
  isStaged = false
  gives = 0
  takes = 0
  use(xRole, x, 0, copied)
  // How far the steps lead is not known until all arrays are.
  outerStep = 0
  row = -1
}

/** Has an array in the call, like x. `slot`: its staging buffer; `copied`: it goes through that wherever it lies. */
export function use(role: number, array: FloatArray, slot: number, copied = false): void {
  checkHeld(array, view.count * view.statistics)
  arrays[role] = array
  slots[role] = copied || view.packing || !isOurs(array) ? slot : -1
  isStaged ||= (slots[role] as number) >= 0
}

/** Writes dresidual, of which the staging buffer of dy holds the elements. */
export function useDresidual(array: FloatArray): void {
  use(dresidual, array, slots[dyRole] as number, true)
}

/** Has weights in the call, in the last staging buffer. */
export function weigh(weights: Weighting): void {
  checkHeld(weights.data, elements(weights.shape))
  weighting = weights
  slots[weightsRole] = 3
  isStaged = true
}

/** Whether there are weights. */
export function isWeighted(): boolean {
  return weighting !== undefined
}

/** Numbers of all statistics, or what writes those from one on. */
export type Given = ArrayLike<number> | ((start: number, into: Float64Array) => void)

/** Has each tile begin with a column of numbers: those of its statistics, or, where none are given, what changes nothing. */
export function give(column: number, values: Given | null | undefined): void {
  givenColumns[gives] = column
  givenValues[gives++] = values
}

/** Has what the reduction of each tile leaves in a column read into a vector, if there is one. */
export function take(column: number, into: Float64Array | undefined): void {
  if (!into) return
  takenColumns[takes] = column
  takenInto[takes++] = into
}

/**
 * Goes through all tiles: of each a pass that reduces it, if there is one, and one that maps it, if there is one, to
 * a set of arrays.
 */
export function runTiles(reduce: Pass | undefined, map: Pass | undefined, outputs: number, flags: number): void {
  if (later) {
    later.run(reduce, map, outputs, flags)
    return
  }
  isTwice = !!reduce && !!map
  while (nextTile()) {
    beginTile()
    if (reduce) {
      while (nextPiece()) reduce(flags)
      endReduction()
    }
    while (map && nextPiece()) {
      map(flags)
      store(outputs)
    }
  }
  close()
}

/** The same for kernels whose results are there when `joined` resolves. */
export async function runTilesLater(
  reduce: Pass | undefined,
  map: Pass | undefined,
  outputs: number,
  flags: number,
  joined: () => Promise<void>,
): Promise<void> {
  isTwice = !!reduce && !!map
  try {
    while (nextTile()) {
      beginTile()
      if (reduce) {
        while (nextPiece()) {
          reduce(flags)
          await joined()
          checkAllHeld()
        }
        endReduction()
      }
      while (map && nextPiece()) {
        map(flags)
        await joined()
        checkAllHeld()
        store(outputs)
      }
    }
  } finally {
    close()
  }
}

/** Whether the buffers of all arrays and vectors are still there. */
function checkAllHeld(): void {
  for (const array of arrays) if (array) checkHeld(array, view.count * view.statistics)
  for (const values of givenValues) if (values && typeof values !== "function") checkHeld(values, view.statistics)
  for (const vector of takenInto) if (vector) checkHeld(vector, view.statistics)
  if (weighting) checkHeld(weighting.data, elements(weighting.shape))
}

/** Forgets the arrays and numbers, which may be collected then. */
function close(): void {
  for (let role = 0; role < arrays.length; role++) arrays[role] = undefined
  for (let index = 0; index < gives; index++) givenValues[index] = undefined
  for (let index = 0; index < takes; index++) takenInto[index] = undefined
  weighting = undefined
}

/** Goes on to the next tile, if there is one; each `while` over the pieces then is a pass. */
function nextTile(): boolean {
  if (outerStep === 0) measureTiles()
  channel += channelStep
  if (channel >= view.channels) {
    channel = 0
    outer += outerStep
  }
  if (outer >= view.outer || view.channels === 0) return false
  outers = Math.min(outerStep, view.outer - outer)
  channels = Math.min(channelStep, view.channels - channel)
  tileStart = outer * view.channels + channel
  tileLength = outers * channels
  const isWhole = outers * view.reduce * channels * view.inner <= capacity
  innerStep = isWhole ? view.inner : Math.min(view.inner, capacity)
  rowStep = view.reduce
  if (!isWhole) {
    const fitting = Math.floor(capacity / (channels * view.inner) / view.blockRows) * view.blockRows
    rowStep = innerStep < view.inner ? 1 : fitting
  }
  held = 0
  return true
}

function beginTile(): void {
  for (let index = 0; index < gives; index++) {
    writeColumn(givenColumns[index] as number, givenValues[index])
  }
}

function endReduction(): void {
  for (let index = 0; index < takes; index++) {
    readColumn(takenColumns[index] as number, takenInto[index] as Float64Array)
  }
}

/** How many outers and channels a tile has. */
function measureTiles(): void {
  const bytes = weighting || double ? weightBytes : 4
  capacity = isStaged ? stagingBytes / bytes : mostElements
  const cached = Math.min(capacity, view.inner > 1 && isTwice ? cacheBytes / bytes : capacity)
  const perOuter = view.count * view.channels
  if (view.outer > 1 && view.channels <= mostChannels() && perOuter <= capacity) {
    outerStep = Math.min(Math.floor(tileChannels / view.channels), Math.max(1, Math.floor(cached / perOuter)))
    channelStep = view.channels
  } else {
    outerStep = 1
    channelStep = widthOf(cached)
  }
  outer = -outerStep
  channel = view.channels
}

/** Elements that a row of a resident tile has at least. */
const leastRun = 2048

/** Where segments are shorter than this, the kernels have coefficients for each of their elements. */
const shortSegment = 16

/** How many channels a tile may have. */
function mostChannels(): number {
  return view.inner < shortSegment ? Math.floor(tileChannels / view.inner) : tileChannels
}

/** How many channels a tile of one outer has. */
function widthOf(cached: number): number {
  const most = Math.min(view.channels, mostChannels())
  // Rows that are read as one have no gaps.
  if (view.copies > 1) return most
  if (!isStaged) {
    if (view.inner === 1) return most
    // Where segments are short, a row of too few would cost more than what the cache saves.
    const least = Math.floor(leastRun / view.inner)
    return Math.min(most, Math.max(1, least, Math.floor(cached / Math.max(1, view.count))))
  }
  if (view.inner > 1 && view.count <= cached) return Math.min(most, Math.floor(cached / Math.max(1, view.count)))
  // A block at least must fit; whole segments where they do.
  const least = view.blockRows * Math.min(view.inner, capacity)
  return Math.max(1, Math.min(most, Math.floor(capacity / least)))
}

/** Goes on to the next piece of the tile, if there is one; after the last the next pass begins. */
function nextPiece(): boolean {
  if (row >= 0 && end === 1) {
    row = -1
    return false
  }
  begin = row < 0 ? 1 : 0
  if (begin) {
    row = 0
    inner = 0
  } else {
    inner += innerStep
    if (inner >= view.inner) {
      inner = 0
      row += rowStep
    }
  }
  rows = Math.min(rowStep, view.reduce - row)
  inners = Math.min(innerStep, view.inner - inner)
  end = row + rows >= view.reduce && inner + inners >= view.inner ? 1 : 0
  pieceElements = outers * rows * channels * inners
  const at = callAt / 4
  uint32[at + outerWord] = outers
  uint32[at + rowsWord] = rows
  uint32[at + channelsWord] = channels
  uint32[at + innerWord] = inners
  uint32[at + channelsLastWord] = view.inner === 1 ? 1 : 0
  uint32[at + copiesWord] = view.copies
  uint32[at + blockRowsWord] = view.blockRows
  uint32[at + blocksWord] = view.blocks
  return true
}

/**
 * Places a set of arrays for the kernels, and copies in those that are staged, if they do not lie there from the pass
 * before: where the tile is one piece.
 */
export function load(set: number): void {
  const copied = set & ~outUse & ~held
  if (begin && end) held = set
  for (let role = 0; role < dresidual; role++) {
    if (!(set & (1 << role))) continue
    place(role)
    if (copied & (1 << role) && (slots[role] as number) >= 0) move(role, false)
  }
}

/** Copies a set of arrays out of their staging buffers, those that are staged. */
function store(set: number): void {
  if (set & outUse && (slots[outRole] as number) >= 0) move(outRole, true)
  if (set & dresidualUse) move(dresidual, true)
}

function place(role: number): void {
  const at = callAt / 4 + arraysWord + role * 3
  const slot = slots[role] as number
  if (slot >= 0) {
    uint32[at] = stagingAt + slot * stagingBytes
    uint32[at + 2] = channels * inners
    uint32[at + 1] = rows * channels * inners
  } else {
    const array = arrays[role] as FloatArray
    const perRow = view.channels * view.inner
    uint32[at] = array.byteOffset + startOf(outer, row) * array.BYTES_PER_ELEMENT
    uint32[at + 2] = perRow
    uint32[at + 1] = view.reduce * perRow
  }
}

/** Where a row of the piece begins in its array. */
function startOf(o: number, r: number): number {
  return ((o * view.reduce + r) * view.channels + channel) * view.inner + inner
}

// What is being copied: the array, and where in its staging buffer.
let moved: FloatArray | undefined
let isOut = false
let address = 0

/** Copies a piece between an array and its staging buffer, in runs as long as both lie without gaps. */
function move(role: number, out: boolean): void {
  moved = arrays[role]
  isOut = out
  address = stagingAt + (slots[role] as number) * stagingBytes
  const length = channels * inners
  if (view.packing) {
    movePacked(view.packing)
  } else if (length === view.channels * view.inner) {
    // Whole rows follow each other; whole outers too.
    if (length * rows * outers > 0) run(startOf(outer, row), outers * rows * length)
  } else {
    for (let o = outer; o < outer + outers; o++) {
      for (let r = row; r < row + rows; r++) run(startOf(o, r), length)
    }
  }
  moved = undefined
}

/** The same for a packed view: [major][minor] is [reduce][channels] or [channels][inner]. */
function movePacked({ major, minor }: Packing): void {
  const [first, count, from, length] =
    view.inner === 1 ? [row, rows, channel, channels] : [channel, channels, inner, inners]
  walk(major, first, count, (start, stride, times) => {
    for (let end = start + times * stride; start < end; start += stride) {
      // The innermost of minor is the last axis of the array, so these lie without gaps.
      walk(minor, from, length, (offset, _, length) => run(start + offset, length))
    }
  })
}

/** Copies elements `start..start + length`; weights are spread instead. */
function run(start: number, length: number): void {
  if (!moved) spread(weighting as Weighting, start, length, address)
  else copy(moved, start, length, address, isOut)
  address += length * (moved ? moved.BYTES_PER_ELEMENT : weightBytes)
}

/** Where the tile's numbers begin in a column of the channel table. */
function columnAt(column: number): number {
  return channelsAt / 8 + column * tileChannels
}

/** Columns as views, kept by column and length: tiles repeat. Those that growth detached have length 0. */
const columns: (Float64Array | undefined)[] = new Array(128)

/** The part of a column of the channel table that the tile uses. */
function columnOf(column: number): Float64Array {
  // The four highest bits of a product tell lengths that are powers of two apart.
  const place = (Math.imul(tileLength, 0x9e3779b1) >>> 28) * 8 + column
  let view = columns[place]
  if (view?.length !== tileLength) {
    const at = columnAt(column)
    view = float64.subarray(at, at + tileLength)
    columns[place] = view
  }
  return view
}

/** Writes the numbers of the tile into a column of the channel table; none: γ is 1, the count that of x, all else 0. */
function writeColumn(column: number, values: Given | null | undefined): void {
  const at = columnAt(column)
  if (!values) float64.fill(column === gammaColumn ? 1 : column === countColumn ? view.count : 0, at, at + tileLength)
  else if (typeof values === "function") values(tileStart, columnOf(column))
  else if (tileLength >= shortRun && values.length === tileLength) float64.set(values, at)
  else for (let i = 0; i < tileLength; i++) float64[at + i] = values[tileStart + i] as number
}

/** Reads a column of the channel table into the numbers of the tile; sums of weights as these were given. */
function readColumn(column: number, values: Float64Array): void {
  if (tileLength >= shortRun && values.length === tileLength) values.set(columnOf(column))
  else for (let i = 0, at = columnAt(column); i < tileLength; i++) values[tileStart + i] = float64[at + i] as number
  if (column !== countColumn || !weighting) return
  for (let i = tileStart; i < tileStart + tileLength; i++) values[i] = (values[i] as number) / weighting.scale
}

/** Copies numbers per channel, where there are any. */
export function copyNumbers(values: ArrayLike<number> | undefined, into: Float64Array | null): void {
  if (!values || !into) return
  if (values.length >= shortRun) into.set(values)
  else for (let i = 0; i < values.length; i++) into[i] = values[i] as number
}
