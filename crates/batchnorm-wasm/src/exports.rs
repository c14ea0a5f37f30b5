//! Moments, the affine map and the two passes of the gradient, for f32 and f64, on one piece.
//!
//! `begin` says that the piece is the first of its channels, `end` that it is the last; a piece of
//! more than one outer is both.

use crate::call::{Call, ChannelTable};
use crate::memory::{CALL, CHANNELS, Place};
use batchnorm::lanes::Element;
use batchnorm::{affine, gradient, moments};
use wasm_bindgen::prelude::wasm_bindgen;

/// The open work of one element type.
struct Workspace<E: Element> {
    moments_first: moments::channels_first::Reduction<E>,
    moments_last: moments::channels_last::Reduction<E>,
    affine_last: affine::channels_last::Table<E>,
    gradient_first: gradient::channels_first::Reduction<E>,
    gradient_last: gradient::channels_last::Reduction<E>,
    slope_last: gradient::channels_last::Table<E>,
}

impl<E: Element> Workspace<E> {
    const EMPTY: Self = Self {
        moments_first: moments::channels_first::Reduction::EMPTY,
        moments_last: moments::channels_last::Reduction::EMPTY,
        affine_last: affine::channels_last::Table::EMPTY,
        gradient_first: gradient::channels_first::Reduction::EMPTY,
        gradient_last: gradient::channels_last::Reduction::EMPTY,
        slope_last: gradient::channels_last::Table::EMPTY,
    };

    /// Mean, variance and count of array 0.
    fn moments(&mut self, call: &Call, table: &mut ChannelTable, begin: bool, end: bool) {
        let (extent, blocking, x) = (call.extent(), call.blocking(), call.read::<E>(0));
        let channels = extent.channels;
        for outer in 0..extent.outer {
            let rows = x.outer(outer);
            let mut write = |channel: usize, moments: &moments::Moments<f64>| {
                let index = outer * channels + channel;
                (table.mean[index], table.variance[index]) = moments.finish();
                table.count[index] = moments.count();
            };
            if call.is_channels_last() {
                let reduction = &mut self.moments_last;
                if begin {
                    reduction.clear(channels, blocking);
                }
                reduction.push(rows, extent, blocking);
                if end {
                    let finished = reduction.finish(channels, blocking);
                    finished
                        .iter()
                        .enumerate()
                        .for_each(|(channel, moments)| write(channel, moments));
                }
            } else {
                let reduction = &mut self.moments_first;
                if begin {
                    reduction.clear(channels);
                }
                reduction.push(rows, extent, blocking);
                if end {
                    (0..channels).for_each(|channel| write(channel, &reduction.finish(channel)));
                }
            }
        }
    }

    /// The affine map from array 0 to array 1.
    fn affine<const RELU: bool>(
        &mut self,
        call: &Call,
        table: &ChannelTable,
        epsilon: f64,
        begin: bool,
    ) {
        let (extent, blocking) = (call.extent(), call.blocking());
        let arrays = [0, 1].map(|index| call.share::<E>(index));
        for outer in 0..extent.outer {
            let channels = table.channels(outer, extent.channels, epsilon);
            let rows = [0, 1].map(|index| arrays[index].outer(outer));
            if call.is_channels_last() {
                if begin {
                    self.affine_last.fill(channels, blocking);
                }
                self.affine_last.apply::<RELU>(rows, extent, channels, blocking);
            } else {
                affine::channels_first::apply::<E, RELU>(rows, extent, channels);
            }
        }
    }

    /// dgamma and dbeta from x in array 0 and dy in array 1.
    fn parameter_gradients<const RELU: bool>(
        &mut self,
        call: &Call,
        table: &mut ChannelTable,
        epsilon: f64,
        begin: bool,
        end: bool,
    ) {
        let (extent, blocking) = (call.extent(), call.blocking());
        let [x, dy] = [0, 1].map(|index| call.read::<E>(index));
        let count = extent.channels;
        for outer in 0..extent.outer {
            let channels = table.channels(outer, count, epsilon);
            let (x, dy) = (x.outer(outer), dy.outer(outer));
            if call.is_channels_last() {
                let reduction = &mut self.gradient_last;
                if begin {
                    reduction.clear(channels, blocking);
                }
                reduction.push::<RELU>(x, dy, extent, channels, blocking);
                if end {
                    let finished = reduction.finish(count, blocking);
                    for (channel, gradients) in finished.iter().enumerate() {
                        let index = outer * count + channel;
                        (table.dbeta[index], table.dgamma[index]) = gradients.finish();
                    }
                }
            } else {
                let reduction = &mut self.gradient_first;
                if begin {
                    reduction.clear(count);
                }
                reduction.push::<RELU>(x, dy, extent, channels, blocking);
                if end {
                    for channel in 0..count {
                        let index = outer * count + channel;
                        (table.dbeta[index], table.dgamma[index]) =
                            reduction.finish(channel).finish();
                    }
                }
            }
        }
    }

    /// dx into array 2, from x in array 0 and dy in array 1.
    fn dx<const RELU: bool, const FROZEN: bool>(
        &mut self,
        call: &Call,
        table: &ChannelTable,
        epsilon: f64,
        begin: bool,
    ) {
        let (extent, blocking) = (call.extent(), call.blocking());
        let arrays = [0, 1, 2].map(|index| call.share::<E>(index));
        for outer in 0..extent.outer {
            let channels = table.channels(outer, extent.channels, epsilon);
            let totals = table.totals(outer, extent.channels, FROZEN);
            let rows = [0, 1, 2].map(|index| arrays[index].outer(outer));
            if call.is_channels_last() {
                let slope = &mut self.slope_last;
                if begin {
                    slope.fill(channels, totals, blocking);
                }
                slope.apply::<RELU, FROZEN>(rows, extent, channels, totals, blocking);
            } else {
                gradient::channels_first::apply::<E, RELU, FROZEN>(rows, extent, channels, totals);
            }
        }
    }
}

macro_rules! exports {
    ($element:ident, $workspace:ident, $moments:ident, $affine:ident, $gradients:ident, $dx:ident) => {
        static $workspace: Place<Workspace<$element>> = Place::new(Workspace::EMPTY);

        /// Mean, variance and count of array 0.
        #[wasm_bindgen]
        pub fn $moments(begin: bool, end: bool) {
            $workspace.open().moments(CALL.open(), CHANNELS.open(), begin, end);
        }

        /// The affine map from array 0 to array 1.
        #[wasm_bindgen]
        pub fn $affine(relu: bool, epsilon: f64, begin: bool) {
            let (workspace, call, table) = ($workspace.open(), CALL.open(), CHANNELS.open());
            match relu {
                false => workspace.affine::<false>(call, table, epsilon, begin),
                true => workspace.affine::<true>(call, table, epsilon, begin),
            }
        }

        /// dgamma and dbeta from x in array 0 and dy in array 1.
        #[wasm_bindgen]
        pub fn $gradients(relu: bool, epsilon: f64, begin: bool, end: bool) {
            let (workspace, call, table) = ($workspace.open(), CALL.open(), CHANNELS.open());
            match relu {
                false => workspace.parameter_gradients::<false>(call, table, epsilon, begin, end),
                true => workspace.parameter_gradients::<true>(call, table, epsilon, begin, end),
            }
        }

        /// dx into array 2, from x in array 0 and dy in array 1.
        #[wasm_bindgen]
        pub fn $dx(relu: bool, frozen: bool, epsilon: f64, begin: bool) {
            let (workspace, call, table) = ($workspace.open(), CALL.open(), CHANNELS.open());
            match (relu, frozen) {
                (false, false) => workspace.dx::<false, false>(call, table, epsilon, begin),
                (false, true) => workspace.dx::<false, true>(call, table, epsilon, begin),
                (true, false) => workspace.dx::<true, false>(call, table, epsilon, begin),
                (true, true) => workspace.dx::<true, true>(call, table, epsilon, begin),
            }
        }
    };
}

exports!(f32, F32, bn_moments_f32, bn_affine_f32, bn_parameter_gradients_f32, bn_dx_f32);
exports!(f64, F64, bn_moments_f64, bn_affine_f64, bn_parameter_gradients_f64, bn_dx_f64);
