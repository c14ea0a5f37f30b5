//! Weighted moments: W = Σw, μ = Σwx / W, m2 = Σw(x-μ)². An element of weight 0 is left out, NaN or
//! not. Source: `tf.nn.weighted_moments`.
//!
//! ```text
//! for each block, which is in cache the second time, in lanes of f64:
//!     k  = its heaviest element
//!     μ  = k + Σw(x-k) / Σw                    not rounded to one f64
//!     m2 = Σw(x-μ)² - (Σw(x-μ))²/Σw
//! ```
//!
//! Departures from the unweighted reduction: weights may gather on a few elements, so neither the
//! shift of a block nor its sums in f32 could be trusted; f64 and two passes need no retake. Around
//! the heaviest element of n, |μ-k| is at most √n·σ, and the heavy elements themselves lie so near μ
//! that what rounding it would take away exceeds σ. Either layout is lanes of a block here: channels,
//! or elements of one channel that merge in the end.

use super::Moments;
use crate::lanes::{Element, LANES, Lanes, Real, lanes_of};
use crate::piece::{Extent, Rows};
use crate::state::{Chunked, LaneState, State, Sum};
use crate::view::{BLOCK_ELEMENTS, Blocking, TILE};
use wide::f64x4;

/// Vectors of the longest block.
const VECTORS: usize = BLOCK_ELEMENTS / LANES;

/// The moments of elements with weights, whose Σw, unlike a count, is rounded with each addition.
#[derive(Clone, Copy)]
struct Weighted {
    moments: Moments<f64>,
    /// Σw, of which the moments have the value.
    total: Sum<f64>,
}

impl State for Weighted {
    const EMPTY: Self = Self { moments: Moments::EMPTY, total: Sum::ZERO };

    fn merge(self, other: Self) -> Self {
        if other.is_empty() {
            return self;
        }
        if self.moments.count < other.moments.count {
            return other.merge(self);
        }
        let total = self.total.merge(other.total);
        let mut moments = self.moments.merge(other.moments);
        let mean = self.mean_with(&other, total);
        if mean.is_finite() {
            moments.mean = mean;
        }
        moments.count = total.value();
        Self { moments, total }
    }

    fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }
}

impl Weighted {
    /// The mean with that of a lighter one: μ + δ·w/W, of which the quotient and the product alone are
    /// rounded. Few elements may have nearly all weight, and then each rounding shows.
    fn mean_with(&self, lighter: &Self, total: Sum<f64>) -> Sum<f64> {
        let delta = lighter.moments.mean.minus(self.moments.mean);
        let (distance, weight) = (delta.value(), total.value());
        let share = lighter.total.value() / weight;
        let lost = (lighter.total.rest() - share * total.rest()) / weight;
        self.moments.mean.plus(distance * share).plus(delta.rest() * share + distance * lost)
    }
}

/// The open reduction of the channels of one outer.
pub struct Reduction {
    channels: [Chunked<Weighted>; TILE],
    block: Block,
}

/// Elements of a block and their weights, in lanes.
struct Block {
    x: [[f64; LANES]; VECTORS],
    weights: [[f64; LANES]; VECTORS],
    len: usize,
}

impl Reduction {
    /// Of no elements.
    pub const EMPTY: Self = Self {
        channels: [Chunked::EMPTY; TILE],
        block: Block { x: [[0.0; LANES]; VECTORS], weights: [[0.0; LANES]; VECTORS], len: 0 },
    };

    /// Forgets the elements of the first channels.
    pub fn clear(&mut self, channels: usize) {
        self.channels[..channels].fill(Chunked::EMPTY);
    }

    /// Pushes rows of a channels-last view, cut where `blocking` allows.
    pub fn push_last<E: Element>(
        &mut self,
        x: Rows<'_, E>,
        weights: Rows<'_, f64>,
        extent: Extent,
        blocking: Blocking,
    ) {
        let channels = &mut self.channels[..extent.channels];
        for (first, whole, left) in blocking.cut(extent.rows) {
            let rest = (first + whole * blocking.copies, left, usize::from(left > 0));
            let runs = [(first, blocking.copies, whole), rest];
            // Past the last row there need not even be memory.
            for (first, copies, count) in runs.into_iter().filter(|&(_, _, count)| count > 0) {
                let lanes = extent.channels * copies;
                let (x, weights) = (x.from(first, copies), weights.from(first, copies));
                for group in 0..lanes.div_ceil(LANES) {
                    self.block.len = 0;
                    for row in 0..count {
                        self.block.push(x.part(row, 0, lanes), weights.part(row, 0, lanes), group);
                    }
                    self.block.merge_into(channels, group * LANES);
                }
            }
            for state in channels.iter_mut() {
                state.set_chunk(state.chunk, blocking.blocks);
            }
        }
    }

    /// Pushes rows of a channels-first view, cut where `blocking` allows.
    pub fn push_first<E: Element>(
        &mut self,
        x: Rows<'_, E>,
        weights: Rows<'_, f64>,
        extent: Extent,
        blocking: Blocking,
    ) {
        for (index, state) in self.channels[..extent.channels].iter_mut().enumerate() {
            for first in (0..extent.rows).step_by(blocking.rows) {
                let rows = first..extent.rows.min(first + blocking.rows);
                let part = |row| x.part(row, index * extent.inner, extent.inner);
                let weights = |row| weights.part(row, index * extent.inner, extent.inner);
                for start in (0..extent.inner).step_by(BLOCK_ELEMENTS) {
                    let end = extent.inner.min(start + BLOCK_ELEMENTS);
                    self.block.fill(
                        rows.clone().flat_map(|row| &part(row)[start..end]),
                        rows.clone().flat_map(|row| &weights(row)[start..end]),
                    );
                    self.block.merge_into(core::slice::from_mut(state), 0);
                    state.set_chunk(state.chunk, blocking.blocks);
                }
            }
        }
    }

    /// The moments of all that was pushed of a channel.
    pub fn finish(&mut self, channel: usize) -> Moments<f64> {
        self.channels[channel].finish().moments
    }
}

impl Block {
    /// Elements side by side; the lanes that are left have no weight.
    fn fill<'a, E: Element + 'a>(
        &mut self,
        x: impl Iterator<Item = &'a E>,
        weights: impl Iterator<Item = &'a f64>,
    ) {
        let lanes = self.x.as_flattened_mut().iter_mut().zip(self.weights.as_flattened_mut());
        let mut len = 0usize;
        for ((lane, weight_lane), (x, &weight)) in lanes.zip(x.zip(weights)) {
            (*lane, *weight_lane) = (x.to_f64(), weight);
            len += 1;
        }
        self.len = len.div_ceil(LANES);
        self.weights.as_flattened_mut()[len..self.len * LANES].fill(0.0);
    }

    /// Four more elements; those beyond the end have no weight.
    #[inline(always)]
    fn push<E: Element>(&mut self, x: &[E], weights: &[f64], group: usize) {
        self.x[self.len] = lanes_of(x, group, E::Lanes::ZERO).to_f64x4().to_array();
        self.weights[self.len] = lanes_of(weights, group, f64x4::ZERO).to_array();
        self.len += 1;
    }

    /// Merges each lane into the open chunk of its channel, in turns.
    #[inline(never)]
    fn merge_into(&mut self, channels: &mut [Chunked<Weighted>], first: usize) {
        let shift = self.heaviest();
        let (mut moments, squares) = self.moments(shift);
        for (lane, squares) in squares.to_array().into_iter().enumerate() {
            if self.left_range(squares, shift, lane) {
                moments.set_lane(lane, self.rescued(squares, shift, lane));
            }
        }
        let count = channels.len();
        for lane in 0..LANES {
            let chunk = &mut channels[(first + lane) % count].chunk;
            let moments = moments.lane(lane);
            *chunk = chunk.merge(Weighted { moments, total: Sum::new(moments.count) });
        }
    }

    /// The heaviest element of each lane, the first of those that weigh the same.
    fn heaviest(&self) -> f64x4 {
        let vectors = self.x[..self.len].iter().zip(&self.weights);
        let (_, heaviest) =
            vectors.fold((f64x4::ZERO, f64x4::ZERO), |(most, heaviest), (&x, &weight)| {
                let weight = f64x4::new(weight);
                (
                    weight.select_le(most, most, weight),
                    weight.select_le(most, heaviest, f64x4::new(x)),
                )
            });
        heaviest
    }

    /// The moments of the lanes, and Σw(x-μ)², infinite where Σw(x-k)² is.
    fn moments(&self, shift: f64x4) -> (Moments<f64x4>, f64x4) {
        let [weight, sum, around_shift] = self.sums(Sum::new(shift));
        let mean = Sum::new(shift).plus(sum / weight);
        let [_, rest, squares] = self.sums(mean);
        let lost = rest / weight;
        let m2 = Sum::new((squares - rest * lost).positive_part());
        let squares = around_shift.select_finite(squares, around_shift);
        (Moments { count: weight, mean: mean.plus(lost), m2 }, squares)
    }

    /// Σw, Σw(x-c) and Σw(x-c)², four at a time, so that no rounding is one of many.
    #[inline(never)]
    fn sums(&self, center: Sum<f64x4>) -> [f64x4; 3] {
        let zero = f64x4::ZERO;
        let mut total = [Sum::ZERO; 3];
        for (x, weights) in self.x[..self.len].chunks(4).zip(self.weights.chunks(4)) {
            let mut part = [zero; 3];
            for (&x, &weight) in x.iter().zip(weights) {
                let weight = f64x4::new(weight);
                let distance = Sum::new(f64x4::new(x)).distance(center);
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

    /// Whether the squares of a lane overflowed, or underflowed although some element differs.
    fn left_range(&self, squares: f64, shift: f64x4, lane: usize) -> bool {
        let shift = shift.to_array()[lane];
        squares == f64::INFINITY
            || squares < <f64 as Element>::FAINT
                && self.x[..self.len]
                    .iter()
                    .zip(&self.weights)
                    .any(|(x, weight)| weight[lane] > 0.0 && x[lane] != shift)
    }

    /// The same, of elements scaled by a power of two.
    #[cold]
    fn rescued(&mut self, squares: f64, shift: f64x4, lane: usize) -> Moments<f64> {
        let scale = <f64 as Element>::rescue_scale(squares);
        let kept = self.x;
        self.x.as_flattened_mut().iter_mut().for_each(|x| *x *= scale);
        let moments = self.moments(shift * f64x4::splat(scale)).0.lane(lane);
        self.x = kept;
        Moments {
            mean: moments.mean.map(|part| part / scale),
            m2: moments.m2.map(|part| part / scale / scale),
            ..moments
        }
    }
}
