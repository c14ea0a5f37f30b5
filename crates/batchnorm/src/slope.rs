//! dx, from x, dy and the two sums of each channel.
//!
//! ```text
//! dx = A·dy' + B·(x-c) + C         with dy' = 0 where the ReLU of the forward pass was 0, else dy
//! A = γ·r       B = -A·r·dγ/m       C = -A·dβ/m + B·(c-μ)          folded in f64
//! ```
//!
//! with c of the forward's map (see `affine`); with frozen statistics B = C = 0. Elements with weights w,
//! W their sum in place of m, have dx = A·dy' + w·(B·(x-c) + C), and 0 where w = 0 ([`crate::gate`]).
//!
//! A channel whose coefficients leave the normal range of the element type takes a path of its own, in
//! f64 ([`Totals::exact`]).

use crate::affine::{self, Channel, Channels, Ends, product};
use crate::lanes::{Element, Format, Real};
use crate::map::{self, Exact, Formula, Given, Operands, Place, flag};
use crate::piece::Extent;
use crate::table::{Coefficients, lanes_from};
use wide::f64x2;

/// What dx needs of all channels of a tile beside the forward's map: slices of equal length.
#[derive(Clone, Copy, Debug)]
pub struct Totals<'a> {
    /// dβ.
    pub dbeta: &'a [f64],
    /// dγ.
    pub dgamma: &'a [f64],
    /// The elements reduced, m, or the sum of their weights, W.
    pub count: &'a [f64],
    /// The statistics were given, not those of the batch: dx = γ·r·dy.
    pub frozen: bool,
}

impl Totals<'_> {
    /// Folds two channels from the first on, and says (a bit a lane) which of them need the exact path.
    /// B, A and C: where the statistics are frozen, center, scale and shift of an affine map of dy.
    #[inline(always)]
    pub(crate) fn fold(
        &self,
        format: &Format,
        first: usize,
        variance: &[f64],
        channel: &Channel<f64x2>,
        center: f64x2,
    ) -> ([f64x2; 3], u32) {
        let zero = f64x2::ZERO;
        let slope = channel.gamma * channel.inverse_deviation;
        if self.frozen {
            return ([zero, format.round(slope), f64x2::splat(-0.0)], 0);
        }
        let [dbeta, dgamma, count, variance] =
            [self.dbeta, self.dgamma, self.count, variance].map(|values| lanes_from(values, first));
        let lost = center - channel.mean;
        let inner = channel.inverse_deviation * (dgamma / count);
        let mean_dy = dbeta / count;
        let distance = zero - slope * inner;
        let constant = distance * lost - slope * mean_dy;

        // |x-μ| ≤ √m2, so none of the three terms can overflow where the sum does not.
        let reach = (variance * count).sqrt() + lost.abs();
        let limit = f64x2::splat(format.limit);
        let infinite = f64x2::splat(f64::INFINITY);
        let normal = f64x2::splat(format.smallest_normal);
        // Faint or 0 by underflow: no factor of B is 0.
        let normal64 = f64x2::splat(f64::SMALLEST_NORMAL);
        let faint = distance.abs().simd_lt(normal) | inner.abs().simd_lt(normal64);
        let exact = (distance * reach).abs().simd_ge(limit)
            | inner.abs().simd_ge(limit)
            | distance.abs().simd_ge(limit)
            | constant.abs().simd_ge(limit)
            // of weights that sum up to little; times a slope of 0 that is NaN
            | (mean_dy.abs().simd_ge(infinite) & dbeta.abs().simd_lt(infinite))
            | (faint & dgamma.simd_ne(zero) & slope.simd_ne(zero));
        ([distance, slope, constant].map(|lanes| format.round(lanes)), exact.to_bitmask())
    }

    /// dx of an element in f64; dy has gone through the ReLU.
    #[inline(never)]
    fn exact(&self, channel: &Channel<f64>, index: usize, x: f64, dy: f64, weight: f64) -> f64 {
        if self.frozen {
            return channel.exact_frozen(dy);
        }
        let [dbeta, dgamma, count] =
            [self.dbeta, self.dgamma, self.count].map(|values| values[index]);
        let distance = x * 0.25 - channel.mean * 0.25;
        let x_hat = product(distance, channel.inverse_deviation, 4.0);
        // Σw may be so small that total / count overflows.
        let share = |total| if weight == 1.0 { total / count } else { weight / count * total };
        channel.exact_frozen((dy - share(dbeta)) - x_hat * share(dgamma))
    }
}

impl Channel<f64> {
    /// γ·r·dy in f64.
    fn exact_frozen(&self, dy: f64) -> f64 {
        product(dy, self.inverse_deviation, self.gamma)
    }
}

/// The coefficients of dx = A·dy' + B·(x-c) + C.
#[derive(Clone, Copy, Debug)]
pub struct Slope<V> {
    distance: V,
    factor: V,
    constant: V,
}

impl<V> Slope<V> {
    /// From its columns in a table.
    #[inline(always)]
    pub(crate) fn new([distance, factor, constant]: [V; 3]) -> Self {
        Self { distance, factor, constant }
    }
}

/// dx, where dy is the other operand.
#[derive(Clone, Copy)]
struct Backward {
    /// Whether there was a ReLU.
    rectifies: f64,
    /// Whether B·(x-c) counts: not where statistics are frozen.
    follows: f64,
}

impl Formula for Backward {
    #[inline(always)]
    fn folded<V: Real>(&self, Given { affine, slope, x, other: dy, .. }: Given<V>) -> V {
        let distance = x - affine.center;
        let y = distance * affine.scale + affine.shift;
        let dy = y.select_le(V::of(self.rectifies), V::ZERO, dy);
        let rest = slope.distance * distance + slope.constant;
        let rest = V::of(self.follows).select_le(V::ZERO, rest, slope.constant);
        slope.factor * dy + rest
    }
}

/// dx in f64.
struct ExactBackward<'a> {
    coefficients: &'a Coefficients,
    channels: &'a Channels<'a>,
    totals: &'a Totals<'a>,
    relu: bool,
}

impl Exact for ExactBackward<'_> {
    fn exact(&self, lane: usize, format: &Format, place: Place) -> f64 {
        let Place { x, other: mut dy, weight, .. } = place;
        if weight <= 0.0 {
            return 0.0;
        }
        let Coefficients { affine, slope } = self.coefficients;
        let channel = |lane| self.channels.get(lane);
        if self.relu && affine.y(format, lane, x, &|lane| channel(lane).exact(x)) <= 0.0 {
            dy = 0.0;
        }
        if slope.is_exact(lane) {
            return self.totals.exact(&channel(lane), lane, x, dy, weight);
        }
        // Of weights alone, which are f64, as what is weighted is: a weight may vanish in f32. (w·(x-c))·B,
        // because a light element may lie so far off that B·(x-c) overflows.
        let [center, ..] = affine.get(format, lane);
        let [factor_of_distance, factor, constant] = slope.get(format, lane);
        let distance = format.round_one(x - center);
        let rest = (weight * distance) * factor_of_distance + weight * constant;
        format.round_one(format.round_one(factor * dy) + format.round_one(rest))
    }
}

/// dx = A·dy' + B·(x-c) + C, or, with weights, A·dy' + w·(B·(x-c) + C) and 0 where w = 0. The other operand
/// is dy; the result may lie where an operand does.
pub fn apply(
    coefficients: &Coefficients,
    channels: &Channels<'_>,
    totals: &Totals<'_>,
    operands: &Operands<'_>,
    extent: Extent,
    relu: bool,
) {
    let tables = [&coefficients.affine, &coefficients.slope];
    let exact = &ExactBackward { coefficients, channels, totals, relu };
    if totals.frozen && !relu && !operands.are_weighted() {
        let operands = &operands.other_alone();
        affine::run(tables[1], channels, Channel::exact_frozen, operands, extent, Ends::default());
    } else {
        let backward = Backward { rectifies: flag(relu), follows: flag(!totals.frozen) };
        map::apply(backward, exact, tables, operands, extent);
    }
}
