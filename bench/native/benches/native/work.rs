//! One workload: its arrays, its numbers per channel, and the operations on them, tile by tile.

use crate::adapter::{Kernels, Statistics};
use std::ops::Range;

/// Bytes of a tile of channels-first arrays, as in ts/stream.ts: its second pass finds it in cache.
const TILE_BYTES: usize = 1 << 18;

/// `[reduce][channels][inner]`; inner is 1 where channels come last.
#[derive(Clone, Copy)]
pub struct Shape {
    pub reduce: usize,
    pub channels: usize,
    pub inner: usize,
}

pub struct Work {
    pub shape: Shape,
    pub x: Vec<f32>,
    pub dy: Vec<f32>,
    pub y: Vec<f32>,
    pub dx: Vec<f32>,
    pub statistics: Statistics,
    kernels: Kernels,
}

impl Work {
    pub fn new([reduce, channels, inner]: [usize; 3]) -> Self {
        let shape = Shape { reduce, channels, inner };
        let len = reduce * channels * inner;
        let mut random = Random(len as u64);
        let mut fill = |mean: f32, deviation: f32, len: usize| -> Vec<f32> {
            (0..len).map(|_| mean + deviation * random.normal()).collect()
        };
        let (x, dy) = (fill(0.3, 1.7, len), fill(0.0, 1.0, len));
        let [gamma, beta] = [(1.0, 0.2), (0.0, 0.2)].map(|(mean, deviation)| {
            fill(mean, deviation, channels).into_iter().map(f64::from).collect()
        });
        let mut work = Self {
            shape,
            x,
            dy,
            y: vec![0.0; len],
            dx: vec![0.0; len],
            statistics: Statistics::new(shape, gamma, beta),
            kernels: Kernels::default(),
        };
        work.moments();
        work
    }

    pub fn copy(&mut self) {
        self.y.copy_from_slice(&self.x);
    }

    pub fn moments(&mut self) {
        for tile in tiles(self.shape) {
            self.kernels.moments(&self.x, self.shape, tile, &mut self.statistics);
        }
    }

    pub fn forward(&mut self) {
        for tile in tiles(self.shape) {
            self.kernels.moments(&self.x, self.shape, tile.clone(), &mut self.statistics);
            self.kernels.map([&mut self.x, &mut self.y], self.shape, tile, &self.statistics);
        }
    }

    pub fn infer(&mut self) {
        for tile in tiles(self.shape) {
            self.kernels.map([&mut self.x, &mut self.y], self.shape, tile, &self.statistics);
        }
    }

    pub fn backward(&mut self) {
        for tile in tiles(self.shape) {
            self.kernels.sums([&self.x, &self.dy], self.shape, tile.clone(), &mut self.statistics);
            let arrays = [&mut self.x, &mut self.dy, &mut self.dx].map(Vec::as_mut_slice);
            self.kernels.dx(arrays, self.shape, tile, &self.statistics);
        }
    }
}

fn tiles(Shape { reduce, channels, inner }: Shape) -> impl Iterator<Item = Range<usize>> {
    let bytes_of_channel = 4 * reduce * inner;
    let width = if inner == 1 { channels } else { (TILE_BYTES / bytes_of_channel).max(1) };
    (0..channels).step_by(width).map(move |first| first..channels.min(first + width))
}

/// A linear congruential generator (Knuth).
struct Random(u64);

impl Random {
    /// In [0, 1).
    fn uniform(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    /// N(0, 1), nearly: a sum of twelve.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}
