//! The only file that calls the crate: one tile of channels, as batchnorm-wasm does on resident arrays.

use crate::work::Shape;
use batchnorm::affine::{self, Channels};
use batchnorm::block::Group;
use batchnorm::gradient::{self, ParameterGradients};
use batchnorm::lanes::{Element, PAIR, f64x2};
use batchnorm::map::Arrays;
use batchnorm::moments::{self, Moments};
use batchnorm::piece::{Array, Extent, Rows};
use batchnorm::slope::{self, Totals};
use batchnorm::state::State;
use batchnorm::sums::{Input, Scratch, Terms};
use batchnorm::table::{Coefficients, Tabled};
use batchnorm::view::Blocking;
use std::cell::Cell;
use std::ops::Range;

/// The numbers of each channel.
pub struct Statistics {
    pub mean: Vec<f64>,
    pub variance: Vec<f64>,
    pub gamma: Vec<f64>,
    pub beta: Vec<f64>,
    pub epsilon: f64,
    pub dgamma: Vec<f64>,
    pub dbeta: Vec<f64>,
    count: Vec<f64>,
}

impl Statistics {
    pub fn new(shape: Shape, gamma: Vec<f64>, beta: Vec<f64>) -> Self {
        let zeros = || vec![0.0; shape.channels];
        Self {
            mean: zeros(),
            variance: zeros(),
            gamma,
            beta,
            epsilon: 1e-3,
            dgamma: zeros(),
            dbeta: zeros(),
            count: vec![(shape.reduce * shape.inner) as f64; shape.channels],
        }
    }

    fn channels(&self, tile: Range<usize>) -> Channels<'_> {
        Channels {
            mean: &self.mean[tile.clone()],
            variance: &self.variance[tile.clone()],
            gamma: &self.gamma[tile.clone()],
            beta: &self.beta[tile],
            epsilon: self.epsilon,
        }
    }

    fn totals(&self, tile: Range<usize>) -> Totals<'_> {
        Totals {
            dbeta: &self.dbeta[tile.clone()],
            dgamma: &self.dgamma[tile.clone()],
            count: &self.count[tile],
            frozen: false,
        }
    }
}

/// What the crate keeps between its calls.
pub struct Kernels {
    moments: Box<moments::Reduction>,
    gradient: Box<gradient::Reduction>,
    coefficients: Box<Coefficients>,
    group: Box<Group>,
    scratch: Box<Scratch<f32>>,
}

impl Default for Kernels {
    fn default() -> Self {
        Self {
            moments: Box::new(moments::Reduction::EMPTY),
            gradient: Box::new(gradient::Reduction::EMPTY),
            coefficients: Box::new(Coefficients::EMPTY),
            group: Box::new(Group::EMPTY),
            scratch: Box::new(Scratch::EMPTY),
        }
    }
}

impl Kernels {
    /// Mean and variance.
    pub fn moments(&mut self, x: &[f32], shape: Shape, tile: Range<usize>, to: &mut Statistics) {
        let (extent, blocking) = (extent(shape, &tile), blocking(shape));
        let mut x = input([rows(x, shape, &tile); 2], Terms::Moments, shape, &mut self.scratch);
        self.moments.clear(extent.channels, blocking);
        self.moments.push(&mut x, extent, blocking, &mut self.group);
        let states = self.moments.finish(extent.channels, blocking);
        for (lane, state) in tile.clone().step_by(PAIR).zip(states) {
            let (mean, variance) = Moments::read(state).finish();
            write_lanes(&mut to.mean[lane..tile.end], mean);
            write_lanes(&mut to.variance[lane..tile.end], variance);
        }
    }

    /// y from x.
    pub fn map(
        &mut self,
        arrays: [&mut [f32]; 2],
        shape: Shape,
        tile: Range<usize>,
        by: &Statistics,
    ) {
        let (extent, channels) = (extent(shape, &tile), by.channels(tile.clone()));
        let [x, out] = arrays.map(|array| rows(cells(array), shape, &tile));
        let operands = f32::operands(Arrays { x, other: x, out, weights: None });
        self.coefficients.fill(&f32::FORMAT, channels, None, extent);
        affine::apply(&self.coefficients.affine, &channels, &operands, extent, [false; 2]);
    }

    /// dgamma and dbeta from x and dy.
    pub fn sums(
        &mut self,
        arrays: [&[f32]; 2],
        shape: Shape,
        tile: Range<usize>,
        to: &mut Statistics,
    ) {
        let (extent, blocking) = (extent(shape, &tile), blocking(shape));
        let rows = arrays.map(|array| rows(array, shape, &tile));
        let mut source = input(rows, Terms::Gradient, shape, &mut self.scratch);
        self.gradient.clear(&mut source, to.channels(tile.clone()), blocking);
        self.gradient.push(&mut source, extent, blocking, &mut self.group);
        let states = self.gradient.finish(extent.channels, blocking);
        for (lane, state) in tile.clone().step_by(PAIR).zip(states) {
            let (dbeta, dgamma) = ParameterGradients::read(state).finish();
            write_lanes(&mut to.dbeta[lane..tile.end], dbeta);
            write_lanes(&mut to.dgamma[lane..tile.end], dgamma);
        }
    }

    /// dx from x and dy.
    pub fn dx(
        &mut self,
        arrays: [&mut [f32]; 3],
        shape: Shape,
        tile: Range<usize>,
        by: &Statistics,
    ) {
        let extent = extent(shape, &tile);
        let (channels, totals) = (by.channels(tile.clone()), by.totals(tile.clone()));
        let [x, other, out] = arrays.map(|array| rows(cells(array), shape, &tile));
        let operands = f32::operands(Arrays { x, other, out, weights: None });
        self.coefficients.fill(&f32::FORMAT, channels, Some(totals), extent);
        slope::apply(&self.coefficients, &channels, &totals, &operands, extent, false);
    }
}

fn blocking(shape: Shape) -> Blocking {
    Blocking::new(shape.channels as u64, shape.inner as u64)
}

fn extent(shape: Shape, tile: &Range<usize>) -> Extent {
    Extent { outer: 1, rows: shape.reduce, channels: tile.len(), inner: shape.inner }
}

fn rows<'a, T>(array: &'a [T], shape: Shape, tile: &Range<usize>) -> Rows<'a, T> {
    let row_stride = shape.channels * shape.inner;
    Array { data: &array[tile.start * shape.inner..], outer_stride: 0, row_stride }.outer(0)
}

fn cells(array: &mut [f32]) -> &[Cell<f32>] {
    Cell::from_mut(array).as_slice_of_cells()
}

fn input<'a>(
    rows: [Rows<'a, f32>; 2],
    terms: Terms,
    shape: Shape,
    scratch: &'a mut Scratch<f32>,
) -> Input<'a, f32> {
    Input { rows, terms, channels_last: shape.inner == 1, scratch }
}

/// As many lanes as there are channels.
fn write_lanes(column: &mut [f64], lanes: f64x2) {
    for (number, lane) in column.iter_mut().zip(lanes.to_array()) {
        *number = lane;
    }
}
