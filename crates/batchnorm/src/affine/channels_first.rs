//! Channels-first: one channel at a time, segment by segment.

use super::{Affine, Channels, Map, activate, add_residual, add_residual_each};
use crate::lanes::{Element, LANES, Lanes};
use crate::piece::{Extent, Rows};
use core::cell::Cell;

/// y = (x-c)·a + b, then ReLU if `RELU`. `x` and `y` may be the same.
pub fn apply<E: Element, const RELU: bool>(
    rows: [Rows<'_, Cell<E>>; 2],
    extent: Extent,
    channels: Channels<'_>,
) {
    for channel in 0..extent.channels {
        let map = Map::<E>::new(channels.get(channel));
        for row in 0..extent.rows {
            let [x, y] = rows.map(|rows| rows.part(row, channel * extent.inner, extent.inner));
            match map {
                Map::Folded(affine) => segment::<E, RELU>([x, y], affine),
                Map::Exact(_) => {
                    for (x, y) in x.iter().zip(y) {
                        y.set(activate(RELU, map.apply(x.get())));
                    }
                }
            }
        }
    }
}

/// y = (x-c)·a + b + residual, then ReLU if there is one. Any of x, y and the residual may be the same.
pub fn apply_residual<E: Element>(
    rows: [Rows<'_, Cell<E>>; 3],
    extent: Extent,
    channels: Channels<'_>,
    relu: bool,
) {
    for channel in 0..extent.channels {
        let map = Map::<E>::new(channels.get(channel));
        for row in 0..extent.rows {
            let run = rows.map(|rows| rows.part(row, channel * extent.inner, extent.inner));
            match map {
                Map::Folded(affine) => add_residual(&[affine.splat()], run, relu),
                Map::Exact(_) => add_residual_each(&map, run, relu),
            }
        }
    }
}

fn segment<E: Element, const RELU: bool>([x, y]: [&[Cell<E>]; 2], affine: Affine<E>) {
    let lanes = affine.splat();
    let [(x, x_rest), (y, y_rest)] = [x, y].map(|row| row.as_chunks::<LANES>());
    for (x, y) in x.iter().zip(y) {
        activate(RELU, lanes.apply(E::Lanes::load(x))).store(y);
    }
    for (x, y) in x_rest.iter().zip(y_rest) {
        y.set(activate(RELU, affine.apply(x.get())));
    }
}
