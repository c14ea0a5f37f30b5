//! Weighted moments: W = Σw, μ = Σwx / W, m2 = Σw(x-μ)². An element of weight 0 is left out, NaN or
//! not. Source: `tf.nn.weighted_moments`.
//!
//! ```text
//! for each 1,024 elements of a block, which are in cache the second time, in lanes of f64:
//!     k  = its heaviest element
//!     μ  = k + Σw(x-k) / Σw                    not rounded to one f64
//!     m2 = Σw(x-μ)² - (Σw(x-μ))²/Σw
//! ```
//!
//! Departures from the unweighted reduction: weights may gather on a few elements, so neither the
//! shift of a block nor its sums in f32 could be trusted; f64 and two passes need no retake. Around
//! the heaviest element of n, |μ-k| is at most √n·σ, and the heavy elements themselves lie so near μ
//! that what rounding it would take away exceeds σ.

use super::Moments;
use crate::block::{Elements, Group, blocks};
use crate::lanes::{Element, Real, power_of_two};
use crate::piece::Extent;
use crate::state::{Chunked, Numbers, State, Sum};
use crate::view::Blocking;
use wide::f64x2;

/// The moments of elements with weights, whose Σw, unlike a count, is rounded with each addition.
#[derive(Clone, Copy)]
pub(super) struct Weighted {
    pub(super) moments: Moments,
    /// Σw, of which the moments have the value.
    total: Sum<f64x2>,
}

impl State for Weighted {
    /// From the heavier side: the mean with that of a lighter one is μ + δ·w/W, of which the quotient
    /// and the product alone are rounded. Few elements may have nearly all weight, and then each
    /// rounding shows.
    fn merge(self, other: Self) -> Self {
        let swap = self.moments.count.simd_lt(other.moments.count);
        let heavier = self.zip(&other, |own, others| swap.select(others, own));
        let lighter = self.zip(&other, |own, others| swap.select(own, others));
        let total = heavier.total.merge(lighter.total);
        let delta = lighter.moments.mean.minus(heavier.moments.mean);
        let (distance, weight) = (delta.value(), total.value());
        let share = lighter.total.value() / weight;
        let lost = (lighter.total.rest() - share * total.rest()) / weight;
        let mean = heavier.moments.mean.plus(distance * share);
        let mean = mean.plus(delta.rest() * share + distance * lost);
        let mut moments = heavier.moments.merge(lighter.moments);
        let finite = mean.value();
        moments.mean = moments.mean.zip(mean, |rough, fine| finite.select_finite(fine, rough));
        moments.count = weight;
        // What is empty changes no bit.
        let empty = lighter.moments.count;
        heavier
            .zip(&Self { moments, total }, |alone, both| empty.select_le(f64x2::ZERO, alone, both))
    }

    fn read(numbers: &Numbers) -> Self {
        let [.., total, rest] = *numbers;
        Self { moments: Moments::read(numbers), total: Sum::read(total, rest) }
    }

    fn write(&self, into: &mut Numbers) {
        self.moments.write(into);
        [into[5], into[6]] = self.total.numbers();
    }
}

impl Weighted {
    pub(super) const EMPTY: Self = Self { moments: Moments::EMPTY, total: Sum::ZERO };

    /// Of elements and their weights.
    #[inline(never)]
    pub(super) fn of(elements: &mut Group) -> Self {
        let (shift, total) = heaviest(elements);
        let (mut moments, squares) = around(elements, shift);
        let overflow = squares.simd_eq(f64x2::splat(f64::INFINITY));
        let faint = squares.simd_lt(f64x2::splat(<f64 as Element>::FAINT));
        let mut underflow = f64x2::ZERO;
        if faint.any() {
            for [x, weight] in elements.lanes() {
                underflow |= faint & x.simd_ne(shift) & weight.simd_gt(f64x2::ZERO);
            }
        }
        for (ask, scale) in [(overflow, power_of_two(-600)), (underflow, power_of_two(600))] {
            if ask.any() {
                let scaled = rescued(elements, shift, scale);
                moments = moments.zip(&scaled, |plain, scaled| ask.select(scaled, plain));
            }
        }
        moments.count = total.value();
        Self { moments, total }
    }

    fn zip(&self, other: &Self, number: impl Fn(f64x2, f64x2) -> f64x2) -> Self {
        Self {
            moments: self.moments.zip(&other.moments, &number),
            total: self.total.zip(other.total, &number),
        }
    }
}

/// The open reduction of the channels of one outer.
pub struct Reduction(Chunked);

impl Reduction {
    /// Of no elements.
    pub const EMPTY: Self = Self(Chunked::EMPTY);

    /// Forgets the elements of the first channels.
    pub fn clear(&mut self, channels: usize, blocking: Blocking) {
        self.0.clear(channels, blocking);
    }

    /// Pushes a piece of one outer, cut where `blocking` allows.
    pub fn push(
        &mut self,
        arrays: [&dyn Elements; 2],
        extent: Extent,
        blocking: Blocking,
        elements: &mut Group,
    ) {
        blocks(extent, blocking, &mut |block, is_complete| {
            for group in 0..block.groups() {
                let mut chunk = Weighted::read(self.0.get(group));
                elements.each(arrays, block, group, &mut |part| {
                    part.other[..part.len].iter_mut().for_each(|weights| {
                        weights[block.lanes_of(group)..].fill(0.0);
                    });
                    chunk = chunk.merge(Weighted::of(part));
                });
                self.0.set(group, &chunk);
            }
            self.0.end_block::<Weighted>(is_complete, extent.channels, blocking);
        });
    }

    /// The [`Moments`] of all that was pushed.
    pub fn finish(&mut self, channels: usize, blocking: Blocking) -> &[Numbers] {
        self.0.finish::<Weighted>(channels, blocking)
    }
}

/// The heaviest element of each lane, the first of those that weigh the same; and Σw, with what its
/// additions round away.
fn heaviest(elements: &Group) -> (f64x2, Sum<f64x2>) {
    let (mut most, mut heaviest, mut total) = (f64x2::ZERO, f64x2::ZERO, Sum::ZERO);
    for [x, weight] in elements.lanes() {
        heaviest = weight.select_le(most, heaviest, x);
        most = weight.select_le(most, most, weight);
        total = total.plus(weight);
    }
    (heaviest, total)
}

/// The moments, and Σw(x-μ)², infinite where Σw(x-k)² is.
fn around(elements: &Group, shift: f64x2) -> (Moments, f64x2) {
    let [weight, sum, around_shift] = sums(elements, Sum::new(shift));
    let mean = Sum::new(shift).plus(sum / weight);
    let [_, rest, squares] = sums(elements, mean);
    let lost = rest / weight;
    let m2 = Sum::new((squares - rest * lost).positive_part());
    let squares = around_shift.select_finite(squares, around_shift);
    (Moments { count: weight, mean: mean.plus(lost), m2 }, squares)
}

/// Σw, Σw(x-c) and Σw(x-c)², four at a time, so that no rounding is one of many.
#[inline(never)]
fn sums(elements: &Group, center: Sum<f64x2>) -> [f64x2; 3] {
    let zero = f64x2::ZERO;
    let mut total = [Sum::ZERO; 3];
    let mut lanes = elements.lanes();
    for _ in (0..elements.len).step_by(4) {
        let mut part = [zero; 3];
        for [x, weight] in lanes.by_ref().take(4) {
            let distance = Sum::new(x).distance(center);
            let distance = weight.select_le(zero, zero, distance);
            let weighted = weight * distance;
            let [weights, sum, squares] = part;
            part = [weights + weight, sum + weighted, squares + weighted * distance];
        }
        for (total, part) in total.iter_mut().zip(part) {
            *total = total.plus(part);
        }
    }
    total.map(Sum::value)
}

/// The moments of elements whose squares left the normal range, by way of elements times a power of two.
#[cold]
fn rescued(elements: &mut Group, shift: f64x2, scale: f64) -> Moments {
    let lanes = f64x2::splat(scale);
    let kept = elements.x;
    elements.x.as_flattened_mut().iter_mut().for_each(|x| *x *= scale);
    let moments = around(elements, shift * lanes).0;
    elements.x = kept;
    Moments {
        mean: moments.mean.map(|part| part / lanes),
        m2: moments.m2.map(|part| part / lanes / lanes),
        ..moments
    }
}
