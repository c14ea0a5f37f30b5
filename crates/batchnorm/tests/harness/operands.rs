//! How weights and residuals are handed over, as batchnorm-wasm does.

use super::{Cuts, Float, Parameters, Shape, Statistics, Totals, cells, channels};
use batchnorm::affine;
use batchnorm::block::{Elements, Group};
use batchnorm::gate::Gate;
use batchnorm::map::Arrays;
use batchnorm::moments::weighted;
use batchnorm::piece::Array;
use batchnorm::slope;
use batchnorm::table::Coefficients;
use std::cell::Cell;

/// As ts/options/weights.ts does: by the power of two that brings the largest to 1..2.
pub fn scaled(weights: &[f64]) -> Vec<f64> {
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let exponent = if largest > 0.0 { largest.log2().floor() as i32 } else { 0 };
    weights.iter().map(|weight| weight * 2f64.powi(-exponent)).collect()
}

/// Mean, variance and Σw. `dense`: each piece from copies without gaps.
pub fn moments<E: Float>(
    x: &[E],
    weights: &[f64],
    shape: Shape,
    cuts: &Cuts,
    dense: bool,
) -> Statistics {
    let blocking = shape.blocking();
    let mut statistics = Statistics::default();
    let mut reduction = Box::new(weighted::Reduction::EMPTY);
    let mut elements = Box::new(Group::EMPTY);
    for tile in cuts {
        let count = tile[0].channels.len();
        reduction.clear(count, blocking);
        for piece in tile {
            let extent = piece.extent();
            let copies = dense.then(|| (piece.copy(x, shape), piece.copy(weights, shape)));
            let (x, weights) = match &copies {
                Some((x, weights)) => (Array::dense(x, extent), Array::dense(weights, extent)),
                None => (piece.array(x, shape), piece.array(weights, shape)),
            };
            let arrays: [&dyn Elements; 2] = [&x.outer(0), &weights.outer(0)];
            reduction.push(arrays, extent, blocking, &mut elements);
        }
        statistics.push(count, reduction.finish(count, blocking));
    }
    statistics
}

/// y of x and a residual, each an array of its own.
pub fn forward<E: Float>(
    [x, residual]: [&[E]; 2],
    shape: Shape,
    cuts: &Cuts,
    statistics: &Statistics,
    parameters: &Parameters,
    relu: bool,
) -> Vec<E> {
    let (mut x, mut residual) = (x.to_vec(), residual.to_vec());
    let mut y = vec![E::ZERO; x.len()];
    let arrays = [cells(&mut x), cells(&mut y), cells(&mut residual)];
    forward_cells(arrays, shape, cuts, statistics, parameters, relu);
    y
}

/// x, y and the residual, any of which may be the same.
pub fn forward_cells<E: Float>(
    arrays: [&[Cell<E>]; 3],
    shape: Shape,
    cuts: &Cuts,
    statistics: &Statistics,
    parameters: &Parameters,
    relu: bool,
) {
    let mut coefficients = Box::new(Coefficients::EMPTY);
    for tile in cuts {
        let channels = channels(statistics, parameters, tile[0].statistics(shape));
        coefficients.fill(&E::FORMAT, channels, None, tile[0].extent());
        for piece in tile {
            let (extent, [x, y, residual]) =
                (piece.extent(), arrays.map(|array| piece.array(array, shape).outer(0)));
            let operands = E::operands(Arrays { x, other: residual, out: y, weights: None });
            affine::apply(&coefficients.affine, &channels, &operands, extent, [true, relu]);
        }
    }
}

/// What the forward pass had beside x.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a, E> {
    pub residual: Option<&'a [E]>,
    pub weights: Option<&'a [f64]>,
    pub relu: bool,
}

/// x and dy as the gate leaves them.
pub fn gate<E: Float>(
    [x, dy]: [&[E]; 2],
    given: Given<'_, E>,
    shape: Shape,
    cuts: &Cuts,
    statistics: &Statistics,
    parameters: &Parameters,
) -> [Vec<E>; 2] {
    let mut arrays = [x.to_vec(), dy.to_vec()];
    let mut residual = given.residual.map(<[E]>::to_vec);
    let mut weights = given.weights.map(<[f64]>::to_vec);
    let [x, dy] = arrays.each_mut().map(|array| cells(array));
    let (residual, weights) =
        (residual.as_deref_mut().map(cells), weights.as_deref_mut().map(cells));
    let mut coefficients = Box::new(Coefficients::EMPTY);
    for tile in cuts {
        let channels = channels(statistics, parameters, tile[0].statistics(shape));
        coefficients.fill(&E::FORMAT, channels, None, tile[0].extent());
        for piece in tile {
            let rows = |array| piece.array(array, shape).outer(0);
            let (adds, weights) =
                (residual.is_some(), weights.map(|weights| piece.array(weights, shape).outer(0)));
            let other = rows(residual.unwrap_or(x));
            let run = |out, gate: Gate| {
                let operands = E::operands(Arrays { x: rows(x), other, out: rows(out), weights });
                gate.apply(&coefficients.affine, &channels, &operands, piece.extent());
            };
            run(dy, Gate { relu: given.relu, adds, centers: false });
            if weights.is_some() {
                run(x, Gate { relu: false, adds: false, centers: true });
            }
        }
    }
    arrays
}

/// dx of what went through the gate; the counts of the statistics are Σw.
pub fn dx<E: Float>(
    [x, dy]: [&[E]; 2],
    weights: &[f64],
    shape: Shape,
    cuts: &Cuts,
    statistics: &Statistics,
    parameters: &Parameters,
    totals: &Totals,
) -> Vec<E> {
    let (mut x, mut dy, mut weights) = (x.to_vec(), dy.to_vec(), weights.to_vec());
    let mut dx = vec![E::ZERO; x.len()];
    let arrays = [cells(&mut x), cells(&mut dy), cells(&mut dx)];
    let weights = cells(&mut weights);
    let mut coefficients = Box::new(Coefficients::EMPTY);
    for tile in cuts {
        let range = tile[0].statistics(shape);
        let channels = channels(statistics, parameters, range.clone());
        let totals = slope::Totals {
            dbeta: &totals.dbeta[range.clone()],
            dgamma: &totals.dgamma[range.clone()],
            count: &statistics.count[range],
            frozen: false,
        };
        coefficients.fill(&E::FORMAT, channels, Some(totals), tile[0].extent());
        for piece in tile {
            let (extent, rows) =
                (piece.extent(), arrays.map(|array| piece.array(array, shape).outer(0)));
            let (weights, [x, other, out]) = (Some(piece.array(weights, shape).outer(0)), rows);
            let operands = E::operands(Arrays { x, other, out, weights });
            slope::apply(&coefficients, &channels, &totals, &operands, extent, false);
        }
    }
    dx
}
