//! A call shared among instances that work on one memory, each on a thread of its own: fork and join by two
//! atomic words.
//!
//! ```text
//! the calling thread:  fork: writes the job, publishes (epoch, first unit, end of units)
//!                      share: claims units from the front, runs them
//!                      waits until as many are done as there are
//!                      join: merges what chunks left, in their order
//! each other thread:   sees another epoch, claims units from the back, runs them
//! ```
//!
//! A job is a piece and what is to be done with it. A unit is some of its outers; or of one outer some of its
//! channels, and of these some blocks. Maps may be cut at any block. A reduction is cut at chunks, whose states
//! merge in the order of the chunks whoever computed them, so the bits are those of one thread.
//!
//! The job, the call and the numbers per channel are written between the end of one job and the fork of the next,
//! and read only by who has claimed a unit, which keeps the job from ending. Units are disjoint, and so is what they
//! write: elements, states of chunks, numbers of channels. All else is each thread's own ([`TABLE`], and the
//! workspaces of [`crate::reductions`] and [`crate::exports`]).
//!
//! Of two threads each meets, in the second pass over an array, the very elements that it met in the first.

use crate::call::{Call, ChannelTable};
use crate::exports::{affine, dx};
use crate::memory::{CALL, CHANNELS, Place};
use crate::reductions::{
    copy_gradients, copy_moments, moments, parameter_gradients, write_gradients, write_moments,
};
use batchnorm::gradient::ParameterGradients;
use batchnorm::lanes::PAIR;
use batchnorm::moments::Moments;
use batchnorm::piece::Extent;
use batchnorm::state::{GROUPS, Numbers, State};
use batchnorm::view::{BLOCK_ELEMENTS, TILE};
use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use wasm_bindgen::prelude::wasm_bindgen;

/// States of chunks that one job may leave, of two channels each.
const STATES: usize = 16_384;
/// Columns of the channel table that the reductions read, and those that the maps read: from the first on.
const READ: [usize; 4] = [0, 4, 4, 7];
/// Those that the reductions write.
const WRITTEN: [&[usize]; 2] = [&[0, 1, 4, 7], &[5, 6]];

const MOMENTS: u32 = 0;
const GRADIENTS: u32 = 1;
const AFFINE: u32 = 2;

/// What is shared; ts/threads/words.ts has the same list.
#[repr(C)]
struct Words {
    /// The epoch in the upper half; below it the first unit that nobody claimed, and the end of them.
    state: AtomicU64,
    /// How many units are done.
    done: AtomicU32,
    /// Of JavaScript's: whether the caller sleeps, how many others do, and whether these are to end.
    _javascript: [AtomicU32; 5],
}

static WORDS: Words = Words {
    state: AtomicU64::new(0),
    done: AtomicU32::new(0),
    _javascript: [const { AtomicU32::new(0) }; 5],
};

/// What is to be done with the piece of the call.
struct Job {
    kind: u32,
    double: bool,
    relu: bool,
    residual: bool,
    frozen: bool,
    weighted: bool,
    /// A reduction whose units leave states of chunks.
    in_chunks: bool,
    epsilon: f64,
    /// Channels of a unit.
    channels: usize,
    /// Blocks (of more than one outer: outers) of the job, and of a unit.
    blocks: Range<usize>,
    step: usize,
    /// Blocks that the piece has.
    all: usize,
}

static JOB: Place<Job> = Place::new(Job {
    kind: 0,
    double: false,
    relu: false,
    residual: false,
    frozen: false,
    weighted: false,
    in_chunks: false,
    epsilon: 0.0,
    channels: 0,
    blocks: 0..0,
    step: 0,
    all: 0,
});

const NOTHING: Numbers = [[0.0; PAIR]; 7];
/// What chunks left: of each chunk, of each range of channels, of each two of them.
static CHUNKS: Place<[Numbers; STATES]> = Place::new([NOTHING; STATES]);
/// All chunks merged.
static TOTALS: Place<[Numbers; GROUPS]> = Place::new([NOTHING; GROUPS]);

/// The numbers of the channels of a unit.
#[thread_local]
static TABLE: Place<ChannelTable> = Place::new(ChannelTable::EMPTY);

/// The words that JavaScript shares in.
#[wasm_bindgen]
pub fn bn_words_ptr() -> *const u32 {
    (&raw const WORDS).cast()
}

/// States of chunks that one job may leave.
#[wasm_bindgen]
pub fn bn_states_len() -> usize {
    STATES
}

/// Publishes a job for the piece of the call, and gives the number of its units, below 2¹⁶. `flags`, from the
/// lowest: double, relu, residual, frozen, weighted, in chunks. A unit has `channels` channels, all but the last a
/// multiple of four or one, and `step` of the blocks (outers, of more than one) `first..end` of `all`; where
/// segments are longer than a block, units of less than all blocks have one channel.
#[expect(clippy::too_many_arguments, reason = "once per job, and written into it by name")]
#[wasm_bindgen]
pub fn bn_fork(
    kind: u32,
    flags: u32,
    epsilon: f64,
    channels: usize,
    first: usize,
    end: usize,
    step: usize,
    all: usize,
) -> u32 {
    let flag = |bit: u32| flags >> bit & 1 == 1;
    let job = Job {
        kind,
        double: flag(0),
        relu: flag(1),
        residual: flag(2),
        frozen: flag(3),
        weighted: flag(4),
        in_chunks: flag(5),
        epsilon,
        channels,
        blocks: first..end,
        step,
        all,
    };
    let units = (job.parts(CALL.shared()) * job.blocks.len().div_ceil(step)) as u32;
    *JOB.open() = job;
    WORDS.done.store(0, Ordering::SeqCst);
    let epoch = (WORDS.state.load(Ordering::SeqCst) >> 32).wrapping_add(1);
    WORDS.state.store(epoch << 32 | u64::from(units), Ordering::SeqCst);
    units
}

/// Runs units until all are claimed.
#[wasm_bindgen]
pub fn bn_share(front: bool) {
    while let Some(unit) = claim(front) {
        run(JOB.shared(), CALL.shared(), unit as usize);
        WORDS.done.fetch_add(1, Ordering::SeqCst);
    }
}

/// Merges what the chunks of a job left, after those of the jobs before, unless it is the first; after the last the
/// results are in the channel table.
#[wasm_bindgen]
pub fn bn_join(is_first: bool, is_last: bool) {
    let (job, call, totals) = (JOB.open(), CALL.shared(), TOTALS.open());
    let extent = call.extent();
    let (parts, groups) = (job.parts(call), job.channels.div_ceil(PAIR));
    let states = parts * groups;
    let chunks = job.blocks.len().div_ceil(call.blocking().blocks);
    for (index, chunk) in CHUNKS.open().chunks(states).take(chunks).enumerate() {
        let totals = &mut totals[..states];
        match job.kind {
            _ if is_first && index == 0 => totals.copy_from_slice(chunk),
            MOMENTS => merge::<Moments>(totals, chunk),
            _ => merge::<ParameterGradients>(totals, chunk),
        }
    }
    for part in 0..if is_last { parts } else { 0 } {
        let channels = job.channels_of(part, extent);
        let of_part = Extent { channels: channels.len(), ..extent };
        let totals = &totals[part * groups..][..channels.len().div_ceil(PAIR)];
        let table = TABLE.open();
        if job.kind == MOMENTS {
            write_moments(table, 0, of_part, totals);
        } else {
            write_gradients(table, 0, of_part, totals);
        }
        copy_out(table, job.kind, channels);
    }
}

fn merge<S: State>(totals: &mut [Numbers], chunk: &[Numbers]) {
    for (total, state) in totals.iter_mut().zip(chunk) {
        S::read(total).merge(S::read(state)).write(total);
    }
}

/// A unit that nobody else runs: the first, or the last.
fn claim(front: bool) -> Option<u64> {
    let mut state = WORDS.state.load(Ordering::SeqCst);
    loop {
        let (first, end) = (state >> 16 & 0xffff, state & 0xffff);
        if first == end {
            return None;
        }
        let (unit, next) = if front { (first, state + (1 << 16)) } else { (end - 1, state - 1) };
        match WORDS.state.compare_exchange_weak(state, next, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => return Some(unit),
            Err(now) => state = now,
        }
    }
}

impl Job {
    /// Ranges of channels.
    fn parts(&self, call: &Call) -> usize {
        let Extent { outer, channels, .. } = call.extent();
        if outer > 1 { 1 } else { channels.div_ceil(self.channels) }
    }

    fn channels_of(&self, part: usize, extent: Extent) -> Range<usize> {
        let first = part * self.channels;
        first..extent.channels.min(first + self.channels)
    }

    fn flags(&self) -> [bool; 3] {
        [self.relu, self.frozen, self.weighted]
    }
}

fn run(job: &Job, call: &Call, unit: usize) {
    let extent = call.extent();
    let parts = job.parts(call);
    let (part, range) = (unit % parts, unit / parts);
    let first = job.blocks.start + range * job.step;
    let blocks = first..job.blocks.end.min(first + job.step);
    let table = TABLE.open();
    if extent.outer > 1 {
        let columns = blocks.start * extent.channels..blocks.end * extent.channels;
        copy_in(table, job.kind, columns.clone());
        let call = &call.outers(blocks, job.double);
        compute(job, call, table, [true; 2]);
        copy_out(table, job.kind, columns);
        return;
    }
    let channels = job.channels_of(part, extent);
    copy_in(table, job.kind, channels.clone());
    if !job.in_chunks {
        pieces(job, call, channels.clone(), blocks, &mut |call| {
            compute(job, call, table, [true; 2]);
        });
        copy_out(table, job.kind, channels);
        return;
    }
    let groups = job.channels.div_ceil(PAIR);
    let per_chunk = call.blocking().blocks;
    for first in blocks.clone().step_by(per_chunk) {
        let mut begin = true;
        let chunk = first..blocks.end.min(first + per_chunk);
        pieces(job, call, channels.clone(), chunk, &mut |call| {
            compute(job, call, table, [begin, false]);
            begin = false;
        });
        let index = (first - job.blocks.start) / per_chunk * parts + part;
        let call = &call.part(0..0, channels.clone(), 0..0, job.double);
        let copy = if job.kind == MOMENTS { copy_moments } else { copy_gradients };
        copy(call, states(index * groups, channels.len().div_ceil(PAIR)));
    }
}

/// The pieces of some channels that are so many blocks.
fn pieces(
    job: &Job,
    call: &Call,
    channels: Range<usize>,
    mut blocks: Range<usize>,
    run: &mut dyn FnMut(&Call),
) {
    let Extent { rows, inner, .. } = call.extent();
    let part = |rows, inner| call.part(rows, channels.clone(), inner, job.double);
    if blocks == (0..job.all) {
        return run(&part(0..rows, 0..inner));
    }
    let of_row = inner.div_ceil(BLOCK_ELEMENTS);
    if of_row == 1 {
        let most = call.blocking().rows;
        return run(&part(blocks.start * most..rows.min(blocks.end * most), 0..inner));
    }
    while !blocks.is_empty() {
        let row = blocks.start / of_row;
        let end = blocks.end.min((row + 1) * of_row);
        let [from, to] = [blocks.start, end].map(|block| (block - row * of_row) * BLOCK_ELEMENTS);
        run(&part(row..row + 1, from..inner.min(to)));
        blocks.start = end;
    }
}

fn compute(job: &Job, call: &Call, table: &mut ChannelTable, [begin, end]: [bool; 2]) {
    let &Job { double, relu, residual, epsilon, .. } = job;
    match job.kind {
        MOMENTS => moments(call, table, double, begin, end),
        GRADIENTS => parameter_gradients(call, table, double, relu, epsilon, [begin, end]),
        AFFINE => affine((call, table), double, relu, residual, epsilon, begin),
        _ => dx((call, table), double, job.flags(), epsilon, begin),
    }
}

/// Takes what is needed of some channels.
fn copy_in(table: &mut ChannelTable, kind: u32, channels: Range<usize>) {
    let own = core::ptr::from_mut(table).cast::<f64>();
    for column in 0..READ[kind as usize] {
        let from = CHANNELS.address().cast::<f64>().cast_const();
        // SAFETY: a column has TILE numbers, of which these channels are some; nobody writes there during the job but
        // to columns that this kind does not read.
        let from = unsafe { from.add(column * TILE + channels.start) };
        // SAFETY: a column has TILE numbers.
        let to = unsafe { own.add(column * TILE) };
        // SAFETY: as above; the two tables are not the same.
        unsafe { core::ptr::copy_nonoverlapping(from, to, channels.len()) };
    }
}

/// Gives what was computed of some channels.
fn copy_out(table: &ChannelTable, kind: u32, channels: Range<usize>) {
    let own = core::ptr::from_ref(table).cast::<f64>();
    for column in WRITTEN.get(kind as usize).copied().unwrap_or_default() {
        // SAFETY: a column has TILE numbers.
        let from = unsafe { own.add(column * TILE) };
        // SAFETY: a column has TILE numbers, of which these channels are some.
        let to = unsafe { CHANNELS.address().cast::<f64>().add(column * TILE + channels.start) };
        // SAFETY: as above; these channels are this unit's alone, and the two tables are not the same.
        unsafe { core::ptr::copy_nonoverlapping(from, to, channels.len()) };
    }
}

/// States that a unit leaves.
fn states(first: usize, count: usize) -> &'static mut [Numbers] {
    debug_assert!(first + count <= STATES, "more states than a job may leave");
    let states = CHUNKS.address().cast::<Numbers>();
    // SAFETY: there are STATES of them, which the caller sees to.
    let states = unsafe { states.add(first) };
    // SAFETY: those of a chunk and a range of channels are of one unit alone, and joined after all are done.
    unsafe { core::slice::from_raw_parts_mut(states, count) }
}
