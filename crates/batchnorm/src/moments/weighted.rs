//! Weighted moments: W = Σw, μ = Σwx / W, m2 = Σw(x-μ)². An element of weight 0 is left out, NaN or
//! not. Source: `tf.nn.weighted_moments`.
//!
//! ```text
//! for each block, which is in cache the second time, in lanes of f64:
//!     k  = the mean so far                     (first block of a chunk: the first element that counts)
//!     μ  = k + Σw(x-k) / Σw
//!     m2 = Σw(x-μ)² - (Σw(x-μ))²/Σw
//! ```
//!
//! Departures from the unweighted reduction: weights may gather on a few elements, so neither the
//! shift of a block nor its sums in f32 could be trusted; f64 and two passes need no retake. Either
//! layout is lanes of a block here: channels, or elements of one channel that merge in the end.

use super::Moments;
use crate::lanes::{Element, LANES, Lanes, Real, lanes_of};
use crate::piece::{Extent, Rows};
use crate::state::{Chunked, LaneState, State, Sum};
use crate::view::{BLOCK_ELEMENTS, Blocking, TILE};
use wide::f64x4;

/// Vectors of the longest block.
const VECTORS: usize = BLOCK_ELEMENTS / LANES;

/// The open reduction of the channels of one outer.
pub struct Reduction {
    channels: [Chunked<Moments<f64>>; TILE],
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
        self.channels[channel].finish()
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
    fn merge_into(&mut self, channels: &mut [Chunked<Moments<f64>>], first: usize) {
        let count = channels.len();
        let channel = |lane| (first + lane) % count;
        // Backwards, so that the first element that counts is what stays.
        let vectors = self.x[..self.len].iter().zip(&self.weights).rev();
        let mut shift = vectors
            .fold(f64x4::ZERO, |first, (&x, &weight)| {
                f64x4::new(weight).select_le(f64x4::ZERO, first, f64x4::new(x))
            })
            .to_array();
        for (lane, shift) in shift.iter_mut().enumerate() {
            let chunk = &channels[channel(lane)].chunk;
            if !chunk.is_empty() {
                *shift = chunk.mean();
            }
        }
        let shift = f64x4::new(shift);
        let (mut moments, squares) = self.moments(shift);
        for (lane, squares) in squares.to_array().into_iter().enumerate() {
            if self.left_range(squares, shift, lane) {
                moments.set_lane(lane, self.rescued(squares, shift, lane));
            }
        }
        for lane in 0..LANES {
            let chunk = &mut channels[channel(lane)].chunk;
            *chunk = chunk.merge(moments.lane(lane));
        }
    }

    /// The moments of the lanes, and Σw(x-μ)².
    fn moments(&self, shift: f64x4) -> (Moments<f64x4>, f64x4) {
        let [weight, sum, _] = self.sums(shift);
        let mean = shift + sum / weight;
        let [_, rest, squares] = self.sums(mean);
        let lost = rest / weight;
        let m2 = Sum::new((squares - rest * lost).positive_part());
        (Moments { count: weight, mean: Sum::new(mean).plus(lost), m2 }, squares)
    }

    /// Σw, Σw(x-c) and Σw(x-c)², four at a time, so that no rounding is one of many.
    #[inline(never)]
    fn sums(&self, center: f64x4) -> [f64x4; 3] {
        let zero = f64x4::ZERO;
        let mut total = [Sum::ZERO; 3];
        for (x, weights) in self.x[..self.len].chunks(4).zip(self.weights.chunks(4)) {
            let mut part = [zero; 3];
            for (&x, &weight) in x.iter().zip(weights) {
                let weight = f64x4::new(weight);
                let distance = weight.select_le(zero, zero, f64x4::new(x) - center);
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
