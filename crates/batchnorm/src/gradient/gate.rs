//! What counts of dy where the forward pass had operands per element beside x:
//!
//! ```text
//! dy' = 0 where the weight is 0, or the ReLU of (x-c)·a + b + residual was 0;  else dy
//! ```
//!
//! From then on the sums and dx need neither residual nor ReLU. Where the weight is 0, x becomes c, so
//! that no NaN that was masked out comes back as 0·NaN. A residual's own gradient is dy'.

use super::counts;
use crate::affine::{Affine, Channels, Map, channels_last::Table};
use crate::lanes::{Element, LANES, Lanes, Real};
use crate::piece::{Extent, Rows};
use crate::view::Blocking;
use core::cell::Cell;
use core::iter;
use wide::f64x4;

/// The arrays of a gate.
pub struct Operands<'a, E> {
    /// x, written where the weight is 0.
    pub x: Rows<'a, Cell<E>>,
    /// The gradient of y, which becomes dy'.
    pub dy: Rows<'a, Cell<E>>,
    /// What the forward pass added before its ReLU.
    pub residual: Option<Rows<'a, Cell<E>>>,
    /// The weight of each element.
    pub weights: Option<Rows<'a, Cell<f64>>>,
    /// Whether a ReLU followed.
    pub relu: bool,
}

/// A run of elements of each array.
struct Run<'a, E> {
    x: &'a [Cell<E>],
    dy: &'a [Cell<E>],
    residual: Option<&'a [Cell<E>]>,
    weights: Option<&'a [Cell<f64>]>,
    relu: bool,
}

impl<'a, E: Element> Operands<'a, E> {
    /// Of a channels-last view, whose coefficients are in the table.
    pub fn apply_last(
        &self,
        table: &Table<E>,
        extent: Extent,
        channels: Channels<'_>,
        blocking: Blocking,
    ) {
        if table.any_exact {
            for channel in 0..extent.channels {
                let map = Map::new(channels.get(channel));
                (0..extent.rows).for_each(|row| self.run(row, 1, channel, 1).each(&map));
            }
            return;
        }
        for (row, copies) in blocking.wide_rows(extent.rows) {
            let run = self.run(row, blocking.copies, 0, extent.channels * copies);
            run.lanes(&table.groups[..run.x.len().div_ceil(LANES)]);
        }
    }

    /// Of a channels-first view.
    pub fn apply_first(&self, extent: Extent, channels: Channels<'_>) {
        for channel in 0..extent.channels {
            let map = Map::new(channels.get(channel));
            for row in 0..extent.rows {
                let run = self.run(row, 1, channel * extent.inner, extent.inner);
                match &map {
                    Map::Folded(affine) => run.lanes(&[affine.splat()]),
                    Map::Exact(_) => run.each(&map),
                }
            }
        }
    }

    /// Elements `start..start + len` of a row, where `copies` rows are read as one.
    fn run(&self, row: usize, copies: usize, start: usize, len: usize) -> Run<'a, E> {
        let part = |rows: Rows<'a, Cell<E>>| rows.from(0, copies).part(row, start, len);
        Run {
            x: part(self.x),
            dy: part(self.dy),
            residual: self.residual.map(part),
            weights: self.weights.map(|rows| rows.from(0, copies).part(row, start, len)),
            relu: self.relu,
        }
    }
}

impl<E: Element> Run<'_, E> {
    /// Groups of lanes, which share one set of coefficients or have one each.
    #[inline(never)]
    fn lanes(&self, coefficients: &[Affine<E::Lanes>]) {
        match coefficients {
            [shared] => self.each_lanes(|| iter::repeat(shared)),
            _ => self.each_lanes(|| coefficients.iter()),
        }
    }

    #[inline(always)]
    fn each_lanes<'c, I: Iterator<Item = &'c Affine<E::Lanes>>>(&self, coefficients: impl Fn() -> I)
    where
        E: 'c,
    {
        let zero = E::Lanes::ZERO;
        let relu = |affine: &Affine<E::Lanes>, x, residual: Option<E::Lanes>, dy: E::Lanes| {
            let y = affine.apply(x);
            residual.map_or(y, |residual| y + residual).select_le(zero, zero, dy)
        };
        let part = |cells: &[Cell<E>]| E::Lanes::load_part(cells, zero);
        let (x, x_rest) = self.x.as_chunks::<LANES>();
        let (dy, dy_rest) = self.dy.as_chunks::<LANES>();
        let last = || coefficients().nth(x.len()).filter(|_| !x_rest.is_empty());
        if self.relu
            && let Some(residual) = self.residual
        {
            let (residual, rest) = residual.as_chunks::<LANES>();
            for (((x, dy), residual), affine) in x.iter().zip(dy).zip(residual).zip(coefficients())
            {
                let residual = Some(E::Lanes::load(residual));
                relu(affine, E::Lanes::load(x), residual, E::Lanes::load(dy)).store(dy);
            }
            if let Some(affine) = last() {
                relu(affine, part(x_rest), Some(part(rest)), part(dy_rest)).store(dy_rest);
            }
        } else if self.relu {
            for ((x, dy), affine) in x.iter().zip(dy).zip(coefficients()) {
                relu(affine, E::Lanes::load(x), None, E::Lanes::load(dy)).store(dy);
            }
            if let Some(affine) = last() {
                relu(affine, part(x_rest), None, part(dy_rest)).store(dy_rest);
            }
        }
        if let Some(weights) = self.weights {
            let (weights, rest) = weights.as_chunks::<LANES>();
            let leave = |affine: &Affine<E::Lanes>, weights, x: &[_], dy: &[_]| {
                let counts = E::Lanes::from_f64x4(counts(weights));
                counts.select_le(zero, zero, part(dy)).store(dy);
                counts.select_le(zero, affine.center, part(x)).store(x);
            };
            for (((x, dy), affine), weights) in x.iter().zip(dy).zip(coefficients()).zip(weights) {
                leave(affine, f64x4::load(weights), x, dy);
            }
            if let Some(affine) = last() {
                leave(affine, f64x4::load_part(rest, f64x4::ZERO), x_rest, dy_rest);
            }
        }
    }

    /// Element by element.
    #[cold]
    #[inline(never)]
    fn each(&self, map: &Map<E>) {
        for (index, x) in self.x.iter().enumerate() {
            let mut dy = self.dy[index].get();
            if self.relu {
                let y = map.apply(x.get());
                let y = self.residual.map_or(y, |residual| y + residual[index].get());
                dy = y.select_le(E::ZERO, E::ZERO, dy);
            }
            if self.weights.is_some_and(|weights| weights[index].get() <= 0.0) {
                dy = E::ZERO;
                x.set(map.center());
            }
            self.dy[index].set(dy);
        }
    }
}
