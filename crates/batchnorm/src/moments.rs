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
//!
//! Only the sums ([`crate::sums`]) depend on the element type and on the layout.

use crate::block::{Block, Elements, Group, blocks};
use crate::lanes::{PAIR, Real, are_finite};
use crate::piece::Extent;
use crate::state::{Chunked, GROUPS, Numbers, State, Sum};
use crate::sums::{Coefficients, Source, Sums, Totals};
use crate::view::Blocking;
use weighted::Weighted;
use wide::f64x2;

pub mod weighted;

/// Elements of a block whose mean is the shift of a chunk's first block: so many that of ordinary data
/// hardly any block is taken again.
const HEAD: usize = 16;

/// Count, mean and m2 of two lanes.
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    count: f64x2,
    mean: Sum<f64x2>,
    m2: Sum<f64x2>,
}

impl State for Moments {
    #[inline(never)]
    fn merge(self, other: Self) -> Self {
        let mut merged = self.chan(other);
        let mean = merged.mean();
        if !are_finite(mean) {
            // The means lie further apart than f64 reaches (or are none); m2 is infinite then.
            let weight = other.count / merged.count;
            let far = self.mean() * (f64x2::splat(1.0) - weight) + other.mean() * weight;
            merged.mean = merged.mean.zip(Sum::new(far), |near, far| mean.select_finite(near, far));
        }
        merged
    }

    #[inline(always)]
    fn read(&[count, mean, mean_low, m2, m2_low, ..]: &Numbers) -> Self {
        let (mean, m2) = (Sum::read(mean, mean_low), Sum::read(m2, m2_low));
        Self { count: f64x2::new(count), mean, m2 }
    }

    #[inline(always)]
    fn write(&self, into: &mut Numbers) {
        into[0] = self.count.to_array();
        [into[1], into[2]] = self.mean.numbers();
        [into[3], into[4]] = self.m2.numbers();
    }
}

impl Moments {
    const EMPTY: Self = Self { count: f64x2::ZERO, mean: Sum::ZERO, m2: Sum::ZERO };

    fn zip(&self, other: &Self, number: impl Fn(f64x2, f64x2) -> f64x2) -> Self {
        Self {
            count: number(self.count, other.count),
            mean: self.mean.zip(other.mean, &number),
            m2: self.m2.zip(other.m2, &number),
        }
    }

    /// Chan's formula. `self` may have no elements, and then takes the mean of `other`, so that δ = 0.
    /// One of them has some: a copy of a channel may have none, but the first has.
    #[inline(always)]
    fn chan(self, other: Self) -> Self {
        let empty = self.count;
        let mean =
            self.mean.zip(other.mean, |own, others| empty.select_le(f64x2::ZERO, others, own));
        let count = self.count + other.count;
        let weight = other.count / count;
        let delta = other.mean.distance(mean);
        // δ·(δ·n) and not δ²·n: with n = 0 the square alone might overflow
        let m2 = self.m2.merge(other.m2).plus(delta * (delta * (self.count * weight)));
        Self { count, mean: mean.plus(delta * weight), m2 }
    }

    /// Whether the shift of the last block was poor: 2n·(s/n)² > m2.
    #[inline(always)]
    fn is_poor(&self, count: f64x2, sums: &Sums<f64x2>) -> f64x2 {
        let excess = (sums.sum + sums.sum) * (sums.sum / count);
        excess.simd_gt(self.m2.value())
    }

    /// Of a block of `count` elements with these sums around the shift.
    #[inline(always)]
    fn of_block(count: f64x2, shift: f64x2, sums: Sums<f64x2>) -> Self {
        let offset = sums.sum / count;
        let m2 = sums.product - sums.sum * offset;
        let m2 = Sum::new(m2.positive_part());
        Self { count, mean: Sum::new(shift).plus(offset), m2 }
    }

    /// The mean, rounded to one number.
    #[inline(always)]
    pub fn mean(&self) -> f64x2 {
        self.mean.value()
    }

    /// How many elements, or the sum of their weights.
    pub fn count(&self) -> f64x2 {
        self.count
    }

    /// What rounding the mean to one number takes away.
    pub fn mean_rest(&self) -> f64x2 {
        self.mean.rest()
    }

    /// Mean and biased variance m2/n. An infinite element leaves no mean either, in whatever block
    /// it came.
    pub fn finish(&self) -> (f64x2, f64x2) {
        let m2 = self.m2.value();
        (m2.select_le(m2, self.mean(), m2), m2 / self.count)
    }
}

/// The open reduction of the channels of one outer.
pub struct Reduction {
    state: Chunked,
    /// Of the open block.
    shifts: [Coefficients<f64x2>; GROUPS],
    sums: [Totals; GROUPS],
}

impl Reduction {
    /// Of no elements.
    pub const EMPTY: Self = Self {
        state: Chunked::EMPTY,
        shifts: [Coefficients::ZERO; GROUPS],
        sums: [Totals::EMPTY; GROUPS],
    };

    /// Forgets the elements of the first channels.
    pub fn clear(&mut self, channels: usize, blocking: Blocking) {
        self.state.clear(channels, blocking);
    }

    /// Pushes a piece of one outer, cut where `blocking` allows.
    pub fn push(
        &mut self,
        x: &mut dyn Source,
        extent: Extent,
        blocking: Blocking,
        elements: &mut Group,
    ) {
        blocks(extent, blocking, &mut |block, is_complete| {
            self.choose_shifts(x, block);
            x.sum(block, 0..block.groups(), &mut self.sums);
            for group in 0..block.groups() {
                self.close_block(x, block, group, elements);
            }
            self.state.end_block::<Moments>(is_complete, extent.channels, blocking);
        });
    }

    /// The [`Moments`] of all that was pushed.
    pub fn finish(&mut self, channels: usize, blocking: Blocking) -> &[Numbers] {
        self.state.finish::<Moments>(channels, blocking)
    }

    /// The mean so far; at the start of a chunk that of the block's head, or its first element where
    /// that is not finite.
    #[inline(never)]
    fn choose_shifts(&mut self, x: &mut dyn Source, block: &Block) {
        let groups = block.groups();
        let (zero, format) = (f64x2::ZERO, x.format());
        let is_fresh = self.state.is_fresh();
        let begun = |chunk: &Moments| chunk.count.simd_gt(zero);
        let all_begun = !is_fresh
            && (0..groups).all(|group| {
                let chunk = Moments::read(self.state.get(group));
                (begun(&chunk) | !block.active(group)).all()
            });
        let head = block.head(HEAD);
        let share = f64x2::splat(1.0 / head.count() as f64);
        // Whole rows at a time, or the few elements of each channel one by one.
        let by_rows = !all_begun && (block.inner == 1 || block.is_short && block.inner <= HEAD);
        if by_rows {
            self.shifts[..groups].fill(Coefficients::ZERO);
            x.set(0, &self.shifts[..groups]);
            x.sum(&head, 0..groups, &mut self.sums);
        }
        for (group, shift) in self.shifts[..groups].iter_mut().enumerate() {
            let mut mean = zero;
            if !all_begun {
                mean =
                    if by_rows { self.sums[group].sum.value() } else { sum_head(x, &head, group) }
                        * share;
                if !are_finite(mean) {
                    mean = mean.select_finite(mean, sum_head(x, &block.head(1), group));
                }
            }
            if !is_fresh {
                let chunk = Moments::read(self.state.get(group));
                mean = begun(&chunk).select(chunk.mean(), mean);
            }
            shift.center = format.round(mean);
        }
        x.set(0, &self.shifts[..groups]);
    }

    /// Merges the block of a group into its chunk, if there is nothing odd about it.
    fn close_block(
        &mut self,
        x: &mut dyn Source,
        block: &Block,
        group: usize,
        elements: &mut Group,
    ) {
        let count = f64x2::splat(block.count() as f64);
        let sums = self.sums[group].value();
        let mut merged = Moments::of_block(count, self.shifts[group].center, sums);
        if !self.state.is_fresh() {
            merged = Moments::read(self.state.get(group)).merge(merged);
        }
        let faint = sums.product.simd_lt(f64x2::splat(x.format().faint));
        let odd = merged.is_poor(count, &sums) | is_infinite(sums.product) | faint;
        if odd.any() || !are_finite(merged.mean()) || block.lanes_of(group) < PAIR {
            self.settle(x, block, group, elements);
        } else {
            self.state.set(group, &merged);
        }
    }

    /// Merges the block of a group into its chunk. Lanes whose shift was poor or whose squares left
    /// the normal range are taken again; the others keep what they have.
    #[cold]
    #[inline(never)]
    fn settle(&mut self, x: &mut dyn Source, block: &Block, group: usize, elements: &mut Group) {
        let chunk = Moments::read(self.state.get(group));
        let active = block.active(group);
        let count = f64x2::splat(block.count() as f64);
        let take = |shift, sums| {
            let moments = Moments::of_block(count, shift, sums);
            (moments.mean(), chunk.merge(moments))
        };
        let mut shift = self.shifts[group].center;
        let mut sums = self.sums[group].value();
        let (mean, mut merged) = take(shift, sums);

        let poor = active & merged.is_poor(count, &sums);
        if poor.any() {
            shift = poor.select(x.format().round(mean), shift);
            self.shifts[group].center = shift;
            x.set(group, &self.shifts[group..=group]);
            x.sum(block, group..group + 1, &mut self.sums);
            let again = self.sums[group].value();
            sums.product = poor.select(again.product, sums.product);
            let again = take(shift, again).1;
            merged = merged.zip(&again, |first, second| poor.select(second, first));
        }

        let mut ask = active & is_infinite(sums.product);
        let faint = active & sums.product.simd_lt(f64x2::splat(x.format().faint));
        if faint.any() {
            // Zeros that a ReLU left, and other constants, are faint, but lost nothing.
            let mut differs = f64x2::ZERO;
            elements.each(x.elements(), block, group, &mut |part| {
                differs = part.lanes().fold(differs, |bits, [x, _]| bits | x.simd_ne(shift));
            });
            ask |= faint & differs;
        }
        if ask.any() {
            let careful = chunk.merge(careful(x.elements(), block, group, elements));
            merged = merged.zip(&careful, |rough, fine| ask.select(fine, rough));
        }

        // Beyond the last lane: none, or a copy of a channel that has rows in other blocks.
        let merged = chunk.zip(&merged, |old, new| active.select(new, old));
        self.state.set(group, &merged);
    }
}

/// The sums of a group of lanes of a head.
#[inline(never)]
fn sum_head(x: &dyn Source, head: &Block, group: usize) -> f64x2 {
    let mut elements = [[0.0; PAIR]; HEAD];
    let elements = &mut elements[..head.count()];
    x.elements()[0].copy_group(head, group, elements);
    // One lane after the other: loads of both would wait for the stores of each.
    f64x2::new([0, 1].map(|lane| elements.iter().fold(0.0, |sum, lanes| sum + lanes[lane])))
}

fn is_infinite(values: f64x2) -> f64x2 {
    values.simd_eq(f64x2::splat(f64::INFINITY))
}

/// The block of a group in f64, in two passes: as with weights, all of them 1.
#[cold]
fn careful(x: [&dyn Elements; 2], block: &Block, group: usize, elements: &mut Group) -> Moments {
    let mut total = Weighted::EMPTY;
    elements.each(x, block, group, &mut |part| {
        part.other[..part.len].fill([1.0; PAIR]);
        total = total.merge(Weighted::of(part));
    });
    total.moments
}
