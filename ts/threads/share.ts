// The kernels as several threads run them: an export each in place of the instance's own, so that nothing above knows.
//
// A piece that is large enough is cut into units (crates/batchnorm-wasm/src/threads.rs): outers, or channels and blocks.
// Where a cut lies changes no bit: maps go by element, reductions are cut at chunks or between channels.
import { ThreadError } from "../errors.ts"
import { callAt, uint32 } from "../memory.ts"
import { pieceElements } from "../stream.ts"
import {
  blockRowsWord,
  blocksWord,
  channelsLastWord,
  channelsWord,
  copiesWord,
  innerWord,
  type kernel,
  outerWord,
  rowsWord,
} from "../wasm.ts"
import type { Guard } from "./guard.ts"
import { runUnits, sharers } from "./join.ts"
import { type Shares, startByItself, threadCount } from "./pool.ts"

type Kernels = typeof kernel

/**
 * Elements up to which one thread is as fast. A staged piece has no more, so of an array the maps of all pieces are
 * shared, or of none: each relies on coefficients that whoever ran the first one folded. Larger pieces, of which there may be several
 * in the background, do as the first of them.
 */
const notWorthwhile = 1 << 17
/** Elements of a block, channels-first, and units that a thread is to have: some, for threads are not equally fast. */
const blockElements = 4096
const unitsEach = 8

const momentsKind = 0
const gradientsKind = 1
const affineKind = 2
const dxKind = 3

const doubleFlag = 1
const reluFlag = 2
const residualFlag = 4
const frozenFlag = 8
const weightedFlag = 16
const inChunksFlag = 32

/** The kernels of an instance, run by all threads there are. */
export function shared(own: Kernels & Shares): { kernels: Kernels; guard: Guard } {
  const kept: [number, number][] = []
  const { bn_moments, bn_parameter_gradients, bn_affine, bn_dx } = own
  let isMapShared = false
  const share: Kernels = {
    ...own,
    bn_moments(double, begin, end) {
      if (isLarge() && begin && end) reduce(own, momentsKind, double ? doubleFlag : 0, 0)
      else bn_moments(double, begin, end)
    },
    bn_parameter_gradients(double, relu, epsilon, begin, end) {
      if (!(isLarge() && begin && end)) return bn_parameter_gradients(double, relu, epsilon, begin, end)
      const flags = (double ? doubleFlag : 0) | (relu ? reluFlag : 0)
      reduce(own, gradientsKind, flags, epsilon)
    },
    bn_affine(double, relu, residual, epsilon, begin) {
      if (begin) isMapShared = isLarge()
      if (!isMapShared) return bn_affine(double, relu, residual, epsilon, begin)
      const flags = (double ? doubleFlag : 0) | (relu ? reluFlag : 0) | (residual ? residualFlag : 0)
      map(own, affineKind, flags, epsilon)
    },
    bn_dx(double, relu, frozen, weighted, epsilon, begin) {
      if (begin) isMapShared = isLarge()
      if (!isMapShared) return bn_dx(double, relu, frozen, weighted, epsilon, begin)
      const flags = (double ? doubleFlag : 0) | (relu ? reluFlag : 0) | (frozen ? frozenFlag : 0)
      map(own, dxKind, flags | (weighted ? weightedFlag : 0), epsilon)
    },
  }
  const kernels = { ...share }
  const refused: Record<string, () => never> = {}
  for (const name of Object.keys(share).filter((name) => name.startsWith("bn_"))) {
    refused[name] = () => {
      throw new ThreadError("a thread that did not answer may still write: await threads.dispose() first")
    }
  }
  const hold = () => {
    kernels.bn_free = (address, length) => void kept.push([address, length])
  }
  const guard: Guard = {
    hold,
    refuse() {
      Object.assign(kernels, refused)
      hold()
    },
    accept() {
      Object.assign(kernels, share)
      for (const [address, length] of kept.splice(0)) own.bn_free(address, length)
    },
  }
  return { kernels, guard }
}

function word(index: number): number {
  return uint32[callAt / 4 + index] as number
}

/** Whether the piece of the call is worth several threads, and there are some. */
function isLarge(): boolean {
  return pieceElements > notWorthwhile && areSeveral()
}

function areSeveral(): boolean {
  if (threadCount() > 1) return true
  startByItself()
  return false
}

/** Blocks of one outer. */
function blocksOf(inner: number): number {
  return inner > blockElements
    ? word(rowsWord) * Math.ceil(inner / blockElements)
    : Math.ceil(word(rowsWord) / word(blockRowsWord))
}

/** Channels of a unit where each has all blocks: a multiple of some, if there are enough of them. */
function channelsEach(units: number, multiple: number): number {
  const even = Math.ceil(word(channelsWord) / units)
  return even >= multiple ? Math.ceil(even / multiple) * multiple : even
}

/** Units of a call that is cut between channels: some for each thread, or of few channels one. */
function unitsOf(channels: number, threads: number): number {
  return channels >= 16 * threads ? 4 * threads : threads
}

/** Cuts outers. */
function runOuters(own: Shares, kind: number, flags: number, epsilon: number, threads: number): void {
  const outer = word(outerWord)
  const step = Math.ceil(outer / (threads * unitsEach))
  runUnits(own.bn_fork(kind, flags, epsilon, word(channelsWord), 0, outer, step, outer))
}

/** Cuts channels, each with all of its blocks. */
function runChannels(own: Shares, kind: number, flags: number, epsilon: number, each: number): void {
  const all = blocksOf(word(innerWord))
  runUnits(own.bn_fork(kind, flags, epsilon, each, 0, all, all, all))
}

function map(own: Shares, kind: number, flags: number, epsilon: number): void {
  const [channels, inner, threads] = [word(channelsWord), word(innerWord), sharers()]
  const all = blocksOf(inner)
  const isLast = word(channelsLastWord) === 1
  if (word(outerWord) > 1) runOuters(own, kind, flags, epsilon, threads)
  else if (isLast && all < 2 * threads && word(copiesWord) === 1) {
    runChannels(own, kind, flags, epsilon, channelsEach(threads, 16))
  } else if (!isLast && channels >= 2 * threads) {
    runChannels(own, kind, flags, epsilon, channelsEach(unitsOf(channels, threads), 1))
  } else {
    const step = Math.ceil(all / (threads * unitsEach))
    runUnits(own.bn_fork(kind, flags, epsilon, inner > blockElements ? 1 : channels, 0, all, step, all))
  }
}

function reduce(own: Shares, kind: number, flags: number, epsilon: number): void {
  const [channels, threads] = [word(channelsWord), sharers()]
  const chunks = Math.ceil(blocksOf(word(innerWord)) / word(blocksWord))
  const isLast = word(channelsLastWord) === 1
  if (word(outerWord) > 1) runOuters(own, kind, flags, epsilon, threads)
  else if (isLast && chunks < 2 * threads && word(copiesWord) === 1 && channels >= 16 * threads) {
    runChannels(own, kind, flags, epsilon, channelsEach(threads, 16))
  } else if (!isLast && channels >= 2 * threads && word(copiesWord) === 1) {
    runChannels(own, kind, flags, epsilon, channelsEach(unitsOf(channels, threads), 4))
  } else runChunks(own, kind, flags | inChunksFlag, epsilon, chunks, threads)
}

/** Cuts chunks, as many at a time as there is room for their states, and merges these in order. */
function runChunks(own: Shares, kind: number, flags: number, epsilon: number, chunks: number, threads: number): void {
  const [channels, inner, perChunk] = [word(channelsWord), word(innerWord), word(blocksWord)]
  const all = blocksOf(inner)
  // Where few chunks are unequal shares, wide rows are cut in two besides: that makes moments a quarter slower, and the
  // gradients, of two arrays, by more than it gains.
  const whole = all / perChunk
  const isUnequal = Math.ceil(Math.floor(whole) / threads) * threads > 1.25 * whole
  const halves = kind === momentsKind && inner === 1 && word(copiesWord) === 1 && isUnequal && channels >= 64
  const each = inner > blockElements ? 1 : halves ? channelsEach(2, 16) : channels
  const states = Math.ceil(channels / each) * Math.ceil(each / 2)
  const most = Math.floor(own.bn_states_len() / states)
  const from = (first: number): void => {
    const end = Math.min(chunks, first + most)
    const step = Math.ceil((end - first) / (threads * unitsEach)) * perChunk
    const units = own.bn_fork(kind, flags, epsilon, each, first * perChunk, Math.min(all, end * perChunk), step, all)
    runUnits(units, () => {
      own.bn_join(first === 0 ? 1 : 0, end === chunks ? 1 : 0)
      if (end < chunks) from(end)
    })
  }
  from(0)
}
