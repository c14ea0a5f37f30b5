//! What counts of dy where the forward pass had operands per element beside x:
//!
//! ```text
//! dy' = 0 where the weight is 0, or the ReLU of (x-c)·a + b + residual was 0;  else dy
//! ```
//!
//! From then on the sums and dx need neither residual nor ReLU. Where the weight is 0, x becomes c, so
//! that no NaN that was masked out comes back as 0·NaN. A residual's own gradient is dy'.

use crate::affine::Channels;
use crate::lanes::{Format, Real};
use crate::map::{self, Arrays, Exact, Formula, Given, Place, flag};
use crate::piece::{Extent, Rows};
use crate::slope::counts;
use crate::table::{Table, Tabled};
use core::cell::Cell;

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

impl<E: Tabled> Operands<'_, E> {
    /// Writes dy, and x.
    pub fn apply(&self, table: &Table, channels: Channels<'_>, extent: Extent) {
        let &Self { x, dy, residual, weights, relu } = self;
        let other = residual.unwrap_or(x);
        let adds = flag(residual.is_some());
        let gate = Gate { channels, rectifies: flag(relu), adds, centers: flag(false) };
        let arrays = Arrays { x, other, out: dy, weights };
        if weights.is_none() {
            return gate.run::<E, false>(table, arrays, extent);
        }
        gate.run::<E, true>(table, arrays, extent);
        let gate = Gate { rectifies: flag(false), centers: flag(true), ..gate };
        gate.run::<E, true>(table, Arrays { out: x, ..arrays }, extent);
    }
}

/// What is left of the out.
#[derive(Clone, Copy)]
struct Gate<'a> {
    channels: Channels<'a>,
    /// Whether 0 is left where y is not above 0.
    rectifies: f64,
    /// Whether the other operand belongs to y.
    adds: f64,
    /// Whether the center is left where the weight is 0, instead of 0.
    centers: f64,
}

impl Gate<'_> {
    #[inline(never)]
    fn run<E: Tabled, const WEIGHTED: bool>(
        self,
        table: &Table,
        arrays: Arrays<'_, E>,
        extent: Extent,
    ) {
        let columns = E::columns(table);
        map::apply(&Gated::<WEIGHTED>(self), table, [columns, columns], arrays, extent);
    }
}

/// The gate of elements with weights, or without.
#[derive(Clone, Copy)]
struct Gated<'a, const WEIGHTED: bool>(Gate<'a>);

impl<const WEIGHTED: bool> Formula for Gated<'_, WEIGHTED> {
    const WEIGHTED: bool = WEIGHTED;

    #[inline(always)]
    fn folded<V: Real>(&self, Given { affine, x, other, out, weight, .. }: Given<V>) -> V {
        let (zero, y) = (V::ZERO, affine.apply(x));
        let y = V::of(self.0.adds).select_le(zero, y + other, y);
        let out = y.select_le(V::of(self.0.rectifies), zero, out);
        if !WEIGHTED {
            return out;
        }
        let center = affine.center.select_finite(affine.center, zero);
        let nothing = V::of(self.0.centers).select_le(zero, center, zero);
        counts::<V>(weight).select_le(zero, nothing, out)
    }
}

impl<const WEIGHTED: bool> Exact for Gated<'_, WEIGHTED> {
    fn exact(&self, index: usize, format: &Format, place: Place) -> f64 {
        self.0.exact(index, format, place)
    }
}

impl Gate<'_> {
    fn exact(&self, index: usize, format: &Format, place: Place) -> f64 {
        let Place { x, other, out, weight } = place;
        let channel = self.channels.get(index);
        let mut y = format.round_one(channel.exact(x));
        if self.adds <= 0.0 {
            y = format.round_one(y + other);
        }
        if weight <= 0.0 {
            let center = format.round_one(channel.mean);
            return if self.centers <= 0.0 && center.is_finite() { center } else { 0.0 };
        }
        if y <= self.rectifies { 0.0 } else { out }
    }
}
