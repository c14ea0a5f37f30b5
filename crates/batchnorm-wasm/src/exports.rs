//! The affine map, the gate and dx, on one piece. `double`: the elements are f64.
//!
//! `begin` says that the piece is the first of its channels, `end` that it is the last; a piece of
//! more than one outer is both.

use crate::call::{Call, Role};
use crate::memory::{CALL, CHANNELS, Place};
use batchnorm::affine::Channels;
use batchnorm::lanes::Element;
use batchnorm::slope::Totals;
use batchnorm::table::{Coefficients, Tabled};
use batchnorm::{affine, gate, slope};
use wasm_bindgen::prelude::wasm_bindgen;

/// The coefficients of the element maps, of either type.
static COEFFICIENTS: Place<Coefficients> = Place::new(Coefficients::EMPTY);

/// y from x and, if there is one, the residual.
fn affine<E: Tabled>(call: &Call, channels: Channels<'_>, outer: usize, flags: [bool; 2]) {
    let [relu, residual] = flags;
    let rows = [Role::X, Role::Out].map(|role| call.rows::<E>(role, outer));
    let residual = residual.then(|| call.rows(Role::Residual, outer));
    affine::apply(&COEFFICIENTS.open().affine, channels, rows, residual, call.extent(), relu);
}

/// What counts of dy, and x without what does not.
fn gate<E: Tabled>(call: &Call, channels: Channels<'_>, outer: usize, flags: [bool; 3]) {
    let [relu, residual, weighted] = flags;
    let [x, dy] = [Role::X, Role::Dy].map(|role| call.rows::<E>(role, outer));
    let residual = residual.then(|| call.rows(Role::Residual, outer));
    let weights = weighted.then(|| call.rows(Role::Weights, outer));
    let operands = gate::Operands { x, dy, residual, weights, relu };
    operands.apply(&COEFFICIENTS.open().affine, channels, call.extent());
}

/// dx from x, dy and, if there are any, the weights.
fn dx<E: Tabled>(
    call: &Call,
    channels: Channels<'_>,
    totals: Totals<'_>,
    outer: usize,
    flags: [bool; 2],
) {
    let [relu, weighted] = flags;
    let rows = [Role::X, Role::Dy, Role::Out].map(|role| call.rows::<E>(role, outer));
    let weights = weighted.then(|| call.rows(Role::Weights, outer));
    let extent = call.extent();
    slope::apply(COEFFICIENTS.open(), channels, totals, rows, weights, extent, relu);
}

/// For each outer its channels, whose coefficients are folded if the piece is the first of them.
fn each_outer(
    double: bool,
    epsilon: f64,
    begin: bool,
    frozen: Option<bool>,
    run: impl Fn(&Call, Channels<'_>, Option<Totals<'_>>, usize),
) {
    let (call, table) = (CALL.open(), CHANNELS.open());
    let extent = call.extent();
    let format = if double { &f64::FORMAT } else { &f32::FORMAT };
    for outer in 0..extent.outer {
        let channels = table.channels(outer, extent.channels, epsilon);
        let totals = frozen.map(|frozen| table.totals(outer, extent.channels, frozen));
        if begin {
            COEFFICIENTS.open().fill(format, channels, totals, extent);
        }
        run(call, channels, totals, outer);
    }
}

/// y from x and, if there is one, the residual. `double`: of f64, else of f32.
#[wasm_bindgen]
pub fn bn_affine(double: bool, relu: bool, residual: bool, epsilon: f64, begin: bool) {
    each_outer(double, epsilon, begin, None, |call, channels, _, outer| {
        let run = if double { affine::<f64> } else { affine::<f32> };
        run(call, channels, outer, [relu, residual]);
    });
}

/// Gates dy, by x and what there is of residual and weights; and x where the weights are 0.
#[wasm_bindgen]
pub fn bn_gate(
    double: bool,
    relu: bool,
    residual: bool,
    weighted: bool,
    epsilon: f64,
    begin: bool,
) {
    each_outer(double, epsilon, begin, None, |call, channels, _, outer| {
        let run = if double { gate::<f64> } else { gate::<f32> };
        run(call, channels, outer, [relu, residual, weighted]);
    });
}

/// dx from x and dy, which went through the gate if there are weights.
#[wasm_bindgen]
pub fn bn_dx(double: bool, relu: bool, frozen: bool, weighted: bool, epsilon: f64, begin: bool) {
    each_outer(double, epsilon, begin, Some(frozen), |call, channels, totals, outer| {
        let run = if double { dx::<f64> } else { dx::<f32> };
        if let Some(totals) = totals {
            run(call, channels, totals, outer, [relu, weighted]);
        }
    });
}
