//! How the parts of the crate are called, as batchnorm-wasm calls them, on whole arrays and on
//! pieces; and a seeded generator.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod families;
pub mod operands;
pub mod weights;

use batchnorm::affine::{self, Channels};
use batchnorm::block::Group;
use batchnorm::gradient::{self, ParameterGradients};
use batchnorm::lanes::Element;
use batchnorm::map::Arrays;
use batchnorm::moments::{self, Moments};
use batchnorm::piece::{Array, Extent};
use batchnorm::slope;
use batchnorm::state::{Numbers, State};
use batchnorm::sums::{Input, Scratch, Terms};
use batchnorm::table::{Coefficients, Tabled};
use batchnorm::view::{BLOCK_ELEMENTS, Blocking, TILE};
use std::cell::Cell;
use std::fmt::Debug;
use std::ops::Range;

/// An element type under test.
pub trait Float: Tabled + Debug + Send + Sync + 'static {
    const NAME: &'static str;
    /// -log₂ of the unit roundoff.
    const PRECISION: i32;
    const MAX: f64;
    /// -log₂ of half the smallest subnormal value: the error that rounding alone may make.
    const GRAIN: i32;
}

impl Float for f32 {
    const NAME: &'static str = "f32";
    const PRECISION: i32 = 24;
    const MAX: f64 = f32::MAX as f64;
    const GRAIN: i32 = 150;
}

impl Float for f64 {
    const NAME: &'static str = "f64";
    const PRECISION: i32 = 53;
    const MAX: f64 = f64::MAX;
    const GRAIN: i32 = 1075;
}

/// `[outer][reduce][channels][inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub outer: usize,
    pub reduce: usize,
    pub channels: usize,
    pub inner: usize,
}

impl Shape {
    pub fn new(outer: usize, reduce: usize, channels: usize, inner: usize) -> Self {
        Self { outer, reduce, channels, inner }
    }

    pub fn elements(&self) -> usize {
        self.outer * self.reduce * self.channels * self.inner
    }

    /// Elements of a channel.
    pub fn count(&self) -> usize {
        self.reduce * self.inner
    }

    /// Channels of all outers.
    pub fn statistics(&self) -> usize {
        self.outer * self.channels
    }

    pub fn blocking(&self) -> Blocking {
        Blocking::new(self.channels as u64, self.inner as u64)
    }

    /// The places of a channel's elements, in the array's order.
    pub fn places(self, statistic: usize) -> impl Iterator<Item = usize> + Clone {
        let (outer, channel) = (statistic / self.channels, statistic % self.channels);
        (0..self.reduce).flat_map(move |row| {
            let start = ((outer * self.reduce + row) * self.channels + channel) * self.inner;
            start..start + self.inner
        })
    }

    /// A channel's elements.
    pub fn channel<E: Element>(self, array: &[E], statistic: usize) -> Vec<f64> {
        self.places(statistic).map(|place| array[place].to_f64()).collect()
    }

    /// An array from its channels.
    pub fn assemble<E: Element>(self, channel: impl Fn(usize) -> Vec<f64>) -> Vec<E> {
        let mut array = vec![E::ZERO; self.elements()];
        for statistic in 0..self.statistics() {
            for (place, value) in self.places(statistic).zip(channel(statistic)) {
                array[place] = E::from_f64(value);
            }
        }
        array
    }
}

/// A part of a shape that one call gets.
#[derive(Clone, Debug)]
pub struct Piece {
    pub outer: usize,
    pub rows: Range<usize>,
    pub channels: Range<usize>,
    pub inner: Range<usize>,
}

/// How an array is cut: into tiles of channels, each tile into pieces pushed one after the other.
pub type Cuts = Vec<Vec<Piece>>;

/// Nothing is cut but what has to be: outers and tiles of 2048 channels.
pub fn whole(shape: Shape) -> Cuts {
    tiles(shape, TILE)
}

/// Tiles of this many channels.
pub fn tiles(shape: Shape, width: usize) -> Cuts {
    let mut cuts = Vec::new();
    for outer in 0..shape.outer {
        for first in (0..shape.channels).step_by(width) {
            let channels = first..(first + width).min(shape.channels);
            cuts.push(vec![Piece {
                outer,
                rows: 0..shape.reduce,
                channels,
                inner: 0..shape.inner,
            }]);
        }
    }
    cuts
}

/// Cut at random multiples of blocks; segments longer than a block, channel by channel, also within.
pub fn cut_at_blocks(shape: Shape, rng: &mut Rng) -> Cuts {
    let within = shape.inner > BLOCK_ELEMENTS && rng.below(3) > 0;
    let mut cuts = if within { tiles(shape, 1) } else { whole(shape) };
    for tile in &mut cuts {
        let all = tile.pop().unwrap();
        for rows in ranges(shape.reduce, shape.blocking().rows, rng) {
            if within && rng.below(3) > 0 {
                for row in rows {
                    for inner in ranges(shape.inner, BLOCK_ELEMENTS, rng) {
                        tile.push(Piece { rows: row..row + 1, inner, ..all.clone() });
                    }
                }
            } else {
                tile.push(Piece { rows, ..all.clone() });
            }
        }
    }
    cuts
}

/// 0..len cut at random multiples of `unit`.
fn ranges(len: usize, unit: usize, rng: &mut Rng) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    while start < len {
        let end = (start + unit * (1 + rng.below(3))).min(len);
        ranges.push(start..end);
        start = end;
    }
    ranges
}

impl Piece {
    pub fn extent(&self) -> Extent {
        Extent {
            outer: 1,
            rows: self.rows.len(),
            channels: self.channels.len(),
            inner: self.inner.len(),
        }
    }

    fn array<'a, T>(&self, data: &'a [T], shape: Shape) -> Array<'a, T> {
        let row_stride = shape.channels * shape.inner;
        let first = (self.outer * shape.reduce + self.rows.start) * row_stride
            + self.channels.start * shape.inner
            + self.inner.start;
        Array { data: &data[first..], outer_stride: 0, row_stride }
    }

    /// Its elements alone.
    fn copy<T: Copy>(&self, data: &[T], shape: Shape) -> Vec<T> {
        let (rows, inner) = (self.array(data, shape).outer(0), self.inner.len());
        let places = self.rows.clone().flat_map(|row| {
            self.channels.clone().map(move |channel| (row - self.rows.start, channel))
        });
        places
            .flat_map(|(row, channel)| {
                rows.part(row, (channel - self.channels.start) * shape.inner, inner).to_vec()
            })
            .collect()
    }

    fn statistics(&self, shape: Shape) -> Range<usize> {
        let first = self.outer * shape.channels;
        first + self.channels.start..first + self.channels.end
    }
}

/// Statistics of all channels of all outers.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    pub mean: Vec<f64>,
    pub variance: Vec<f64>,
    pub count: Vec<f64>,
}

/// Parameters of all channels of all outers.
#[derive(Clone, Debug)]
pub struct Parameters {
    pub gamma: Vec<f64>,
    pub beta: Vec<f64>,
    pub epsilon: f64,
}

/// dγ and dβ of all channels of all outers.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub dgamma: Vec<f64>,
    pub dbeta: Vec<f64>,
}

fn channels<'a>(
    statistics: &'a Statistics,
    parameters: &'a Parameters,
    range: Range<usize>,
) -> Channels<'a> {
    Channels {
        mean: &statistics.mean[range.clone()],
        variance: &statistics.variance[range.clone()],
        gamma: &parameters.gamma[range.clone()],
        beta: &parameters.beta[range],
        epsilon: parameters.epsilon,
    }
}

pub fn moments<E: Float>(x: &[E], shape: Shape, cuts: &Cuts) -> Statistics {
    let blocking = shape.blocking();
    let mut statistics = Statistics::default();
    let mut reduction = Box::new(moments::Reduction::EMPTY);
    let mut elements = Box::new(Group::EMPTY);
    let mut scratch = Box::new(Scratch::<E>::EMPTY);
    for tile in cuts {
        let count = tile[0].channels.len();
        reduction.clear(count, blocking);
        for piece in tile {
            let rows = piece.array(x, shape).outer(0);
            let channels_last = shape.inner == 1;
            let scratch = &mut scratch;
            let mut x = Input { rows: [rows; 2], terms: Terms::Moments, channels_last, scratch };
            reduction.push(&mut x, piece.extent(), blocking, &mut elements);
        }
        statistics.push(count, reduction.finish(count, blocking));
    }
    statistics
}

impl Statistics {
    /// Those of so many channels.
    fn push(&mut self, channels: usize, states: &[Numbers]) {
        let end = self.mean.len() + channels;
        for moments in states.iter().map(Moments::read) {
            let (mean, variance) = moments.finish();
            self.mean.extend(mean.to_array());
            self.variance.extend(variance.to_array());
            self.count.extend(moments.count().to_array());
        }
        for column in [&mut self.mean, &mut self.variance, &mut self.count] {
            column.truncate(end);
        }
    }
}

pub fn forward<E: Float>(
    x: &[E],
    shape: Shape,
    cuts: &Cuts,
    statistics: &Statistics,
    parameters: &Parameters,
    relu: bool,
) -> Vec<E> {
    let mut x = x.to_vec();
    let mut y = vec![E::ZERO; x.len()];
    forward_cells([cells(&mut x), cells(&mut y)], shape, cuts, statistics, parameters, relu);
    y
}

pub fn cells<E>(values: &mut [E]) -> &[Cell<E>] {
    Cell::from_mut(values).as_slice_of_cells()
}

pub fn forward_cells<E: Float>(
    arrays: [&[Cell<E>]; 2],
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
            let (extent, rows) =
                (piece.extent(), arrays.map(|array| piece.array(array, shape).outer(0)));
            let [x, out] = rows;
            let operands = E::operands(Arrays { x, other: x, out, weights: None });
            affine::apply(&coefficients.affine, &channels, &operands, extent, [false, relu]);
        }
    }
}

pub fn totals<E: Float>(
    [x, dy]: [&[E]; 2],
    shape: Shape,
    cuts: &Cuts,
    statistics: &Statistics,
    parameters: &Parameters,
    relu: bool,
) -> Totals {
    let blocking = shape.blocking();
    let mut totals = Totals::default();
    let mut reduction = Box::new(gradient::Reduction::EMPTY);
    let mut elements = Box::new(Group::EMPTY);
    let mut scratch = Box::new(Scratch::<E>::EMPTY);
    for tile in cuts {
        let count = tile[0].channels.len();
        let channels = channels(statistics, parameters, tile[0].statistics(shape));
        for (index, piece) in tile.iter().enumerate() {
            let rows = [x, dy].map(|array| piece.array(array, shape).outer(0));
            let channels_last = shape.inner == 1;
            let terms = if relu { Terms::MaskedGradient } else { Terms::Gradient };
            let scratch = &mut scratch;
            let mut source = Input { rows, terms, channels_last, scratch };
            if index == 0 {
                reduction.clear(&mut source, channels, blocking);
            }
            reduction.push(&mut source, piece.extent(), blocking, &mut elements);
        }
        let end = totals.dbeta.len() + count;
        let states = reduction.finish(count, blocking);
        for gradients in states.iter().map(ParameterGradients::read) {
            let (dbeta, dgamma) = gradients.finish();
            totals.dbeta.extend(dbeta.to_array());
            totals.dgamma.extend(dgamma.to_array());
        }
        totals.dbeta.truncate(end);
        totals.dgamma.truncate(end);
    }
    totals
}

/// How dx is made: with ReLU, with frozen statistics.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    pub relu: bool,
    pub frozen: bool,
}

pub fn dx<E: Float>(
    [x, dy]: [&[E]; 2],
    shape: Shape,
    cuts: &Cuts,
    statistics: &Statistics,
    parameters: &Parameters,
    totals: &Totals,
    mode: Mode,
) -> Vec<E> {
    let (mut x, mut dy) = (x.to_vec(), dy.to_vec());
    let mut dx = vec![E::ZERO; x.len()];
    let arrays = [cells(&mut x), cells(&mut dy), cells(&mut dx)];
    dx_cells(arrays, shape, cuts, statistics, parameters, totals, mode);
    dx
}

pub fn dx_cells<E: Float>(
    arrays: [&[Cell<E>]; 3],
    shape: Shape,
    cuts: &Cuts,
    statistics: &Statistics,
    parameters: &Parameters,
    totals: &Totals,
    mode: Mode,
) {
    let count = vec![shape.count() as f64; shape.statistics()];
    let mut coefficients = Box::new(Coefficients::EMPTY);
    for tile in cuts {
        let range = tile[0].statistics(shape);
        let channels = channels(statistics, parameters, range.clone());
        let totals = slope::Totals {
            dbeta: &totals.dbeta[range.clone()],
            dgamma: &totals.dgamma[range.clone()],
            count: &count[range],
            frozen: mode.frozen,
        };
        coefficients.fill(&E::FORMAT, channels, Some(totals), tile[0].extent());
        for piece in tile {
            let (extent, rows) =
                (piece.extent(), arrays.map(|array| piece.array(array, shape).outer(0)));
            let [x, other, out] = rows;
            let operands = E::operands(Arrays { x, other, out, weights: None });
            slope::apply(&coefficients, &channels, &totals, &operands, extent, mode.relu);
        }
    }
}

/// The bits of values, every NaN the same.
pub fn bits<E: Element>(values: &[E]) -> Vec<u64> {
    let canonical = |value: f64| if value.is_nan() { f64::NAN } else { value };
    values.iter().map(|value| canonical(value.to_f64()).to_bits()).collect()
}

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0..end.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// In [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// N(0, 1) (Box, Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A number from the environment.
pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}
