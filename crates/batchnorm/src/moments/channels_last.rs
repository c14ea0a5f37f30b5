//! Channels-last: channels lie in lanes, whole rows stream by, four at a time.

use super::{Moments, Sums, first_shift, settle, widen};
use crate::lanes::{Element, LANES, Lanes, Real, lanes_of};
use crate::piece::{Extent, Rows};
use crate::state::{ChunkedLanes, GROUPS, LaneState, State};
use crate::view::{Blocking, MOMENTS_PARTS, cut_block};
use wide::f64x4;

/// The open reduction of the channels of one outer.
pub struct Reduction<E: Element> {
    /// Of the open block.
    block: [Block<E::Lanes>; GROUPS],
    /// Of its parts that are done.
    done: [Sums<f64x4>; GROUPS],
    state: ChunkedLanes<Moments<f64x4>>,
}

#[derive(Clone, Copy)]
struct Block<V> {
    shift: V,
    /// Of the open part.
    sums: Sums<V>,
}

impl<E: Element> Reduction<E> {
    /// Of no elements.
    pub const EMPTY: Self = Self {
        block: [Block { shift: E::Lanes::ZERO, sums: Sums::ZERO }; GROUPS],
        done: [Sums::ZERO; GROUPS],
        state: ChunkedLanes::EMPTY,
    };

    /// Forgets the elements of the first channels.
    pub fn clear(&mut self, channels: usize, blocking: Blocking) {
        self.state.clear(channels, blocking);
    }

    /// Pushes rows, cut where `blocking` allows.
    pub fn push(&mut self, rows: Rows<'_, E>, extent: Extent, blocking: Blocking) {
        for (first, whole, left) in blocking.cut(extent.rows) {
            if whole > 0 {
                let rows = rows.from(first, blocking.copies);
                self.push_block(rows, whole, extent.channels * blocking.copies);
            }
            if left > 0 {
                let rows = rows.from(first + whole * blocking.copies, 1);
                self.push_block(rows, 1, extent.channels * left);
            }
            self.state.count_block(extent.channels, blocking);
        }
    }

    /// The moments of all that was pushed.
    pub fn finish(&mut self, channels: usize, blocking: Blocking) -> &[Moments<f64>] {
        self.state.finish(channels, blocking)
    }

    fn push_block(&mut self, rows: Rows<'_, E>, count: usize, lanes: usize) {
        let row = |index| rows.part(index, 0, lanes);
        let groups = lanes.div_ceil(LANES);
        for group in 0..groups {
            let shift = first_lanes(&self.state.chunk[group], row, count, group);
            self.block[group] = Block { shift, sums: Sums::ZERO };
            self.done[group] = Sums::ZERO;
        }
        for (fours, singles) in cut_block::<MOMENTS_PARTS>(count) {
            let (whole, part) = self.block[..groups].split_at_mut(lanes / LANES);
            for index in fours {
                let [(a, a_rest), (b, b_rest), (c, c_rest), (d, d_rest)] =
                    [0, 1, 2, 3].map(|next| row(index + next).as_chunks::<LANES>());
                for ((((block, &a), &b), &c), &d) in whole.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    block.sums.push_four([a, b, c, d].map(E::Lanes::new), block.shift);
                }
                for block in part.iter_mut() {
                    let four = [a_rest, b_rest, c_rest, d_rest];
                    let four = four.map(|rest| E::Lanes::from_part(rest, block.shift));
                    block.sums.push_four(four, block.shift);
                }
            }
            for index in singles {
                let (x, rest) = row(index).as_chunks::<LANES>();
                for (block, &x) in whole.iter_mut().zip(x) {
                    block.sums.push(E::Lanes::new(x), block.shift);
                }
                for block in part.iter_mut() {
                    block.sums.push(E::Lanes::from_part(rest, block.shift), block.shift);
                }
            }
            for (done, block) in self.done.iter_mut().zip(&mut self.block[..groups]) {
                *done = done.plus(widen(block.sums));
                block.sums = Sums::ZERO;
            }
        }
        for group in 0..groups {
            self.close_block(group, row, count, lanes);
        }
    }

    /// Merges the block of a group into its chunk. Lanes whose shift was poor or whose squares left
    /// the normal range are settled one by one; the others keep what they have.
    fn close_block<'a>(
        &mut self,
        group: usize,
        row: impl Fn(usize) -> &'a [E] + Copy,
        count: usize,
        lanes: usize,
    ) where
        E: 'a,
    {
        let (shift, sums) = (self.block[group].shift, self.done[group]);
        let chunk = self.state.chunk[group];
        let lane_count = f64x4::splat(count as f64);
        let block = Moments::of_block(lane_count, shift.to_f64x4(), sums);
        let mut merged = chunk.merge(block);

        let poor = sums.excess(lane_count).simd_gt(merged.m2.value());
        let overflow = sums.squares.simd_eq(f64x4::splat(f64::INFINITY));
        let faint = sums.squares.simd_lt(f64x4::splat(E::FAINT)).to_bitmask();
        let mut ask = (poor | overflow).to_bitmask();
        if faint != 0 {
            let x = |index| lanes_of(row(index), group, shift);
            ask |= faint & (0..count).fold(0, |bits, index| bits | x(index).differs(shift));
        }
        let active = LANES.min(lanes - group * LANES);
        // Beyond the block's last lane: none, or a copy of a channel that has rows in other blocks.
        for lane in active..LANES {
            merged.set_lane(lane, chunk.lane(lane));
        }
        for lane in (0..active).filter(|lane| ask >> lane & 1 == 1) {
            let retake = |shift| sum_group(row, count, group, E::Lanes::splat(shift)).lane(lane);
            let elements = (0..count).map(|index| row(index)[group * LANES + lane]);
            let shift = shift.to_array()[lane];
            let chunk = chunk.lane(lane);
            let settled = settle(chunk, count as f64, shift, sums.lane(lane), retake, elements);
            merged.set_lane(lane, settled);
        }
        self.state.chunk[group] = merged;
    }
}

/// The shifts of a block: the mean so far; at the start of a chunk that of the first rows.
fn first_lanes<'a, E: Element + 'a>(
    chunk: &Moments<f64x4>,
    row: impl Fn(usize) -> &'a [E],
    count: usize,
    group: usize,
) -> E::Lanes {
    let so_far = E::Lanes::from_f64x4(chunk.mean());
    let begun = chunk.count.to_array().map(|count| count > 0.0);
    if begun == [true; LANES] {
        return so_far;
    }
    let one = E::Lanes::splat(E::from_f64(1.0));
    let fresh = first_shift(count, one, |index| lanes_of(row(index), group, E::Lanes::ZERO));
    let (so_far, fresh) = (so_far.to_array(), fresh.to_array());
    E::Lanes::new([0, 1, 2, 3].map(|lane| if begun[lane] { so_far[lane] } else { fresh[lane] }))
}

/// The sums of one group, in the very order of `push_block`.
fn sum_group<'a, E: Element + 'a>(
    row: impl Fn(usize) -> &'a [E],
    count: usize,
    group: usize,
    shift: E::Lanes,
) -> Sums<f64x4> {
    let x = |index| lanes_of(row(index), group, shift);
    cut_block::<MOMENTS_PARTS>(count).fold(Sums::ZERO, |done, (fours, singles)| {
        let mut sums = Sums::ZERO;
        for index in fours {
            sums.push_four([x(index), x(index + 1), x(index + 2), x(index + 3)], shift);
        }
        for index in singles {
            sums.push(x(index), shift);
        }
        done.plus(widen(sums))
    })
}
