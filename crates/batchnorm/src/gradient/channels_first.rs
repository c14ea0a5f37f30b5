//! Channels-first: one channel at a time, in the blocks of its moments.

use super::{
    ParameterGradients, Slope, SlopeMap, Sums, Total, TotalsTable, apply_weighted_each, careful,
};
use crate::affine::{Affine, Channel, Channels, Map};
use crate::lanes::{Element, LANES, Lanes, Real, across, magnitude};
use crate::moments::channels_first::gather;
use crate::piece::{Extent, Rows};
use crate::state::{Chunked, State};
use crate::view::{BLOCK_ELEMENTS, Blocking, GRADIENT_PARTS, TILE};
use core::cell::Cell;

/// The open sums of the channels of one outer.
pub struct Reduction<E> {
    channels: [Chunked<ParameterGradients<f64>>; TILE],
    gathered: [[E; BLOCK_ELEMENTS]; 2],
}

impl<E: Element> Reduction<E> {
    /// Of no elements.
    pub const EMPTY: Self =
        Self { channels: [Chunked::EMPTY; TILE], gathered: [[E::ZERO; BLOCK_ELEMENTS]; 2] };

    /// Forgets the elements of the first channels.
    pub fn clear(&mut self, channels: usize) {
        self.channels[..channels].fill(Chunked::EMPTY);
    }

    /// Pushes rows, cut where `blocking` allows.
    pub fn push<const RELU: bool>(
        &mut self,
        x: Rows<'_, E>,
        dy: Rows<'_, E>,
        extent: Extent,
        channels: Channels<'_>,
        blocking: Blocking,
    ) {
        let [x_buffer, dy_buffer] = &mut self.gathered;
        for (index, state) in self.channels[..extent.channels].iter_mut().enumerate() {
            let sums = ChannelSums::<E, RELU>::new(channels.get(index));
            let [x, dy] =
                [x, dy].map(|rows| move |row| rows.part(row, index * extent.inner, extent.inner));
            for first in (0..extent.rows).step_by(blocking.rows) {
                let count = blocking.rows.min(extent.rows - first);
                let mut push = |x, dy| {
                    let merged = state.chunk.merge(sums.of_block(x, dy));
                    state.set_chunk(merged, blocking.blocks);
                };
                if count > 1 {
                    let rows = first..first + count;
                    push(gather(x_buffer, rows.clone().map(x)), gather(dy_buffer, rows.map(dy)));
                } else {
                    let blocks = x(first).chunks(BLOCK_ELEMENTS);
                    for (x, dy) in blocks.zip(dy(first).chunks(BLOCK_ELEMENTS)) {
                        push(x, dy);
                    }
                }
            }
        }
    }

    /// The gradients of all that was pushed of a channel.
    pub fn finish(&mut self, channel: usize) -> ParameterGradients<f64> {
        self.channels[channel].finish()
    }
}

/// How the elements of one channel are summed.
struct ChannelSums<E, const RELU: bool> {
    channel: Channel<f64>,
    map: Map<E>,
}

impl<E: Element, const RELU: bool> ChannelSums<E, RELU> {
    fn new(channel: Channel<f64>) -> Self {
        Self { channel, map: Map::new(channel) }
    }

    fn of_block(&self, x: &[E], dy: &[E]) -> ParameterGradients<f64> {
        if let Map::Folded(affine) = &self.map {
            let sums = Self::sums(x, dy, affine);
            let lost = affine.center.to_f64() - self.channel.mean;
            let normal = sums.sum.value().is_finite() && sums.product.is_finite();
            let faint = magnitude(sums.product) < E::FAINT;
            let counts = |(&x, &dy): (&E, &E)| {
                x != affine.center && affine.mask(RELU, x - affine.center, dy) != E::ZERO
            };
            if normal && !(faint && x.iter().zip(dy).any(counts)) {
                return ParameterGradients::of_block(sums, self.channel.inverse_deviation, lost);
            }
        }
        let elements = x.iter().copied().zip(dy.iter().copied());
        careful(RELU, elements, &self.channel, &self.map)
    }

    /// Part by part, as in the moments.
    fn sums(x: &[E], dy: &[E], affine: &Affine<E>) -> Total<f64> {
        let [x, dy] = [x, dy].map(|block| block.chunks(BLOCK_ELEMENTS / GRADIENT_PARTS));
        let affine = affine.splat();
        x.zip(dy).fold(Total::ZERO, |done, (x, dy)| done.plus(Self::part_sums(x, dy, &affine)))
    }

    /// Trees of four vectors onto four accumulators in turn.
    fn part_sums(x: &[E], dy: &[E], affine: &Affine<E::Lanes>) -> Sums<f64> {
        let mut accumulators = [Sums::<E::Lanes>::ZERO; 4];
        let (x, x_rest) = x.as_chunks::<LANES>();
        let (dy, dy_rest) = dy.as_chunks::<LANES>();
        let (x_trees, x_singles) = x.as_chunks::<4>();
        let (dy_trees, dy_singles) = dy.as_chunks::<4>();
        for (x, dy) in x_trees.chunks(4).zip(dy_trees.chunks(4)) {
            for ((accumulator, x), dy) in accumulators.iter_mut().zip(x).zip(dy) {
                accumulator.push_four::<RELU>(x.map(E::Lanes::new), dy.map(E::Lanes::new), affine);
            }
        }
        for ((accumulator, &x), &dy) in accumulators.iter_mut().zip(x_singles).zip(dy_singles) {
            accumulator.push::<RELU>(E::Lanes::new(x), E::Lanes::new(dy), affine);
        }
        if !x_rest.is_empty() {
            let x = E::Lanes::from_part(x_rest, affine.center);
            accumulators[3].push::<RELU>(x, E::Lanes::from_part(dy_rest, E::Lanes::ZERO), affine);
        }
        let [a, b, c, d] = accumulators.map(|sums| [sums.sum.to_f64x4(), sums.product.to_f64x4()]);
        let total = |part: usize| across((a[part] + b[part]) + (c[part] + d[part]));
        Sums { sum: total(0), product: total(1) }
    }
}

/// dx = A·dy' + B·(x-c) + C. `dx` may be `x` or `dy`.
pub fn apply<E: Element, const RELU: bool, const FROZEN: bool>(
    rows: [Rows<'_, Cell<E>>; 3],
    extent: Extent,
    channels: Channels<'_>,
    totals: TotalsTable<'_>,
) {
    for channel in 0..extent.channels {
        let map =
            SlopeMap::new(channels.get(channel), totals.get(channels, channel), totals.frozen);
        for row in 0..extent.rows {
            let [x, dy, dx] = rows.map(|rows| rows.part(row, channel * extent.inner, extent.inner));
            match &map {
                SlopeMap::Folded(slope) => segment::<E, RELU, FROZEN>([x, dy, dx], slope),
                SlopeMap::Exact(_) => {
                    for ((x, dy), dx) in x.iter().zip(dy).zip(dx) {
                        dx.set(map.apply(RELU, FROZEN, x.get(), dy.get()));
                    }
                }
            }
        }
    }
}

/// dx = A·dy' + w·(B·(x-c) + C), 0 where w = 0. `dx` may be `x` or `dy`.
pub fn apply_weighted<E: Element>(
    rows: [Rows<'_, Cell<E>>; 3],
    weights: Rows<'_, Cell<f64>>,
    extent: Extent,
    channels: Channels<'_>,
    totals: TotalsTable<'_>,
) {
    for channel in 0..extent.channels {
        let map = SlopeMap::new(channels.get(channel), totals.get(channels, channel), false);
        for row in 0..extent.rows {
            let (start, len) = (channel * extent.inner, extent.inner);
            let run = rows.map(|rows| rows.part(row, start, len));
            let weights = weights.part(row, start, len);
            match &map {
                SlopeMap::Folded(slope) => super::apply_weighted(&[slope.splat()], run, weights),
                SlopeMap::Exact(_) => apply_weighted_each(&map, run, weights),
            }
        }
    }
}

fn segment<E: Element, const RELU: bool, const FROZEN: bool>(
    [x, dy, dx]: [&[Cell<E>]; 3],
    slope: &Slope<E>,
) {
    let lanes = slope.splat();
    let [(x, x_rest), (dy, dy_rest), (dx, dx_rest)] =
        [x, dy, dx].map(|row| row.as_chunks::<LANES>());
    for ((x, dy), dx) in x.iter().zip(dy).zip(dx) {
        lanes.apply(RELU, FROZEN, E::Lanes::load(x), E::Lanes::load(dy)).store(dx);
    }
    for ((x, dy), dx) in x_rest.iter().zip(dy_rest).zip(dx_rest) {
        dx.set(slope.apply(RELU, FROZEN, x.get(), dy.get()));
    }
}
