//! Reductions as states that merge.
//!
//! A block of elements becomes a state, blocks merge into the state of their chunk, chunks, in
//! order, into the total. Cut at block ends, one push of a whole array and many of its parts
//! give the same bits.

use crate::lanes::{LANES, Real, Wide};
use crate::view::{Blocking, COLUMN, TILE};
use core::array;
use wide::f64x4;

/// Groups of lanes in a tile.
pub const GROUPS: usize = TILE / LANES;
/// Most numbers of a state.
const NUMBERS: usize = 7;

/// What a reduction knows of four lanes; of no elements, all of its numbers are 0.
pub trait State: Copy {
    /// Of this state's elements and the other's.
    fn merge(self, other: Self) -> Self;
    /// From its numbers.
    fn new(numbers: [f64x4; NUMBERS]) -> Self;
    /// Its numbers.
    fn numbers(&self) -> [f64x4; NUMBERS];
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

    /// From both parts.
    #[inline(always)]
    pub fn from_parts(high: R, low: R) -> Self {
        Self { high, low }
    }

    /// Both parts.
    #[inline(always)]
    pub fn parts(self) -> [R; 2] {
        [self.high, self.low]
    }

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

    /// Both sums, of elements of a type: where f64 is wider than that, what adding rounds away does
    /// not matter.
    #[inline(always)]
    pub fn join(self, other: Self, is_narrow: bool) -> Self {
        if is_narrow {
            Self { high: self.high + other.high, low: self.low }
        } else {
            self.merge(other)
        }
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

impl Sum<f64x4> {
    /// One lane.
    pub(crate) fn lane(self, lane: usize) -> Sum<f64> {
        self.map(|lanes| lanes.to_array()[lane])
    }
}

/// The states of lanes, a column for each number.
pub struct States([[f64; COLUMN]; NUMBERS]);

impl States {
    const EMPTY: Self = Self([[0.0; COLUMN]; NUMBERS]);

    /// Of the four lanes from this one on.
    #[inline(always)]
    pub fn get<S: State>(&self, lane: usize) -> S {
        S::new(array::from_fn(|number| match self.0[number][lane..].first_chunk() {
            Some(&lanes) => f64x4::new(lanes),
            None => f64x4::ZERO,
        }))
    }

    /// Replaces them.
    #[inline(always)]
    pub fn set<S: State>(&mut self, lane: usize, state: &S) {
        for (column, number) in self.0.iter_mut().zip(state.numbers()) {
            column[lane..lane + LANES].copy_from_slice(&number.to_array());
        }
    }

    fn clear(&mut self, lanes: usize) {
        for column in &mut self.0 {
            column[..lanes].fill(0.0);
        }
    }
}

/// Blocks merged into chunks, chunks into totals.
///
/// Where channels are few, `copies` rows of the array are read as one; each channel then has that
/// many lanes, which persist until the chunk closes.
pub struct Chunked {
    chunk: States,
    total: States,
    /// Blocks in the open chunk.
    blocks: usize,
    /// Whether the total is of some chunk.
    has_total: bool,
    /// Whether the chunk's states are none until its first block sets them: of copies, that block need
    /// not have all.
    is_fresh: bool,
}

impl Chunked {
    /// Of no elements.
    pub const EMPTY: Self = Self {
        chunk: States::EMPTY,
        total: States::EMPTY,
        blocks: 0,
        has_total: false,
        is_fresh: true,
    };

    /// Forgets the elements of the first channels.
    pub fn clear(&mut self, channels: usize, blocking: Blocking) {
        self.has_total = false;
        self.clear_chunk(channels, blocking);
    }

    /// Whether no lane has elements in the open chunk.
    #[inline(always)]
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// The state of four lanes in the open chunk.
    #[inline(always)]
    pub fn get<S: State>(&self, lane: usize) -> S {
        if self.is_fresh { S::new([f64x4::ZERO; NUMBERS]) } else { self.chunk.get(lane) }
    }

    /// Replaces it.
    #[inline(always)]
    pub fn set<S: State>(&mut self, lane: usize, state: &S) {
        self.chunk.set(lane, state);
    }

    /// The open chunk has been through a block of its lanes, or through all of it; it closes when it has as
    /// many as it may.
    pub fn end_block<S: State>(&mut self, is_complete: bool, channels: usize, blocking: Blocking) {
        self.is_fresh = false;
        self.blocks += usize::from(is_complete);
        if self.blocks == blocking.blocks {
            self.close::<S>(channels, blocking);
        }
    }

    /// The states of all that was pushed.
    pub fn finish<S: State>(&mut self, channels: usize, blocking: Blocking) -> &States {
        if !self.has_total && blocking.copies == 1 && self.blocks > 0 {
            return &self.chunk;
        }
        if self.blocks > 0 {
            self.close::<S>(channels, blocking);
        }
        if !self.has_total {
            self.total.clear(channels.next_multiple_of(LANES));
        }
        &self.total
    }

    /// Merges the chunk into the total, the copies of a channel from left to right. Lanes beyond the
    /// last channel are anything.
    #[inline(never)]
    fn close<S: State>(&mut self, channels: usize, blocking: Blocking) {
        for lane in (0..channels).step_by(LANES) {
            let mut merged = self.chunk.get::<S>(lane);
            for copy in 1..blocking.copies {
                merged = merged.merge(self.chunk.get(copy * channels + lane));
            }
            if self.has_total {
                merged = self.total.get::<S>(lane).merge(merged);
            }
            self.total.set(lane, &merged);
        }
        self.has_total = true;
        self.clear_chunk(channels, blocking);
    }

    fn clear_chunk(&mut self, channels: usize, blocking: Blocking) {
        self.blocks = 0;
        self.is_fresh = blocking.copies == 1;
        if !self.is_fresh {
            self.chunk.clear((channels * blocking.copies).next_multiple_of(LANES));
        }
    }
}

/// The inverse standard deviation 1/√(σ²+ε), and 0 where both are 0: then every element is the mean
/// and y = β.
#[inline(always)]
pub fn inverse_deviation<R: Wide>(variance: R, epsilon: f64) -> R {
    let sum = variance + R::splat(epsilon);
    sum.select_le(R::ZERO, R::ZERO, R::splat(1.0) / sum.sqrt())
}
