//! The only file that calls the crate: one tile of channels, as batchnorm-wasm does on resident arrays.

use crate::work::Shape;
use batchnorm::affine::{self, Channels};
use batchnorm::gradient::{self, TotalsTable};
use batchnorm::moments;
use batchnorm::piece::{Array, Extent, Rows};
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

    fn totals(&self, tile: Range<usize>) -> TotalsTable<'_> {
        TotalsTable {
            dbeta: &self.dbeta[tile.clone()],
            dgamma: &self.dgamma[tile.clone()],
            count: &self.count[tile],
            frozen: false,
        }
    }
}

/// What the crate keeps between its calls.
pub struct Kernels {
    moments_first: Box<moments::channels_first::Reduction<f32>>,
    moments_last: Box<moments::channels_last::Reduction<f32>>,
    affine_last: Box<affine::channels_last::Table<f32>>,
    gradient_first: Box<gradient::channels_first::Reduction<f32>>,
    gradient_last: Box<gradient::channels_last::Reduction<f32>>,
    slope_last: Box<gradient::channels_last::Table<f32>>,
}

impl Default for Kernels {
    fn default() -> Self {
        Self {
            moments_first: Box::new(moments::channels_first::Reduction::EMPTY),
            moments_last: Box::new(moments::channels_last::Reduction::EMPTY),
            affine_last: Box::new(affine::channels_last::Table::EMPTY),
            gradient_first: Box::new(gradient::channels_first::Reduction::EMPTY),
            gradient_last: Box::new(gradient::channels_last::Reduction::EMPTY),
            slope_last: Box::new(gradient::channels_last::Table::EMPTY),
        }
    }
}

impl Kernels {
    /// Mean and variance.
    pub fn moments(&mut self, x: &[f32], shape: Shape, tile: Range<usize>, to: &mut Statistics) {
        let (extent, blocking, rows) =
            (extent(shape, &tile), blocking(shape), rows(x, shape, &tile));
        if shape.inner == 1 {
            self.moments_last.clear(extent.channels, blocking);
            self.moments_last.push(rows, extent, blocking);
            let finished = self.moments_last.finish(extent.channels, blocking);
            for (channel, moments) in tile.zip(finished) {
                (to.mean[channel], to.variance[channel]) = moments.finish();
            }
        } else {
            self.moments_first.clear(extent.channels);
            self.moments_first.push(rows, extent, blocking);
            for (index, channel) in tile.enumerate() {
                (to.mean[channel], to.variance[channel]) =
                    self.moments_first.finish(index).finish();
            }
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
        let (extent, blocking, channels) =
            (extent(shape, &tile), blocking(shape), by.channels(tile.clone()));
        let rows = arrays.map(|array| rows(cells(array), shape, &tile));
        if shape.inner == 1 {
            self.affine_last.fill(channels, blocking);
            self.affine_last.apply::<false>(rows, extent, channels, blocking);
        } else {
            affine::channels_first::apply::<f32, false>(rows, extent, channels);
        }
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
        let [x, dy] = arrays.map(|array| rows(array, shape, &tile));
        let channels = to.channels(tile.clone());
        if shape.inner == 1 {
            self.gradient_last.clear(channels, blocking);
            self.gradient_last.push::<false>(x, dy, extent, channels, blocking);
            let finished = self.gradient_last.finish(extent.channels, blocking);
            for (channel, gradients) in tile.zip(finished) {
                (to.dbeta[channel], to.dgamma[channel]) = gradients.finish();
            }
        } else {
            self.gradient_first.clear(extent.channels);
            self.gradient_first.push::<false>(x, dy, extent, channels, blocking);
            for (index, channel) in tile.enumerate() {
                (to.dbeta[channel], to.dgamma[channel]) =
                    self.gradient_first.finish(index).finish();
            }
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
        let (extent, blocking) = (extent(shape, &tile), blocking(shape));
        let (channels, totals) = (by.channels(tile.clone()), by.totals(tile.clone()));
        let rows = arrays.map(|array| rows(cells(array), shape, &tile));
        if shape.inner == 1 {
            self.slope_last.fill(channels, totals, blocking);
            self.slope_last.apply::<false, false>(rows, extent, channels, totals, blocking);
        } else {
            gradient::channels_first::apply::<f32, false, false>(rows, extent, channels, totals);
        }
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
