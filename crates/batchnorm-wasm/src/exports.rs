//! The affine map, the gate and dx, on one piece. `double`: the elements are f64.
//!
//! `begin` says that the piece is the first of its channels, `end` that it is the last; a piece of
//! more than one outer is both.

use crate::call::{Call, ChannelTable, Role};
use crate::memory::{CALL, CHANNELS, Place};
use batchnorm::affine::{self, Channels};
use batchnorm::gate::Gate;
use batchnorm::lanes::Element;
use batchnorm::slope::{self, Totals};
use batchnorm::table::Coefficients;
use wasm_bindgen::prelude::wasm_bindgen;

/// The coefficients of the element maps, of either type.
#[cfg_attr(feature = "threads", thread_local)]
static COEFFICIENTS: Place<Coefficients> = Place::new(Coefficients::EMPTY);

/// For each outer its channels, whose coefficients are folded if the piece is the first of them; for dx
/// also their totals.
#[inline(never)]
fn each_outer(
    (call, table): (&Call, &ChannelTable),
    double: bool,
    epsilon: f64,
    begin: bool,
    frozen: Option<bool>,
    run: &dyn Fn(&Call, &Coefficients, &Channels<'_>, &Totals<'_>, usize),
) {
    let coefficients = COEFFICIENTS.open();
    let extent = call.extent();
    let format = if double { &f64::FORMAT } else { &f32::FORMAT };
    for outer in 0..extent.outer {
        let channels = table.channels(outer, extent.channels, epsilon);
        let totals = table.totals(outer, extent.channels, frozen.unwrap_or(false));
        if begin {
            coefficients.fill(format, channels, frozen.map(|_| totals), extent);
        }
        run(call, coefficients, &channels, &totals, outer);
    }
}

/// y from x and, if there is one, the residual. `double`: of f64, else of f32.
#[wasm_bindgen]
pub fn bn_affine(double: bool, relu: bool, residual: bool, epsilon: f64, begin: bool) {
    affine((CALL.open(), CHANNELS.open()), double, relu, residual, epsilon, begin);
}

/// The same of any call and numbers per channel.
#[inline(always)]
pub fn affine(
    piece: (&Call, &ChannelTable),
    double: bool,
    relu: bool,
    residual: bool,
    epsilon: f64,
    begin: bool,
) {
    let other = if residual { Role::Residual } else { Role::X };
    each_outer(piece, double, epsilon, begin, None, &|call, coefficients, channels, _, outer| {
        let operands = call.operands(double, outer, [Role::X, other, Role::Out], false);
        let flags = [residual, relu];
        affine::apply(&coefficients.affine, channels, &operands, call.extent(), flags);
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
    let other = if residual { Role::Residual } else { Role::X };
    let piece = (&*CALL.open(), &*CHANNELS.open());
    each_outer(piece, double, epsilon, begin, None, &|call, coefficients, channels, _, outer| {
        let run = |out, gate: Gate| {
            let operands = call.operands(double, outer, [Role::X, other, out], weighted);
            gate.apply(&coefficients.affine, channels, &operands, call.extent());
        };
        run(Role::Dy, Gate { relu, adds: residual, centers: false });
        if weighted {
            run(Role::X, Gate { relu: false, adds: false, centers: true });
        }
    });
}

/// dx from x and dy, which went through the gate if there are weights.
#[wasm_bindgen]
pub fn bn_dx(double: bool, relu: bool, frozen: bool, weighted: bool, epsilon: f64, begin: bool) {
    dx((CALL.open(), CHANNELS.open()), double, [relu, frozen, weighted], epsilon, begin);
}

/// The same of any call and numbers per channel.
#[inline(always)]
pub fn dx(
    piece: (&Call, &ChannelTable),
    double: bool,
    [relu, frozen, weighted]: [bool; 3],
    epsilon: f64,
    begin: bool,
) {
    let frozen = Some(frozen);
    each_outer(
        piece,
        double,
        epsilon,
        begin,
        frozen,
        &|call, coefficients, channels, totals, outer| {
            let operands = call.operands(double, outer, [Role::X, Role::Dy, Role::Out], weighted);
            slope::apply(coefficients, channels, totals, &operands, call.extent(), relu);
        },
    );
}
