//! Count, mean and m2 = Σ(x-μ)² of each channel, in one pass over memory.
//!
//! ```text
//! for each block of a channel's elements:
//!     k  = the mean so far                    (first block of a chunk: of its first few elements)
//!     s  = Σ(x-k)   q = Σ(x-k)²               in lanes of the element type
//!     the block has mean k + s/n and m2 = q - s²/n                  in f64, from here on
//!     merge it (Chan, Golub, LeVeque 1979):   δ = mean_b - mean_a
//!         mean = mean_a + δ·n_b/(n_a+n_b)     m2 = m2_a + m2_b + δ²·n_a·n_b/(n_a+n_b)
//! ```
//!
//! Departures, and their reasons:
//!
//! 1. The mean is kept as a number and what its additions rounded away ([`Sum`]): one f64 would lose
//!    the increments of long inputs, and δ the digits in which two means differ.
//! 2. A block whose shift turns out poor is taken again around its own mean, while it is in cache.
//!    Poor is: 2n·(s/n)² > the merged m2, so that s and q - s²/n may have lost digits that matter.
//!    (With n in place of 2n, clusters whose first elements are alike left the contract.)
//! 3. A block whose squares overflow or underflow is taken in f64, two passes ([`careful`]).

use crate::lanes::{Element, Lanes, Real};
use crate::state::{LaneState, State, Sum, with_lane};
use wide::f64x4;

pub mod channels_first;
pub mod channels_last;
pub mod weighted;

/// Count, mean and m2.
#[derive(Clone, Copy, Debug)]
pub struct Moments<R> {
    pub(crate) count: R,
    pub(crate) mean: Sum<R>,
    pub(crate) m2: Sum<R>,
}

impl State for Moments<f64x4> {
    const EMPTY: Self = Self::NONE;

    #[inline(always)]
    fn merge(self, other: Self) -> Self {
        self.chan(other)
    }

    fn is_empty(&self) -> bool {
        self.count == f64x4::ZERO
    }
}

impl State for Moments<f64> {
    const EMPTY: Self = Self::NONE;

    fn merge(self, other: Self) -> Self {
        let merged = self.chan(other);
        if merged.mean.is_finite() {
            return merged;
        }
        // The means lie further apart than f64 reaches (or are none); m2 is infinite then.
        let weight = other.count / merged.count;
        let mean = Sum::new(self.mean() * (1.0 - weight) + other.mean() * weight);
        Self { mean, ..merged }
    }

    fn is_empty(&self) -> bool {
        self.count == 0.0
    }
}

impl LaneState for Moments<f64x4> {
    type Lane = Moments<f64>;

    fn lane(&self, lane: usize) -> Moments<f64> {
        let get = |lanes: f64x4| lanes.to_array()[lane];
        Moments { count: get(self.count), mean: self.mean.map(get), m2: self.m2.map(get) }
    }

    fn set_lane(&mut self, lane: usize, state: Moments<f64>) {
        let set = |lanes, value| with_lane(lanes, lane, value);
        self.count = with_lane(self.count, lane, state.count);
        self.mean = self.mean.zip(state.mean, set);
        self.m2 = self.m2.zip(state.m2, set);
    }
}

impl<R: Real> Moments<R> {
    const NONE: Self = Self { count: R::ZERO, mean: Sum::ZERO, m2: Sum::ZERO };

    /// Chan's formula. `other` has elements; `self` may have none, and then takes its mean, so that
    /// δ = 0.
    #[inline(always)]
    fn chan(self, other: Self) -> Self {
        let mean =
            self.mean.zip(other.mean, |own, others| self.count.select_le(R::ZERO, others, own));
        let count = self.count + other.count;
        let weight = other.count / count;
        let delta = other.mean.distance(mean);
        Self {
            count,
            mean: mean.plus(delta * weight),
            // δ·(δ·n) and not δ²·n: with n = 0 the square alone might overflow
            m2: self.m2.merge(other.m2).plus(delta * (delta * (self.count * weight))),
        }
    }

    /// Of a block of `count` elements with these sums around the shift.
    #[inline(always)]
    fn of_block(count: R, shift: R, sums: Sums<R>) -> Self {
        let offset = sums.sum / count;
        let m2 = sums.squares - sums.sum * offset;
        let m2 = Sum::new(m2.positive_part());
        Self { count, mean: Sum::new(shift).plus(offset), m2 }
    }

    /// The mean, rounded to one number.
    #[inline(always)]
    pub fn mean(&self) -> R {
        self.mean.value()
    }
}

impl Moments<f64> {
    /// How many elements, or the sum of their weights.
    pub fn count(&self) -> f64 {
        self.count
    }

    /// What rounding the mean to one number takes away.
    pub fn mean_rest(&self) -> f64 {
        self.mean.rest()
    }

    /// Mean and biased variance m2/n. An infinite element leaves no mean either, in whatever block
    /// it came.
    pub fn finish(&self) -> (f64, f64) {
        let m2 = self.m2.value();
        let mean = if m2.is_nan() { f64::NAN } else { self.mean() };
        (mean, m2 / self.count)
    }
}

/// Σ(x-k) and Σ(x-k)² of a block, around the shift k.
#[derive(Clone, Copy, Debug)]
struct Sums<R> {
    sum: R,
    squares: R,
}

impl<V: Real> Sums<V> {
    const ZERO: Self = Self { sum: V::ZERO, squares: V::ZERO };

    /// Four more elements, as a tree.
    #[inline(always)]
    fn push_four(&mut self, [a, b, c, d]: [V; 4], shift: V) {
        let (a, b, c, d) = (a - shift, b - shift, c - shift, d - shift);
        self.sum = self.sum + ((a + b) + (c + d));
        self.squares = self.squares + ((a * a + b * b) + (c * c + d * d));
    }

    /// One more element.
    #[inline(always)]
    fn push(&mut self, a: V, shift: V) {
        let a = a - shift;
        self.sum = self.sum + a;
        self.squares = self.squares + a * a;
    }

    /// Both sums.
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self { sum: self.sum + other.sum, squares: self.squares + other.squares }
    }

    /// 2n·(s/n)², which is too much where it exceeds the merged m2.
    #[inline(always)]
    fn excess(&self, count: V) -> V {
        (self.sum + self.sum) * (self.sum / count)
    }
}

/// The shift of a chunk: the mean of its first 1, 2, 4 or 8 elements, as a tree, which is exact for
/// constants; the first element where that is not finite. `first(i)` is element i of `len`.
#[inline(always)]
fn first_shift<V: Real>(len: usize, one: V, first: impl Fn(usize) -> V) -> V {
    let half = one / (one + one);
    let pair = |i| (first(i) + first(i + 1)) * half;
    let four = |i| (pair(i) + pair(i + 2)) * half;
    let mean = match len {
        0 | 1 => return first(0),
        2 | 3 => pair(0),
        4..8 => four(0),
        _ => (four(0) + four(4)) * half,
    };
    mean.select_finite(mean, first(0))
}

/// Merges a block of one channel into the chunk, by whatever way its numbers demand: `first` are its
/// sums around `shift`, `retake` sums it around another.
fn settle<E: Element>(
    chunk: Moments<f64>,
    count: f64,
    mut shift: E,
    first: Sums<f64>,
    retake: impl FnOnce(E) -> Sums<f64>,
    elements: impl Iterator<Item = E> + Clone,
) -> Moments<f64> {
    let mut squares = first.squares;
    let mut block = Moments::of_block(count, shift.to_f64(), first);
    let mut merged = chunk.merge(block);
    if first.excess(count) > merged.m2.value() {
        shift = E::from_f64(block.mean());
        let sums = retake(shift);
        squares = sums.squares;
        block = Moments::of_block(count, shift.to_f64(), sums);
        merged = chunk.merge(block);
    }
    let underflow = squares < E::FAINT && elements.clone().any(|x| x != shift);
    if squares == f64::INFINITY {
        // Around an element: from elsewhere, a mean might be rounded beyond the largest number.
        shift = elements.clone().next().unwrap_or(shift);
    }
    if underflow || squares == f64::INFINITY {
        merged = chunk.merge(careful(elements, shift, E::rescue_scale(squares)));
    }
    merged
}

/// A block in f64 and two passes, its elements scaled by a power of two; the sums keep what they
/// round away, since for f64 elements f64 is not wide.
fn careful<E: Element>(
    elements: impl Iterator<Item = E> + Clone,
    shift: E,
    scale: f64,
) -> Moments<f64> {
    let distances = || elements.clone().map(|x| x.to_f64() * scale - shift.to_f64() * scale);
    let count = distances().fold(0.0, |count, _| count + 1.0);
    let mean = distances().fold(Sum::ZERO, Sum::plus).value() / count;
    let (rest, m2) = distances().fold((Sum::ZERO, Sum::ZERO), |(rest, m2), d| {
        let d = d - mean;
        (rest.plus(d), m2.plus(d * d))
    });
    let (rest, m2) = (rest.value(), m2.value());
    let mean = Sum::new(shift.to_f64() * scale).plus(mean + rest / count);
    Moments {
        count,
        mean: mean.map(|part| part / scale),
        m2: Sum::new((m2 - rest * rest / count).positive_part() / scale / scale),
    }
}

impl Sums<f64x4> {
    fn lane(&self, lane: usize) -> Sums<f64> {
        Sums { sum: self.sum.to_array()[lane], squares: self.squares.to_array()[lane] }
    }
}

/// The sums of a block's lanes, widened.
#[inline(always)]
fn widen<V: Lanes>(sums: Sums<V>) -> Sums<f64x4> {
    Sums { sum: sums.sum.to_f64x4(), squares: sums.squares.to_f64x4() }
}
