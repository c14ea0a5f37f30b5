//! The moments, with and without weights, and the sums of the gradient, on one piece.
//!
//! `double`: the elements are f64. `begin` says that the piece is the first of its channels, `end` that
//! it is the last; a piece of more than one outer is both.

use crate::call::{Call, ChannelTable, Role};
use crate::memory::{CALL, CHANNELS, Place};
use batchnorm::block::{Elements, Group};
use batchnorm::gradient::{self, ParameterGradients};
use batchnorm::lanes::{LANES, f64x4};
use batchnorm::moments::{self, Moments, weighted};
use batchnorm::state::States;
use batchnorm::sums::{Input, Scratch, Source, Terms};
use wasm_bindgen::prelude::wasm_bindgen;

/// Elements that are looked at one by one.
static GROUP: Place<Group> = Place::new(Group::EMPTY);
static MOMENTS: Place<moments::Reduction> = Place::new(moments::Reduction::EMPTY);
static WEIGHTED: Place<weighted::Reduction> = Place::new(weighted::Reduction::EMPTY);
static GRADIENT: Place<gradient::Reduction> = Place::new(gradient::Reduction::EMPTY);
static F32: Place<Scratch<f32>> = Place::new(Scratch::EMPTY);
static F64: Place<Scratch<f64>> = Place::new(Scratch::EMPTY);

/// Mean, variance and count of x.
#[wasm_bindgen]
pub fn bn_moments(double: bool, begin: bool, end: bool) {
    let (call, table, reduction) = (CALL.open(), CHANNELS.open(), MOMENTS.open());
    let (extent, blocking, channels_last) =
        (call.extent(), call.blocking(), call.is_channels_last());
    let terms = Terms::Moments;
    for outer in 0..extent.outer {
        if begin {
            reduction.clear(extent.channels, blocking);
        }
        if double {
            let rows = [call.read(Role::X).outer(outer); 2];
            let mut x = Input::<f64> { rows, terms, channels_last, scratch: F64.open() };
            reduction.push(&mut x, extent, blocking, GROUP.open());
        } else {
            let rows = [call.read(Role::X).outer(outer); 2];
            let mut x = Input::<f32> { rows, terms, channels_last, scratch: F32.open() };
            reduction.push(&mut x, extent, blocking, GROUP.open());
        }
        if end {
            write_moments(table, outer, call, reduction.finish(extent.channels, blocking));
        }
    }
}

/// The same, each element counting by its weight.
#[wasm_bindgen]
pub fn bn_weighted_moments(double: bool, begin: bool, end: bool) {
    let (call, table, reduction) = (CALL.open(), CHANNELS.open(), WEIGHTED.open());
    let (extent, blocking) = (call.extent(), call.blocking());
    for outer in 0..extent.outer {
        if begin {
            reduction.clear(extent.channels, blocking);
        }
        let x: &dyn Elements = if double {
            &call.read::<f64>(Role::X).outer(outer)
        } else {
            &call.read::<f32>(Role::X).outer(outer)
        };
        let weights = call.read::<f64>(Role::Weights).outer(outer);
        reduction.push([x, &weights], extent, blocking, GROUP.open());
        if end {
            write_moments(table, outer, call, reduction.finish(extent.channels, blocking));
        }
    }
}

/// dgamma and dbeta from x and dy.
#[wasm_bindgen]
pub fn bn_parameter_gradients(double: bool, relu: bool, epsilon: f64, begin: bool, end: bool) {
    let (call, table, reduction) = (CALL.open(), CHANNELS.open(), GRADIENT.open());
    let (extent, blocking, channels_last) =
        (call.extent(), call.blocking(), call.is_channels_last());
    let terms = if relu { Terms::MaskedGradient } else { Terms::Gradient };
    for outer in 0..extent.outer {
        let channels = table.channels(outer, extent.channels, epsilon);
        let mut push = |source: &mut dyn Source| {
            if begin {
                reduction.clear(source, channels, blocking);
            }
            reduction.push(source, extent, blocking, GROUP.open());
        };
        if double {
            let rows = [Role::X, Role::Dy].map(|role| call.read(role).outer(outer));
            push(&mut Input::<f64> { rows, terms, channels_last, scratch: F64.open() });
        } else {
            let rows = [Role::X, Role::Dy].map(|role| call.read(role).outer(outer));
            push(&mut Input::<f32> { rows, terms, channels_last, scratch: F32.open() });
        }
        if end {
            let first = outer * extent.channels;
            let states = reduction.finish(extent.channels, blocking);
            for lane in (0..extent.channels).step_by(LANES) {
                let (dbeta, dgamma) = states.get::<ParameterGradients>(lane).finish();
                let lanes = first + lane..first + extent.channels.min(lane + LANES);
                write_lanes(&mut table.dbeta[lanes.clone()], dbeta);
                write_lanes(&mut table.dgamma[lanes], dgamma);
            }
        }
    }
}

fn write_moments(table: &mut ChannelTable, outer: usize, call: &Call, states: &States) {
    let channels = call.extent().channels;
    let first = outer * channels;
    for lane in (0..channels).step_by(LANES) {
        let moments: Moments = states.get(lane);
        let (mean, variance) = moments.finish();
        let lanes = first + lane..first + channels.min(lane + LANES);
        write_lanes(&mut table.mean[lanes.clone()], mean);
        write_lanes(&mut table.variance[lanes.clone()], variance);
        write_lanes(&mut table.count[lanes.clone()], moments.count());
        write_lanes(&mut table.mean_rest[lanes], moments.mean_rest());
    }
}

/// As many lanes as there are channels.
fn write_lanes(column: &mut [f64], lanes: f64x4) {
    for (number, lane) in column.iter_mut().zip(lanes.to_array()) {
        *number = lane;
    }
}
