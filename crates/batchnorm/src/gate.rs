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
use crate::map::{self, Exact, Formula, Given, Operands, Place, flag};
use crate::piece::Extent;
use crate::slope::counts;
use crate::table::Table;

/// What a gate does to the out.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// 0 is left where y is not above 0.
    pub relu: bool,
    /// The other operand, the residual, belongs to y.
    pub adds: bool,
    /// The out is x: the center is left where the weight is 0, instead of 0.
    pub centers: bool,
}

impl Gate {
    /// Gates dy, which is the out, or x, if it `centers`.
    pub fn apply(
        self,
        table: &Table,
        channels: &Channels<'_>,
        operands: &Operands<'_>,
        extent: Extent,
    ) {
        let exact = &ExactGate { channels, gate: self };
        let [rectifies, adds, centers] = [self.relu, self.adds, self.centers].map(flag);
        if operands.are_weighted() {
            let gate = Gated::<true> { rectifies, adds, centers };
            map::apply(gate, exact, [table; 2], operands, extent);
        } else {
            let gate = Gated::<false> { rectifies, adds, centers };
            map::apply(gate, exact, [table; 2], operands, extent);
        }
    }
}

/// The gate of elements with weights, or without.
#[derive(Clone, Copy)]
struct Gated<const WEIGHTED: bool> {
    rectifies: f64,
    adds: f64,
    centers: f64,
}

impl<const WEIGHTED: bool> Formula for Gated<WEIGHTED> {
    const WEIGHTED: bool = WEIGHTED;

    #[inline(always)]
    fn folded<V: Real>(&self, Given { affine, x, other, out, weight, .. }: Given<V>) -> V {
        let (zero, y) = (V::ZERO, affine.apply(x));
        let y = V::of(self.adds).select_le(zero, y + other, y);
        let out = y.select_le(V::of(self.rectifies), zero, out);
        if !WEIGHTED {
            return out;
        }
        let center = affine.center.select_finite(affine.center, zero);
        let nothing = V::of(self.centers).select_le(zero, center, zero);
        counts::<V>(weight).select_le(zero, nothing, out)
    }
}

/// The gate in f64.
struct ExactGate<'a> {
    channels: &'a Channels<'a>,
    gate: Gate,
}

impl Exact for ExactGate<'_> {
    fn exact(&self, index: usize, format: &Format, place: Place) -> f64 {
        let Place { x, other, out, weight } = place;
        let channel = self.channels.get(index);
        let mut y = format.round_one(channel.exact(x));
        if self.gate.adds {
            y = format.round_one(y + other);
        }
        if weight <= 0.0 {
            let center = format.round_one(channel.mean);
            return if self.gate.centers && center.is_finite() { center } else { 0.0 };
        }
        if self.gate.relu && y <= 0.0 { 0.0 } else { out }
    }
}
