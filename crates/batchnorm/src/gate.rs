//! What counts of dy where the forward pass had operands per element beside x:
//!
//! ```text
//! dy' = 0 where the weight is 0, or the ReLU of (x-c)·a + b + residual was 0;  else dy
//! ```
//!
//! From then on the sums and dx need neither residual nor ReLU. Where the weight is 0, x becomes c, so
//! that no NaN that was masked out comes back as 0·NaN. A residual's own gradient is dy'.
//!
//! So it is the map of y, which leaves what was there in place of y (see [`crate::affine`]).

use crate::affine::{self, Channel, Channels, Ends};
use crate::map::{Arrays, Operands};
use crate::piece::Extent;
use crate::table::{Table, Tabled};

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
        let Self { relu, adds, centers } = self;
        if relu {
            let (ends, operands) = (Ends { adds, relu, keeps: true }, &operands.unweighted());
            affine::run(table, channels, Channel::exact, operands, extent, ends);
        }
        match operands {
            Operands::Single(arrays) => mask(table, arrays, extent, centers),
            Operands::Double(arrays) => mask(table, arrays, extent, centers),
        }
    }
}

/// Leaves 0 or the center where the weight is 0.
#[inline(never)]
fn mask<E: Tabled>(table: &Table, arrays: &Arrays<'_, E>, extent: Extent, centers: bool) {
    let Some(weights) = arrays.weights else { return };
    let Extent { rows, channels, inner, .. } = extent;
    let step = if table.inner() == inner { 1 } else { inner };
    for row in 0..rows {
        let out = arrays.out.part(row, 0, channels * inner);
        let weights = weights.part(row, 0, channels * inner);
        for (index, (out, weight)) in out.iter().zip(weights).enumerate() {
            if weight.get() <= 0.0 {
                out.set(E::from_f64(if centers {
                    table.center(&E::FORMAT, index / step)
                } else {
                    0.0
                }));
            }
        }
    }
}
