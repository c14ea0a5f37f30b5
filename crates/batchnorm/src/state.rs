//! Reductions as states that merge.
//!
//! A block of elements becomes a state, blocks merge into the state of their chunk, chunks, in
//! order, into the total. Cut at block ends, one push of a whole array and many of its parts
//! give the same bits.

use crate::lanes::{LANES, Real, Wide};
use crate::view::{Blocking, TILE};

/// Groups of lanes in a tile.
pub const GROUPS: usize = TILE / LANES;

/// What a reduction knows of a channel (`f64`) or of four (`f64x4`).
pub trait State: Copy {
    /// Of no elements.
    const EMPTY: Self;
    /// Of this state's elements and the other's, which has some.
    fn merge(self, other: Self) -> Self;
    /// Whether it is of no elements.
    fn is_empty(&self) -> bool;
}

/// The state of four channels.
pub trait LaneState: State {
    /// The state of one.
    type Lane: State;
    /// One lane.
    fn lane(&self, lane: usize) -> Self::Lane;
    /// Replaces one lane.
    fn set_lane(&mut self, lane: usize, state: Self::Lane);
}

/// Four lanes with one replaced.
#[inline(always)]
pub(crate) fn with_lane(lanes: wide::f64x4, lane: usize, value: f64) -> wide::f64x4 {
    let mut lanes = lanes.to_array();
    lanes[lane] = value;
    wide::f64x4::new(lanes)
}

/// A sum in f64 with what its additions rounded away (Knuth's two-sum), so that its error does not
/// grow with the number of terms.
#[derive(Clone, Copy, Debug)]
pub struct Sum<R> {
    high: R,
    low: R,
}

impl<R: Real> Sum<R> {
    /// The empty sum.
    pub const ZERO: Self = Self { high: R::ZERO, low: R::ZERO };

    /// One term.
    #[inline(always)]
    pub fn new(term: R) -> Self {
        Self { high: term, low: R::ZERO }
    }

    /// One term more.
    #[inline(always)]
    pub fn plus(self, term: R) -> Self {
        let high = self.high + term;
        let part = high - self.high;
        let lost = (self.high - (high - part)) + (term - part);
        Self { high, low: self.low + lost }
    }

    /// Both sums.
    #[inline(always)]
    pub fn merge(self, other: Self) -> Self {
        let sum = self.plus(other.high);
        Self { high: sum.high, low: sum.low + other.low }
    }

    /// What this sum has more than the other.
    #[inline(always)]
    pub fn minus(self, other: Self) -> Self {
        let sum = self.plus(R::ZERO - other.high);
        Self { high: sum.high, low: sum.low - other.low }
    }

    /// The same, rounded.
    #[inline(always)]
    pub fn distance(self, other: Self) -> R {
        (self.high - other.high) + (self.low - other.low)
    }

    /// Both parts mapped.
    #[inline(always)]
    pub fn map<T>(self, part: impl Fn(R) -> T) -> Sum<T> {
        Sum { high: part(self.high), low: part(self.low) }
    }

    /// Both parts of two sums combined.
    #[inline(always)]
    pub fn zip<T>(self, other: Sum<T>, part: impl Fn(R, T) -> R) -> Self {
        Self { high: part(self.high, other.high), low: part(self.low, other.low) }
    }

    /// The sum, rounded. An infinite sum has a NaN in `low`, which does not count.
    #[inline(always)]
    pub fn value(self) -> R {
        self.low.select_finite(self.high + self.low, self.high)
    }

    /// What rounding the sum takes away.
    #[inline(always)]
    pub fn rest(self) -> R {
        (self.high - self.value()) + self.low
    }
}

impl Sum<f64> {
    /// Whether neither the sum nor a step on the way to it overflowed.
    pub fn is_finite(self) -> bool {
        self.low.is_finite()
    }
}

/// Blocks merged into chunks, chunks into the total: one channel.
#[derive(Clone, Copy, Debug)]
pub struct Chunked<S> {
    /// Of the chunk that is open.
    pub chunk: S,
    total: S,
    /// Blocks in the open chunk.
    blocks: usize,
}

impl<S: State> Chunked<S> {
    /// Of no elements.
    pub const EMPTY: Self = Self { chunk: S::EMPTY, total: S::EMPTY, blocks: 0 };

    /// The open chunk is now this, with a block more; it closes when it has `limit` blocks.
    #[inline]
    pub fn set_chunk(&mut self, chunk: S, limit: usize) {
        self.chunk = chunk;
        self.blocks += 1;
        if self.blocks == limit {
            self.close();
        }
    }

    /// The state of all that was pushed.
    pub fn finish(&mut self) -> S {
        if self.blocks > 0 {
            self.close();
        }
        self.total
    }

    fn close(&mut self) {
        self.total = self.total.merge(self.chunk);
        self.chunk = S::EMPTY;
        self.blocks = 0;
    }
}

/// Blocks merged into chunks, chunks into totals: channels in lanes.
///
/// Where channels are few, `copies` rows of the array are read as one; each channel then has that
/// many lanes, which persist until the chunk closes.
pub struct ChunkedLanes<S: LaneState> {
    /// Of the chunk that is open.
    pub chunk: [S; GROUPS],
    total: [S::Lane; TILE],
    /// Blocks in the open chunk.
    blocks: usize,
}

impl<S: LaneState> ChunkedLanes<S> {
    /// Of no elements.
    pub const EMPTY: Self =
        Self { chunk: [S::EMPTY; GROUPS], total: [S::Lane::EMPTY; TILE], blocks: 0 };

    /// Forgets the elements of the first channels.
    pub fn clear(&mut self, channels: usize, blocking: Blocking) {
        self.total[..channels].fill(S::Lane::EMPTY);
        self.clear_chunk(channels, blocking);
    }

    /// The open chunk has a block more; it closes when it has as many as it may.
    pub fn count_block(&mut self, channels: usize, blocking: Blocking) {
        self.blocks += 1;
        if self.blocks == blocking.blocks {
            self.close(channels, blocking);
        }
    }

    /// The states of all that was pushed.
    pub fn finish(&mut self, channels: usize, blocking: Blocking) -> &[S::Lane] {
        if self.blocks > 0 {
            self.close(channels, blocking);
        }
        &self.total[..channels]
    }

    /// Merges the chunk into the total, the copies of a channel from left to right.
    fn close(&mut self, channels: usize, blocking: Blocking) {
        let chunk = &self.chunk;
        let lane = |index: usize| chunk[index / LANES].lane(index % LANES);
        for (channel, total) in self.total[..channels].iter_mut().enumerate() {
            let merged = (1..blocking.copies)
                .map(|copy| lane(copy * channels + channel))
                .filter(|copy| !copy.is_empty())
                .fold(lane(channel), S::Lane::merge);
            *total = total.merge(merged);
        }
        self.clear_chunk(channels, blocking);
    }

    fn clear_chunk(&mut self, channels: usize, blocking: Blocking) {
        self.chunk[..(channels * blocking.copies).div_ceil(LANES)].fill(S::EMPTY);
        self.blocks = 0;
    }
}

/// The inverse standard deviation 1/√(σ²+ε), and 0 where both are 0: then every element is the mean
/// and y = β.
#[inline(always)]
pub fn inverse_deviation<R: Wide>(variance: R, epsilon: f64) -> R {
    let sum = variance + R::splat(epsilon);
    sum.select_le(R::ZERO, R::ZERO, R::splat(1.0) / sum.sqrt())
}
