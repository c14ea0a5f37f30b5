//! Reductions as states that merge.
//!
//! A block of elements becomes a state, blocks merge into the state of their chunk, chunks, in
//! order, into the total. Cut at block ends, one push of a whole array and many of its parts
//! give the same bits.

use crate::lanes::{PAIR, Real, Wide};
use crate::view::{Blocking, TILE};
use wide::f64x2;

/// Groups of lanes in a tile.
pub const GROUPS: usize = TILE / PAIR;
/// Most numbers of a state.
const NUMBERS: usize = 7;

/// The numbers of a state, of two lanes each.
pub type Numbers = [[f64; PAIR]; NUMBERS];

/// What a reduction knows of two lanes; of no elements, all of its numbers are 0.
pub trait State: Copy {
    /// Of this state's elements and the other's.
    fn merge(self, other: Self) -> Self;
    /// From its numbers.
    fn read(numbers: &Numbers) -> Self;
    /// Writes its numbers.
    fn write(&self, into: &mut Numbers);

    /// Merges the numbers of other elements into those of some.
    #[inline(never)]
    fn join(own: &mut Numbers, other: &Numbers) {
        Self::read(own).merge(Self::read(other)).write(own);
    }
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

impl Sum<f64x2> {
    /// From two numbers.
    #[inline(always)]
    pub(crate) fn read(high: [f64; PAIR], low: [f64; PAIR]) -> Self {
        Self { high: f64x2::new(high), low: f64x2::new(low) }
    }

    /// As two numbers.
    #[inline(always)]
    pub(crate) fn numbers(self) -> [[f64; PAIR]; 2] {
        [self.high.to_array(), self.low.to_array()]
    }

    /// One lane.
    pub(crate) fn lane(&self, lane: usize) -> Sum<f64> {
        Sum { high: self.high.as_array()[lane], low: self.low.as_array()[lane] }
    }

    /// Replaces one lane.
    pub(crate) fn set_lane(&mut self, lane: usize, sum: Sum<f64>) {
        self.high.as_mut_array()[lane] = sum.high;
        self.low.as_mut_array()[lane] = sum.low;
    }
}

/// Blocks merged into chunks, chunks into totals.
///
/// Where channels are few, `copies` rows of the array are read as one; each channel then has that
/// many lanes, which persist until the chunk closes.
pub struct Chunked {
    chunk: [Numbers; GROUPS],
    total: [Numbers; GROUPS],
    /// Blocks in the open chunk.
    blocks: usize,
    /// Whether the total is of some chunk.
    has_total: bool,
    /// Whether the chunk's states are none until its first block sets them: of copies, that block need
    /// not have all.
    is_fresh: bool,
}

const NOTHING: Numbers = [[0.0; PAIR]; NUMBERS];

impl Chunked {
    /// Of no elements.
    pub const EMPTY: Self = Self {
        chunk: [NOTHING; GROUPS],
        total: [NOTHING; GROUPS],
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

    /// The state of a group in the open chunk.
    #[inline(always)]
    pub fn get(&self, group: usize) -> &Numbers {
        if self.is_fresh { &NOTHING } else { &self.chunk[group] }
    }

    /// Replaces it.
    #[inline(always)]
    pub fn set(&mut self, group: usize, state: &impl State) {
        state.write(&mut self.chunk[group]);
    }

    /// The open chunk has been through a block of its lanes, or through all of it; it closes when it has as
    /// many as it may.
    pub fn end_block<S: State>(&mut self, is_complete: bool, channels: usize, blocking: Blocking) {
        self.is_fresh = false;
        self.blocks += usize::from(is_complete);
        if self.blocks == blocking.blocks {
            self.close(S::join, channels, blocking);
        }
    }

    /// The states of all that was pushed, of each group of channels; lanes beyond the last are anything.
    pub fn finish<S: State>(&mut self, channels: usize, blocking: Blocking) -> &[Numbers] {
        let groups = channels.div_ceil(PAIR);
        if !self.has_total && blocking.copies == 1 && self.blocks > 0 {
            return &self.chunk[..groups];
        }
        if self.blocks > 0 {
            self.close(S::join, channels, blocking);
        }
        if !self.has_total {
            self.total[..groups].fill(NOTHING);
        }
        &self.total[..groups]
    }

    /// Merges the chunk into the total, the copies of a channel from left to right.
    #[inline(never)]
    fn close(&mut self, join: fn(&mut Numbers, &Numbers), channels: usize, blocking: Blocking) {
        for group in 0..channels.div_ceil(PAIR) {
            let mut merged = self.chunk[group];
            for copy in 1..blocking.copies {
                join(&mut merged, &self.lanes_from(copy * channels + group * PAIR));
            }
            if self.has_total {
                join(&mut self.total[group], &merged);
            } else {
                self.total[group] = merged;
            }
        }
        self.has_total = true;
        self.clear_chunk(channels, blocking);
    }

    /// Two lanes of the chunk, of one group or two.
    fn lanes_from(&self, first: usize) -> Numbers {
        let mut lanes = NOTHING;
        for lane in 0..PAIR {
            let from = &self.chunk[(first + lane) / PAIR];
            for (into, from) in lanes.iter_mut().zip(from) {
                into[lane] = from[(first + lane) % PAIR];
            }
        }
        lanes
    }

    fn clear_chunk(&mut self, channels: usize, blocking: Blocking) {
        self.blocks = 0;
        self.is_fresh = blocking.copies == 1;
        if !self.is_fresh {
            self.chunk[..(channels * blocking.copies).div_ceil(PAIR)].fill(NOTHING);
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
