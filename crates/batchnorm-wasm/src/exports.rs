//! Moments, the affine map, the gate and the two passes of the gradient, for f32 and f64, on one piece.
//!
//! `begin` says that the piece is the first of its channels, `end` that it is the last; a piece of
//! more than one outer is both.

use crate::call::{Call, ChannelTable, Role};
use crate::memory::{CALL, CHANNELS, Place};
use batchnorm::lanes::Element;
use batchnorm::moments::{Moments, weighted};
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

/// The open weighted moments, of either type.
static WEIGHTED: Place<weighted::Reduction> = Place::new(weighted::Reduction::EMPTY);

impl<E: Element> Workspace<E> {
    const EMPTY: Self = Self {
        moments_first: moments::channels_first::Reduction::EMPTY,
        moments_last: moments::channels_last::Reduction::EMPTY,
        affine_last: affine::channels_last::Table::EMPTY,
        gradient_first: gradient::channels_first::Reduction::EMPTY,
        gradient_last: gradient::channels_last::Reduction::EMPTY,
        slope_last: gradient::channels_last::Table::EMPTY,
    };

    /// Mean, variance and count of x.
    fn moments(&mut self, call: &Call, table: &mut ChannelTable, begin: bool, end: bool) {
        let (extent, blocking, x) = (call.extent(), call.blocking(), call.read::<E>(Role::X));
        let channels = extent.channels;
        for outer in 0..extent.outer {
            let rows = x.outer(outer);
            let first = outer * channels;
            let mut write = |channel, moments: &_| write_moments(table, first + channel, moments);
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

    /// The same, each element counting by its weight.
    fn weighted_moments(
        &mut self,
        reduction: &mut weighted::Reduction,
        call: &Call,
        table: &mut ChannelTable,
        begin: bool,
        end: bool,
    ) {
        let (extent, blocking) = (call.extent(), call.blocking());
        let (x, weights) = (call.read::<E>(Role::X), call.read::<f64>(Role::Weights));
        for outer in 0..extent.outer {
            let (x, weights) = (x.outer(outer), weights.outer(outer));
            if begin {
                reduction.clear(extent.channels);
            }
            if call.is_channels_last() {
                reduction.push_last(x, weights, extent, blocking);
            } else {
                reduction.push_first(x, weights, extent, blocking);
            }
            for channel in 0..if end { extent.channels } else { 0 } {
                let moments = reduction.finish(channel);
                write_moments(table, outer * extent.channels + channel, &moments);
            }
        }
    }

    /// y from x.
    fn affine<const RELU: bool>(
        &mut self,
        call: &Call,
        table: &ChannelTable,
        epsilon: f64,
        begin: bool,
    ) {
        let (extent, blocking) = (call.extent(), call.blocking());
        let arrays = [Role::X, Role::Out].map(|role| call.share::<E>(role));
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

    /// y from x and the residual.
    fn residual(
        &mut self,
        call: &Call,
        table: &ChannelTable,
        relu: bool,
        epsilon: f64,
        begin: bool,
    ) {
        let (extent, blocking) = (call.extent(), call.blocking());
        let arrays = [Role::X, Role::Out, Role::Residual].map(|role| call.share::<E>(role));
        for outer in 0..extent.outer {
            let channels = table.channels(outer, extent.channels, epsilon);
            let rows = [0, 1, 2].map(|index| arrays[index].outer(outer));
            if call.is_channels_last() {
                if begin {
                    self.affine_last.fill(channels, blocking);
                }
                self.affine_last.apply_residual(rows, extent, channels, blocking, relu);
            } else {
                affine::channels_first::apply_residual(rows, extent, channels, relu);
            }
        }
    }

    /// What counts of dy, and x without what does not.
    fn gate(
        &mut self,
        call: &Call,
        table: &ChannelTable,
        [relu, has_residual, has_weights]: [bool; 3],
        epsilon: f64,
        begin: bool,
    ) {
        let (extent, blocking) = (call.extent(), call.blocking());
        let [x, dy] = [Role::X, Role::Dy].map(|role| call.share::<E>(role));
        for outer in 0..extent.outer {
            let channels = table.channels(outer, extent.channels, epsilon);
            let operands = gradient::gate::Operands {
                x: x.outer(outer),
                dy: dy.outer(outer),
                residual: has_residual.then(|| call.share(Role::Residual).outer(outer)),
                weights: has_weights.then(|| call.share(Role::Weights).outer(outer)),
                relu,
            };
            if call.is_channels_last() {
                if begin {
                    self.affine_last.fill(channels, blocking);
                }
                operands.apply_last(&self.affine_last, extent, channels, blocking);
            } else {
                operands.apply_first(extent, channels);
            }
        }
    }

    /// dgamma and dbeta from x and dy.
    fn parameter_gradients<const RELU: bool>(
        &mut self,
        call: &Call,
        table: &mut ChannelTable,
        epsilon: f64,
        begin: bool,
        end: bool,
    ) {
        let (extent, blocking) = (call.extent(), call.blocking());
        let [x, dy] = [Role::X, Role::Dy].map(|role| call.read::<E>(role));
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

    /// dx from x and dy.
    fn dx<const RELU: bool, const FROZEN: bool>(
        &mut self,
        call: &Call,
        table: &ChannelTable,
        epsilon: f64,
        begin: bool,
    ) {
        let (extent, blocking) = (call.extent(), call.blocking());
        let arrays = [Role::X, Role::Dy, Role::Out].map(|role| call.share::<E>(role));
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

    /// dx from x, dy and the weights.
    fn weighted_dx(&mut self, call: &Call, table: &ChannelTable, epsilon: f64, begin: bool) {
        let (extent, blocking) = (call.extent(), call.blocking());
        let arrays = [Role::X, Role::Dy, Role::Out].map(|role| call.share::<E>(role));
        let weights = call.share::<f64>(Role::Weights);
        for outer in 0..extent.outer {
            let channels = table.channels(outer, extent.channels, epsilon);
            let totals = table.totals(outer, extent.channels, false);
            let rows = [0, 1, 2].map(|index| arrays[index].outer(outer));
            let weights = weights.outer(outer);
            if call.is_channels_last() {
                let slope = &mut self.slope_last;
                if begin {
                    slope.fill(channels, totals, blocking);
                }
                slope.apply_weighted(rows, weights, extent, channels, totals, blocking);
            } else {
                gradient::channels_first::apply_weighted(rows, weights, extent, channels, totals);
            }
        }
    }
}

fn write_moments(table: &mut ChannelTable, index: usize, moments: &Moments<f64>) {
    (table.mean[index], table.variance[index]) = moments.finish();
    table.mean_rest[index] = moments.mean_rest();
    table.count[index] = moments.count();
}

macro_rules! exports {
    ($element:ident, $workspace:ident, $moments:ident, $weighted_moments:ident, $affine:ident,
     $gate:ident, $gradients:ident, $dx:ident, $weighted_dx:ident) => {
        static $workspace: Place<Workspace<$element>> = Place::new(Workspace::EMPTY);

        /// Mean, what it lost in rounding, variance and count of x.
        #[wasm_bindgen]
        pub fn $moments(begin: bool, end: bool) {
            $workspace.open().moments(CALL.open(), CHANNELS.open(), begin, end);
        }

        /// The same, by weights.
        #[wasm_bindgen]
        pub fn $weighted_moments(begin: bool, end: bool) {
            let (workspace, call, table) = ($workspace.open(), CALL.open(), CHANNELS.open());
            workspace.weighted_moments(WEIGHTED.open(), call, table, begin, end);
        }

        /// y from x.
        #[wasm_bindgen]
        pub fn $affine(relu: bool, residual: bool, epsilon: f64, begin: bool) {
            let (workspace, call, table) = ($workspace.open(), CALL.open(), CHANNELS.open());
            match (residual, relu) {
                (false, false) => workspace.affine::<false>(call, table, epsilon, begin),
                (false, true) => workspace.affine::<true>(call, table, epsilon, begin),
                (true, _) => workspace.residual(call, table, relu, epsilon, begin),
            }
        }

        /// Gates dy, by x and what there is of residual and weights; and x where the weights are 0.
        #[wasm_bindgen]
        pub fn $gate(relu: bool, residual: bool, weighted: bool, epsilon: f64, begin: bool) {
            let (workspace, call, table) = ($workspace.open(), CALL.open(), CHANNELS.open());
            workspace.gate(call, table, [relu, residual, weighted], epsilon, begin);
        }

        /// dgamma and dbeta from x and dy.
        #[wasm_bindgen]
        pub fn $gradients(relu: bool, epsilon: f64, begin: bool, end: bool) {
            let (workspace, call, table) = ($workspace.open(), CALL.open(), CHANNELS.open());
            match relu {
                false => workspace.parameter_gradients::<false>(call, table, epsilon, begin, end),
                true => workspace.parameter_gradients::<true>(call, table, epsilon, begin, end),
            }
        }

        /// dx from x and dy.
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

        /// dx from x, the gated dy and the weights.
        #[wasm_bindgen]
        pub fn $weighted_dx(epsilon: f64, begin: bool) {
            $workspace.open().weighted_dx(CALL.open(), CHANNELS.open(), epsilon, begin);
        }
    };
}

exports!(
    f32,
    F32,
    bn_moments_f32,
    bn_weighted_moments_f32,
    bn_affine_f32,
    bn_gate_f32,
    bn_parameter_gradients_f32,
    bn_dx_f32,
    bn_weighted_dx_f32
);
exports!(
    f64,
    F64,
    bn_moments_f64,
    bn_weighted_moments_f64,
    bn_affine_f64,
    bn_gate_f64,
    bn_parameter_gradients_f64,
    bn_dx_f64,
    bn_weighted_dx_f64
);
