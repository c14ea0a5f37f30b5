//! The moments, with and without weights, and the sums of the gradient, on one piece.
//!
//! `double`: the elements are f64. `begin` says that the piece is the first of its channels, `end` that
//! it is the last; a piece of more than one outer is both.

use crate::call::{Call, ChannelTable, Role};
use crate::memory::{CALL, CHANNELS, Place};
use batchnorm::block::{Elements, Group};
use batchnorm::gradient::{self, ParameterGradients};
use batchnorm::lanes::{PAIR, f64x2};
use batchnorm::moments::{self, Moments, weighted};
use batchnorm::piece::Extent;
use batchnorm::state::{Numbers, State};
use batchnorm::sums::{Input, Scratch, Source, Terms};
use wasm_bindgen::prelude::wasm_bindgen;

/// Elements that are looked at one by one.
#[cfg_attr(feature = "threads", thread_local)]
static GROUP: Place<Group> = Place::new(Group::EMPTY);
#[cfg_attr(feature = "threads", thread_local)]
static MOMENTS: Place<moments::Reduction> = Place::new(moments::Reduction::EMPTY);
static WEIGHTED: Place<weighted::Reduction> = Place::new(weighted::Reduction::EMPTY);
#[cfg_attr(feature = "threads", thread_local)]
static GRADIENT: Place<gradient::Reduction> = Place::new(gradient::Reduction::EMPTY);
#[cfg_attr(feature = "threads", thread_local)]
static F32: Place<Scratch<f32>> = Place::new(Scratch::EMPTY);
#[cfg_attr(feature = "threads", thread_local)]
static F64: Place<Scratch<f64>> = Place::new(Scratch::EMPTY);

/// Hands x, or x and dy, of one outer to a reduction.
fn with_source(
    double: bool,
    terms: Terms,
    call: &Call,
    outer: usize,
    run: &mut dyn FnMut(&mut dyn Source),
) {
    let roles = [Role::X, if terms == Terms::Moments { Role::X } else { Role::Dy }];
    let channels_last = call.is_channels_last();
    if double {
        let rows = roles.map(|role| call.rows(role, outer));
        run(&mut Input::<f64> { rows, terms, channels_last, scratch: F64.open() });
    } else {
        let rows = roles.map(|role| call.rows(role, outer));
        run(&mut Input::<f32> { rows, terms, channels_last, scratch: F32.open() });
    }
}

/// Mean, variance and count of x.
#[wasm_bindgen]
pub fn bn_moments(double: bool, begin: bool, end: bool) {
    moments(CALL.open(), CHANNELS.open(), double, begin, end);
}

/// The same of any call and numbers per channel.
#[inline(always)]
pub fn moments(call: &Call, table: &mut ChannelTable, double: bool, begin: bool, end: bool) {
    let reduction = MOMENTS.open();
    let (extent, blocking) = (call.extent(), call.blocking());
    for outer in 0..extent.outer {
        if begin {
            reduction.clear(extent.channels, blocking);
        }
        with_source(double, Terms::Moments, call, outer, &mut |x| {
            reduction.push(x, extent, blocking, GROUP.open());
        });
        if end {
            write_moments(table, outer, extent, reduction.finish(extent.channels, blocking));
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
            &call.rows::<f64>(Role::X, outer)
        } else {
            &call.rows::<f32>(Role::X, outer)
        };
        let weights = call.rows::<f64>(Role::Weights, outer);
        reduction.push([x, &weights], extent, blocking, GROUP.open());
        if end {
            write_moments(table, outer, extent, reduction.finish(extent.channels, blocking));
        }
    }
}

/// dgamma and dbeta from x and dy.
#[wasm_bindgen]
pub fn bn_parameter_gradients(double: bool, relu: bool, epsilon: f64, begin: bool, end: bool) {
    parameter_gradients(CALL.open(), CHANNELS.open(), double, relu, epsilon, [begin, end]);
}

/// The same of any call and numbers per channel.
#[inline(always)]
pub fn parameter_gradients(
    call: &Call,
    table: &mut ChannelTable,
    double: bool,
    relu: bool,
    epsilon: f64,
    [begin, end]: [bool; 2],
) {
    let reduction = GRADIENT.open();
    let (extent, blocking) = (call.extent(), call.blocking());
    let terms = if relu { Terms::MaskedGradient } else { Terms::Gradient };
    for outer in 0..extent.outer {
        let channels = table.channels(outer, extent.channels, epsilon);
        with_source(double, terms, call, outer, &mut |source| {
            if begin {
                reduction.clear(source, channels, blocking);
            }
            reduction.push(source, extent, blocking, GROUP.open());
        });
        if end {
            write_gradients(table, outer, extent, reduction.finish(extent.channels, blocking));
        }
    }
}

/// The states of the moments that were pushed, of the channels of a call's one outer.
#[cfg(feature = "threads")]
pub fn copy_moments(call: &Call, into: &mut [Numbers]) {
    into.copy_from_slice(MOMENTS.open().finish(call.extent().channels, call.blocking()));
}

/// The states of the gradients that were pushed.
#[cfg(feature = "threads")]
pub fn copy_gradients(call: &Call, into: &mut [Numbers]) {
    into.copy_from_slice(GRADIENT.open().finish(call.extent().channels, call.blocking()));
}

/// Writes the gradients of an outer's channels.
pub fn write_gradients(table: &mut ChannelTable, outer: usize, extent: Extent, states: &[Numbers]) {
    let mut lane = outer * extent.channels;
    let end = lane + extent.channels;
    for numbers in states {
        let (dbeta, dgamma) = ParameterGradients::read(numbers).finish();
        write_lanes(&mut table.dbeta[lane..end], dbeta);
        write_lanes(&mut table.dgamma[lane..end], dgamma);
        lane += PAIR;
    }
}

/// Writes the moments of an outer's channels.
pub fn write_moments(table: &mut ChannelTable, outer: usize, extent: Extent, states: &[Numbers]) {
    let channels = extent.channels;
    let mut lane = outer * channels;
    let end = lane + channels;
    for moments in states.iter().map(Moments::read) {
        let (mean, variance) = moments.finish();
        write_lanes(&mut table.mean[lane..end], mean);
        write_lanes(&mut table.variance[lane..end], variance);
        write_lanes(&mut table.count[lane..end], moments.count());
        write_lanes(&mut table.mean_rest[lane..end], moments.mean_rest());
        lane += PAIR;
    }
}

/// Two lanes, or as many as there are.
fn write_lanes(column: &mut [f64], lanes: f64x2) {
    for (number, lane) in column.iter_mut().zip(lanes.to_array()) {
        *number = lane;
    }
}
