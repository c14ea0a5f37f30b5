//! Channels-last: channels lie in lanes, whole rows stream by, four at a time.

use super::{
    ParameterGradients, Slope, SlopeMap, Sums, Total, TotalsTable, apply_weighted,
    apply_weighted_each, careful, fold, widen,
};
use crate::affine::{self, Affine, Channels, Map};
use crate::lanes::{Element, LANES, Lanes, Real, lanes_of, magnitude, not_finite};
use crate::piece::{Extent, Rows};
use crate::state::{ChunkedLanes, GROUPS, LaneState, State};
use crate::view::{Blocking, GRADIENT_PARTS, cut_block};
use core::cell::Cell;
use wide::f64x4;

/// The open sums of the channels of one outer.
pub struct Reduction<E: Element> {
    groups: [Group<E::Lanes>; GROUPS],
    /// Of the open part of a block.
    sums: [Sums<E::Lanes>; GROUPS],
    /// Of its parts that are done.
    done: [Total<f64x4>; GROUPS],
    state: ChunkedLanes<ParameterGradients<f64x4>>,
}

/// What the sums need of four lanes.
#[derive(Clone, Copy)]
struct Group<V> {
    affine: Affine<V>,
    /// r.
    inverse_deviation: f64x4,
    /// c-μ.
    lost: f64x4,
    /// Lanes that are always summed in f64.
    exact: u32,
}

impl<E: Element> Reduction<E> {
    /// Of no elements.
    pub const EMPTY: Self = Self {
        groups: [Group {
            affine: Affine::ZERO,
            inverse_deviation: f64x4::ZERO,
            lost: f64x4::ZERO,
            exact: 0,
        }; GROUPS],
        sums: [Sums::ZERO; GROUPS],
        done: [Total::ZERO; GROUPS],
        state: ChunkedLanes::EMPTY,
    };

    /// Forgets all elements; from now on the sums are those of these channels.
    pub fn clear(&mut self, channels: Channels<'_>, blocking: Blocking) {
        let count = channels.mean.len();
        let groups = (count * blocking.copies).div_ceil(LANES);
        for (index, group) in self.groups[..groups].iter_mut().enumerate() {
            // The lanes beyond the last channel repeat some channel.
            let channel = channels.gather([0, 1, 2, 3].map(|lane| (index * LANES + lane) % count));
            let (affine, exact) = affine::fold::<E::Lanes>(channel);
            let inverse_deviation = channel.inverse_deviation;
            let lost = affine.center.to_f64x4() - channel.mean;
            *group = Group { affine, inverse_deviation, lost, exact };
        }
        self.state.clear(count, blocking);
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
        for (first, whole, left) in blocking.cut(extent.rows) {
            let mut push = |first, copies, count| {
                let [x, dy] = [x, dy].map(|rows| rows.from(first, copies));
                let lanes = extent.channels * copies;
                self.push_block::<RELU>(Block { x, dy, count, lanes }, channels);
            };
            if whole > 0 {
                push(first, blocking.copies, whole);
            }
            if left > 0 {
                push(first + whole * blocking.copies, left, 1);
            }
            self.state.count_block(extent.channels, blocking);
        }
    }

    /// The gradients of all that was pushed.
    pub fn finish(&mut self, channels: usize, blocking: Blocking) -> &[ParameterGradients<f64>] {
        self.state.finish(channels, blocking)
    }

    fn push_block<const RELU: bool>(&mut self, block: Block<'_, E>, channels: Channels<'_>) {
        let whole = block.lanes / LANES;
        let groups = block.lanes.div_ceil(LANES);
        self.done[..groups].fill(Total::ZERO);
        for (fours, singles) in cut_block::<GRADIENT_PARTS>(block.count) {
            self.sums[..whole].fill(Sums::ZERO);
            for index in fours {
                let next = [0, 1, 2, 3].map(|next| index + next);
                let [xa, xb, xc, xd] = next.map(|index| block.x(index).as_chunks::<LANES>().0);
                let [ga, gb, gc, gd] = next.map(|index| block.dy(index).as_chunks::<LANES>().0);
                let x_rows = xa.iter().zip(xb).zip(xc).zip(xd);
                let dy_rows = ga.iter().zip(gb).zip(gc).zip(gd);
                let groups = self.sums[..whole].iter_mut().zip(&self.groups);
                for (((sums, group), (((xa, xb), xc), xd)), (((ga, gb), gc), gd)) in
                    groups.zip(x_rows).zip(dy_rows)
                {
                    let x = [xa, xb, xc, xd].map(|&x| E::Lanes::new(x));
                    let dy = [ga, gb, gc, gd].map(|&dy| E::Lanes::new(dy));
                    sums.push_four::<RELU>(x, dy, &group.affine);
                }
            }
            for index in singles {
                let x = block.x(index).as_chunks::<LANES>().0;
                let dy = block.dy(index).as_chunks::<LANES>().0;
                let groups = self.sums[..whole].iter_mut().zip(&self.groups);
                for ((sums, group), (&x, &dy)) in groups.zip(x.iter().zip(dy)) {
                    sums.push::<RELU>(E::Lanes::new(x), E::Lanes::new(dy), &group.affine);
                }
            }
            for (done, &sums) in self.done.iter_mut().zip(&self.sums[..whole]) {
                *done = done.plus(widen(sums));
            }
        }
        if whole < groups {
            self.done[whole] = block.last_group::<RELU>(whole, &self.groups[whole].affine);
        }
        for group in 0..groups {
            self.close_block(RELU, group, block, channels);
        }
    }

    /// Merges the block of a group into its chunk; lanes whose sums left the normal range, or whose
    /// channel did, are summed again in f64.
    #[inline(never)]
    fn close_block(
        &mut self,
        relu: bool,
        group: usize,
        block: Block<'_, E>,
        channels: Channels<'_>,
    ) {
        let Group { affine, inverse_deviation, lost, exact } = self.groups[group];
        let sums = self.done[group];
        let chunk = self.state.chunk[group];
        let mut merged = chunk.merge(ParameterGradients::of_block(sums, inverse_deviation, lost));

        let mut ask = exact | not_finite(sums.sum.value()) | not_finite(sums.product);
        let faint = magnitude(sums.product).simd_lt(f64x4::splat(E::FAINT)).to_bitmask();
        if faint != 0 {
            ask |= faint & block.counting(relu, group, &affine);
        }
        let active = LANES.min(block.lanes - group * LANES);
        for lane in (0..active).filter(|lane| ask >> lane & 1 == 1) {
            let index = group * LANES + lane;
            let channel = channels.get(index % channels.mean.len());
            let elements = (0..block.count).map(|row| (block.x(row)[index], block.dy(row)[index]));
            let again = careful(relu, elements, &channel, &Map::new(channel));
            merged.set_lane(lane, chunk.lane(lane).merge(again));
        }
        // Beyond the block's last lane nothing was added, but of an infinite center that is NaN.
        for lane in active..LANES {
            merged.set_lane(lane, chunk.lane(lane));
        }
        self.state.chunk[group] = merged;
    }
}

/// The rows of a block.
#[derive(Clone, Copy)]
struct Block<'a, E> {
    x: Rows<'a, E>,
    dy: Rows<'a, E>,
    count: usize,
    lanes: usize,
}

impl<'a, E: Element> Block<'a, E> {
    #[inline(always)]
    fn x(&self, row: usize) -> &'a [E] {
        self.x.part(row, 0, self.lanes)
    }

    #[inline(always)]
    fn dy(&self, row: usize) -> &'a [E] {
        self.dy.part(row, 0, self.lanes)
    }

    /// The sums of the last group, where it is not whole.
    fn last_group<const RELU: bool>(
        &self,
        group: usize,
        affine: &Affine<E::Lanes>,
    ) -> Total<f64x4> {
        let x = |index| lanes_of(self.x(index), group, affine.center);
        let dy = |index| lanes_of(self.dy(index), group, E::Lanes::ZERO);
        cut_block::<GRADIENT_PARTS>(self.count).fold(Total::ZERO, |done, (fours, singles)| {
            let mut sums = Sums::ZERO;
            for index in fours {
                let four = [index, index + 1, index + 2, index + 3];
                sums.push_four::<RELU>(four.map(x), four.map(dy), affine);
            }
            for index in singles {
                sums.push::<RELU>(x(index), dy(index), affine);
            }
            done.plus(widen(sums))
        })
    }

    /// A bit for each lane of a group in which some element adds to the product.
    fn counting(&self, relu: bool, group: usize, affine: &Affine<E::Lanes>) -> u32 {
        (0..self.count).fold(0, |bits, index| {
            let x = lanes_of(self.x(index), group, affine.center);
            let dy = lanes_of(self.dy(index), group, E::Lanes::ZERO);
            let dy = affine.mask(relu, x - affine.center, dy);
            bits | x.differs(affine.center) & dy.differs(E::Lanes::ZERO)
        })
    }
}

/// The coefficients of dx.
pub struct Table<E: Element> {
    groups: [Slope<E::Lanes>; GROUPS],
    any_exact: bool,
}

impl<E: Element> Table<E> {
    /// To be filled.
    pub const EMPTY: Self = Self { groups: [Slope::ZERO; GROUPS], any_exact: false };

    /// Folds the channels.
    pub fn fill(&mut self, channels: Channels<'_>, totals: TotalsTable<'_>, blocking: Blocking) {
        let count = channels.mean.len();
        self.any_exact = false;
        let groups = (count * blocking.copies).div_ceil(LANES);
        for (group, slope) in self.groups[..groups].iter_mut().enumerate() {
            let indices = [0, 1, 2, 3].map(|lane| (group * LANES + lane) % count);
            let (folded, exact) =
                fold(channels.gather(indices), totals.gather(channels, indices), totals.frozen);
            *slope = folded;
            self.any_exact |= exact != 0;
        }
    }

    /// dx = A·dy' + B·(x-c) + C. `dx` may be `x` or `dy`.
    pub fn apply<const RELU: bool, const FROZEN: bool>(
        &self,
        [x, dy, dx]: [Rows<'_, Cell<E>>; 3],
        extent: Extent,
        channels: Channels<'_>,
        totals: TotalsTable<'_>,
        blocking: Blocking,
    ) {
        if self.any_exact {
            return apply_each([x, dy, dx], RELU, extent, channels, totals);
        }
        let rows = [x, dy, dx].map(|rows| rows.from(0, blocking.copies));
        for (row, copies) in blocking.wide_rows(extent.rows) {
            let len = extent.channels * copies;
            self.apply_row::<RELU, FROZEN>(rows.map(|rows| rows.part(row, 0, len)));
        }
    }

    /// dx = A·dy' + w·(B·(x-c) + C), 0 where w = 0. `dx` may be `x` or `dy`.
    pub fn apply_weighted(
        &self,
        rows: [Rows<'_, Cell<E>>; 3],
        weights: Rows<'_, Cell<f64>>,
        extent: Extent,
        channels: Channels<'_>,
        totals: TotalsTable<'_>,
        blocking: Blocking,
    ) {
        if self.any_exact {
            for channel in 0..extent.channels {
                let map =
                    SlopeMap::new(channels.get(channel), totals.get(channels, channel), false);
                for row in 0..extent.rows {
                    let run = rows.map(|rows| rows.part(row, channel, 1));
                    apply_weighted_each(&map, run, weights.part(row, channel, 1));
                }
            }
            return;
        }
        let rows = rows.map(|rows| rows.from(0, blocking.copies));
        let weights = weights.from(0, blocking.copies);
        for (row, copies) in blocking.wide_rows(extent.rows) {
            let len = extent.channels * copies;
            let run = rows.map(|rows| rows.part(row, 0, len));
            apply_weighted(&self.groups[..len.div_ceil(LANES)], run, weights.part(row, 0, len));
        }
    }

    #[inline(always)]
    fn apply_row<const RELU: bool, const FROZEN: bool>(&self, [x, dy, dx]: [&[Cell<E>]; 3]) {
        let [(x, x_rest), (dy, dy_rest), (dx, dx_rest)] =
            [x, dy, dx].map(|row| row.as_chunks::<LANES>());
        for (((x, dy), dx), slope) in x.iter().zip(dy).zip(dx).zip(&self.groups) {
            slope.apply(RELU, FROZEN, E::Lanes::load(x), E::Lanes::load(dy)).store(dx);
        }
        if !x_rest.is_empty() {
            let [x_rest, dy_rest] =
                [x_rest, dy_rest].map(|rest| E::Lanes::load_part(rest, E::Lanes::ZERO));
            self.groups[x.len()].apply(RELU, FROZEN, x_rest, dy_rest).store(dx_rest);
        }
    }
}

/// Element by element, each channel by the path it needs.
#[cold]
#[inline(never)]
fn apply_each<E: Element>(
    rows: [Rows<'_, Cell<E>>; 3],
    relu: bool,
    extent: Extent,
    channels: Channels<'_>,
    totals: TotalsTable<'_>,
) {
    for channel in 0..extent.channels {
        let map =
            SlopeMap::new(channels.get(channel), totals.get(channels, channel), totals.frozen);
        for row in 0..extent.rows {
            let [x, dy, dx] = rows.map(|rows| &rows.part(row, channel, 1)[0]);
            dx.set(map.apply(relu, totals.frozen, x.get(), dy.get()));
        }
    }
}
