//! The gradient of γ and β: two sums per channel.
//!
//! ```text
//! with c, a, b of the forward's map (see `affine`), and dy' = 0 where its ReLU was 0, else dy:
//!     S = Σdy'      P = Σdy'·(x-c)             in lanes of the element type, block by block
//!     dβ += S       dγ += r·(P + (c-μ)·S)                              in f64
//! ```
//!
//! The sign of the forward's result is computed again from x with the same operations, hence the same
//! bits; no mask is kept. A block whose sums overflow, or underflow, is summed again in f64
//! ([`Reduction::careful`]). Only the sums ([`crate::sums`]) depend on the element type and on the layout.

use crate::affine::{Channel, Channels, fold_lanes, product};
use crate::block::{self, Block, blocks};
use crate::lanes::{PAIR, Real, magnitude};
use crate::piece::Extent;
use crate::state::{Chunked, GROUPS, Numbers, State, Sum};
use crate::sums::{Coefficients, Source, Sums, Totals};
use crate::view::Blocking;
use wide::f64x2;

/// dβ and dγ.
#[derive(Clone, Copy, Debug)]
pub struct ParameterGradients {
    dbeta: Sum<f64x2>,
    dgamma: Sum<f64x2>,
}

impl State for ParameterGradients {
    fn merge(self, other: Self) -> Self {
        Self { dbeta: self.dbeta.merge(other.dbeta), dgamma: self.dgamma.merge(other.dgamma) }
    }

    #[inline(always)]
    fn read(&[dbeta, dbeta_low, dgamma, dgamma_low, ..]: &Numbers) -> Self {
        Self { dbeta: Sum::read(dbeta, dbeta_low), dgamma: Sum::read(dgamma, dgamma_low) }
    }

    #[inline(always)]
    fn write(&self, into: &mut Numbers) {
        [into[0], into[1]] = self.dbeta.numbers();
        [into[2], into[3]] = self.dgamma.numbers();
    }
}

impl ParameterGradients {
    const EMPTY: Self = Self { dbeta: Sum::ZERO, dgamma: Sum::ZERO };

    fn zip(&self, other: &Self, number: impl Fn(f64x2, f64x2) -> f64x2) -> Self {
        Self {
            dbeta: self.dbeta.zip(other.dbeta, &number),
            dgamma: self.dgamma.zip(other.dgamma, &number),
        }
    }

    /// (dβ, dγ).
    pub fn finish(&self) -> (f64x2, f64x2) {
        (self.dbeta.value(), self.dgamma.value())
    }
}

/// What the sums need of two lanes.
#[derive(Clone, Copy)]
struct Group {
    channel: Channel<f64x2>,
    /// c-μ.
    lost: f64x2,
    /// Lanes that are always summed in f64, as a mask.
    exact: f64x2,
}

/// The open sums of the channels of one outer.
pub struct Reduction {
    groups: [Group; GROUPS],
    maps: [Coefficients<f64x2>; GROUPS],
    sums: [Totals; GROUPS],
    state: Chunked,
}

impl Reduction {
    /// Of no elements.
    pub const EMPTY: Self = Self {
        groups: [Group { channel: Channel::ZERO, lost: f64x2::ZERO, exact: f64x2::ZERO }; GROUPS],
        maps: [Coefficients::ZERO; GROUPS],
        sums: [Totals::EMPTY; GROUPS],
        state: Chunked::EMPTY,
    };

    /// Forgets all elements; from now on the sums are those of these channels.
    pub fn clear(&mut self, source: &mut dyn Source, channels: Channels<'_>, blocking: Blocking) {
        let count = channels.mean.len();
        let groups = (count * blocking.copies).div_ceil(PAIR);
        for (index, (group, map)) in
            self.groups.iter_mut().zip(&mut self.maps).take(groups).enumerate()
        {
            // The lanes beyond the last channel repeat some channel.
            let channel = channels.gather([0, 1].map(|lane| (index * PAIR + lane) % count));
            let (affine, exact) = fold_lanes(source.format(), &channel);
            let lost = affine.center - channel.mean;
            let lanes = [0, 1].map(|lane| f64::from(exact >> lane & 1));
            *group = Group { channel, lost, exact: f64x2::new(lanes).simd_gt(f64x2::ZERO) };
            *map = Coefficients { center: affine.center, gate: [affine.scale, affine.shift] };
        }
        source.set(0, &self.maps[..groups]);
        self.state.clear(count, blocking);
    }

    /// Pushes a piece of one outer, cut where `blocking` allows.
    pub fn push(
        &mut self,
        source: &mut dyn Source,
        extent: Extent,
        blocking: Blocking,
        elements: &mut block::Group,
    ) {
        blocks(extent, blocking, &mut |block, is_complete| {
            let groups = block.groups();
            source.sum(block, 0..groups, &mut self.sums);
            for group in 0..groups {
                self.close_block(source, block, group, elements);
            }
            self.state.end_block::<ParameterGradients>(is_complete, extent.channels, blocking);
        });
    }

    /// The [`ParameterGradients`] of all that was pushed.
    pub fn finish(&mut self, channels: usize, blocking: Blocking) -> &[Numbers] {
        self.state.finish::<ParameterGradients>(channels, blocking)
    }

    /// Merges the block of a group into its chunk; lanes whose sums left the normal range, or whose
    /// channel did, are summed again in f64.
    fn close_block(
        &mut self,
        source: &dyn Source,
        block: &Block,
        group: usize,
        elements: &mut block::Group,
    ) {
        let Group { channel, lost, exact } = &self.groups[group];
        let Sums { sum, product } = self.sums[group];
        let (dbeta, product) = (sum.value(), product.value());
        let dgamma = Sum::new(channel.inverse_deviation * (product + *lost * dbeta));
        let mut gradients = ParameterGradients { dbeta: sum, dgamma };

        let zero = f64x2::ZERO;
        let finite = (dbeta * zero + product * zero).simd_eq(zero);
        let faint = magnitude(product).simd_lt(f64x2::splat(source.format().faint));
        let odd = *exact | faint | !finite;
        if odd.any() || block.lanes_of(group) < PAIR {
            gradients = self.settle(source, block, group, elements, (gradients, !finite, faint));
        }
        let merged = ParameterGradients::read(self.state.get(group)).merge(gradients);
        self.state.set(group, &merged);
    }

    /// The gradients of a block; lanes whose sums left the normal range, or whose channel did, are summed
    /// again in f64.
    #[cold]
    #[inline(never)]
    fn settle(
        &self,
        source: &dyn Source,
        block: &Block,
        group: usize,
        elements: &mut block::Group,
        (mut gradients, infinite, faint): (ParameterGradients, f64x2, f64x2),
    ) -> ParameterGradients {
        let (zero, active) = (f64x2::ZERO, block.active(group));
        let faint = active & faint;
        let mut ask = active & (self.groups[group].exact | infinite);
        if faint.any() {
            // What a ReLU masked, and constants, add nothing, and lost nothing.
            let center = self.maps[group].center;
            let mut counts = zero;
            self.each(source, block, group, elements, &mut |x, dy| {
                counts |= x.simd_ne(center) & dy.simd_ne(zero);
            });
            ask |= faint & counts;
        }
        if ask.any() {
            let careful = self.careful(source, block, group, elements);
            gradients = gradients.zip(&careful, |rough, fine| ask.select(fine, rough));
        }
        // Beyond the last lane nothing was added, but of an infinite center that is NaN.
        ParameterGradients::EMPTY.zip(&gradients, |none, all| active.select(all, none))
    }

    /// The same sums in f64, with (x-μ)·r in place of x-c, so that they overflow only where dγ does.
    #[cold]
    fn careful(
        &self,
        source: &dyn Source,
        block: &Block,
        group: usize,
        elements: &mut block::Group,
    ) -> ParameterGradients {
        let channel = self.groups[group].channel;
        let quarter = f64x2::splat(0.25);
        let mut gradients = ParameterGradients::EMPTY;
        self.each(source, block, group, elements, &mut |x, dy| {
            let distance = x * quarter - channel.mean * quarter;
            let term = f64x2::new([0, 1].map(|lane| {
                let [dy, distance, inverse_deviation] =
                    [dy, distance, channel.inverse_deviation].map(|lanes| lanes.to_array()[lane]);
                product(dy, distance, inverse_deviation) * 4.0
            }));
            gradients.dbeta = gradients.dbeta.plus(dy);
            gradients.dgamma = gradients.dgamma.plus(term);
        });
        gradients
    }

    /// x and dy' of each element of a group.
    fn each(
        &self,
        source: &dyn Source,
        block: &Block,
        group: usize,
        elements: &mut block::Group,
        run: &mut dyn FnMut(f64x2, f64x2),
    ) {
        let Group { channel, exact, .. } = self.groups[group];
        let Coefficients { center, gate: [scale, shift] } = self.maps[group];
        let round = |values| source.format().round(values);
        elements.each(source.elements(), block, group, &mut |part| {
            for [x, mut dy] in part.lanes() {
                if source.is_masked() {
                    let folded = round(round(round(x - center) * scale) + shift);
                    let exactly = |lane| channel.lane(lane).exact(x.to_array()[lane]);
                    let exactly = f64x2::new([0, 1].map(exactly));
                    let y = exact.select(round(exactly), folded);
                    dy = y.select_le(f64x2::ZERO, f64x2::ZERO, dy);
                }
                run(x, dy);
            }
        });
    }
}
