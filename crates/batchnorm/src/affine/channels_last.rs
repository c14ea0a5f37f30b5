//! Channels-last: the coefficients lie in lanes, whole rows stream by.

use super::{Affine, Channels, Map, activate, add_residual, add_residual_each, fold};
use crate::lanes::{Element, LANES, Lanes, Real};
use crate::piece::{Extent, Rows};
use crate::state::GROUPS;
use crate::view::Blocking;
use core::cell::Cell;

/// The coefficients of the channels of one outer, a copy for each row that is read as one with its
/// neighbours.
pub struct Table<E: Element> {
    pub(crate) groups: [Affine<E::Lanes>; GROUPS],
    pub(crate) any_exact: bool,
}

impl<E: Element> Table<E> {
    /// To be filled.
    pub const EMPTY: Self = Self { groups: [Affine::ZERO; GROUPS], any_exact: false };

    /// Folds the channels.
    pub fn fill(&mut self, channels: Channels<'_>, blocking: Blocking) {
        let count = channels.mean.len();
        let lanes = count * blocking.copies;
        self.any_exact = false;
        for (group, affine) in self.groups[..lanes.div_ceil(LANES)].iter_mut().enumerate() {
            // The lanes beyond the last channel repeat some channel.
            let indices = [0, 1, 2, 3].map(|lane| (group * LANES + lane) % count);
            let (folded, exact) = fold(channels.gather(indices));
            *affine = folded;
            self.any_exact |= exact != 0;
        }
    }

    /// y = (x-c)·a + b, then ReLU if `RELU`. `x` and `y` may be the same.
    pub fn apply<const RELU: bool>(
        &self,
        [x, y]: [Rows<'_, Cell<E>>; 2],
        extent: Extent,
        channels: Channels<'_>,
        blocking: Blocking,
    ) {
        if self.any_exact {
            return apply_each([x, y], RELU, extent, channels);
        }
        let rows = [x, y].map(|rows| rows.from(0, blocking.copies));
        for (row, copies) in blocking.wide_rows(extent.rows) {
            let len = extent.channels * copies;
            self.apply_row::<RELU>(rows.map(|rows| rows.part(row, 0, len)));
        }
    }

    /// y = (x-c)·a + b + residual, then ReLU if there is one. Any of x, y and the residual may be the
    /// same.
    pub fn apply_residual(
        &self,
        rows: [Rows<'_, Cell<E>>; 3],
        extent: Extent,
        channels: Channels<'_>,
        blocking: Blocking,
        relu: bool,
    ) {
        if self.any_exact {
            for channel in 0..extent.channels {
                let map = Map::<E>::new(channels.get(channel));
                for row in 0..extent.rows {
                    add_residual_each(&map, rows.map(|rows| rows.part(row, channel, 1)), relu);
                }
            }
            return;
        }
        let rows = rows.map(|rows| rows.from(0, blocking.copies));
        for (row, copies) in blocking.wide_rows(extent.rows) {
            let len = extent.channels * copies;
            let coefficients = &self.groups[..len.div_ceil(LANES)];
            add_residual(coefficients, rows.map(|rows| rows.part(row, 0, len)), relu);
        }
    }

    #[inline(always)]
    fn apply_row<const RELU: bool>(&self, [x, y]: [&[Cell<E>]; 2]) {
        let [(x, x_rest), (y, y_rest)] = [x, y].map(|row| row.as_chunks::<LANES>());
        for ((x, y), affine) in x.iter().zip(y).zip(&self.groups) {
            activate(RELU, affine.apply(E::Lanes::load(x))).store(y);
        }
        if !x_rest.is_empty() {
            let x_rest = E::Lanes::load_part(x_rest, E::Lanes::ZERO);
            activate(RELU, self.groups[x.len()].apply(x_rest)).store(y_rest);
        }
    }
}

/// Element by element, each channel by the path it needs.
#[cold]
#[inline(never)]
fn apply_each<E: Element>(
    rows: [Rows<'_, Cell<E>>; 2],
    relu: bool,
    extent: Extent,
    channels: Channels<'_>,
) {
    for channel in 0..extent.channels {
        let map = Map::<E>::new(channels.get(channel));
        for row in 0..extent.rows {
            let [x, y] = rows.map(|rows| &rows.part(row, channel, 1)[0]);
            y.set(activate(relu, map.apply(x.get())));
        }
    }
}
