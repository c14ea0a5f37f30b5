//! The gradient: two sums per channel, then dx.
//!
//! ```text
//! with c, a, b of the forward's map (see `affine`), and dy' = 0 where its ReLU was 0, else dy:
//!     S = Σdy'      P = Σdy'·(x-c)             in lanes of the element type, block by block
//!     dβ += S       dγ += r·(P + (c-μ)·S)                              in f64
//!     dx = A·dy' + B·(x-c) + C
//!     A = γ·r       B = -A·r·dγ/m       C = -A·dβ/m + B·(c-μ)          folded in f64
//! ```
//!
//! with frozen statistics B = C = 0. The sign of the forward's result is computed again from x with
//! the same operations, hence the same bits; no mask is kept. Elements with weights w, W their sum in
//! place of m, have dx = A·dy' + w·(B·(x-c) + C), and 0 where w = 0 ([`gate`]).
//!
//! A block whose sums overflow, or underflow, is summed again in f64 ([`careful`]); a channel whose
//! coefficients leave the normal range of the element type takes f64 for dx too ([`ExactSlope`]).

use crate::affine::{Affine, Channel, Channels, Map, product};
use crate::lanes::{Element, LANES, Lanes, Real, Wide, cells_of, magnitude};
use crate::state::{LaneState, State, Sum, with_lane};
use core::cell::Cell;
use wide::f64x4;

pub mod channels_first;
pub mod channels_last;
pub mod gate;

/// dβ and dγ: of a channel, or of four.
#[derive(Clone, Copy, Debug)]
pub struct ParameterGradients<R> {
    pub(crate) dbeta: Sum<R>,
    pub(crate) dgamma: Sum<R>,
}

impl<R: Real> State for ParameterGradients<R> {
    const EMPTY: Self = Self { dbeta: Sum::ZERO, dgamma: Sum::ZERO };

    #[inline(always)]
    fn merge(self, other: Self) -> Self {
        Self { dbeta: self.dbeta.merge(other.dbeta), dgamma: self.dgamma.merge(other.dgamma) }
    }

    fn is_empty(&self) -> bool {
        false // nothing is lost by adding zeros
    }
}

impl LaneState for ParameterGradients<f64x4> {
    type Lane = ParameterGradients<f64>;

    fn lane(&self, lane: usize) -> ParameterGradients<f64> {
        let get = |lanes: f64x4| lanes.to_array()[lane];
        ParameterGradients { dbeta: self.dbeta.map(get), dgamma: self.dgamma.map(get) }
    }

    fn set_lane(&mut self, lane: usize, state: ParameterGradients<f64>) {
        let set = |lanes, value| with_lane(lanes, lane, value);
        self.dbeta = self.dbeta.zip(state.dbeta, set);
        self.dgamma = self.dgamma.zip(state.dgamma, set);
    }
}

impl<R: Real> ParameterGradients<R> {
    /// Of a block with these sums; `lost` is c-μ.
    #[inline(always)]
    fn of_block(sums: Total<R>, inverse_deviation: R, lost: R) -> Self {
        let dgamma = inverse_deviation * (sums.product + lost * sums.sum.value());
        Self { dbeta: sums.sum, dgamma: Sum::new(dgamma) }
    }

    /// (dβ, dγ).
    pub fn finish(&self) -> (R, R) {
        (self.dbeta.value(), self.dgamma.value())
    }
}

/// Σdy' and Σdy'·(x-c) of a block.
#[derive(Clone, Copy, Debug)]
struct Sums<V> {
    sum: V,
    product: V,
}

impl<V: Real> Sums<V> {
    const ZERO: Self = Self { sum: V::ZERO, product: V::ZERO };

    /// Four more elements, as a tree.
    #[inline(always)]
    fn push_four<const RELU: bool>(&mut self, x: [V; 4], dy: [V; 4], affine: &Affine<V>) {
        let [x0, x1, x2, x3] = x.map(|x| x - affine.center);
        let [g0, g1, g2, g3] = [(x0, dy[0]), (x1, dy[1]), (x2, dy[2]), (x3, dy[3])]
            .map(|(x, dy)| affine.mask(RELU, x, dy));
        self.sum = self.sum + ((g0 + g1) + (g2 + g3));
        self.product = self.product + ((g0 * x0 + g1 * x1) + (g2 * x2 + g3 * x3));
    }

    /// One more element.
    #[inline(always)]
    fn push<const RELU: bool>(&mut self, x: V, dy: V, affine: &Affine<V>) {
        let x = x - affine.center;
        let dy = affine.mask(RELU, x, dy);
        self.sum = self.sum + dy;
        self.product = self.product + dy * x;
    }
}

impl<V: Real> Affine<V> {
    /// dy', from x-c: what the ReLU of the forward lets through.
    #[inline(always)]
    fn mask(&self, relu: bool, distance: V, dy: V) -> V {
        if relu { (distance * self.scale + self.shift).select_le(V::ZERO, V::ZERO, dy) } else { dy }
    }
}

/// The same sums in f64, of one channel's elements, with (x-μ)·r in place of x-c, so that they
/// overflow only where dγ does.
#[inline(never)]
fn careful<E: Element>(
    relu: bool,
    elements: impl Iterator<Item = (E, E)>,
    channel: &Channel<f64>,
    map: &Map<E>,
) -> ParameterGradients<f64> {
    let mut gradients = ParameterGradients::EMPTY;
    for (x, dy) in elements {
        if relu && map.apply(x) <= E::ZERO {
            continue;
        }
        let dy = dy.to_f64();
        let distance = x.to_f64() * 0.25 - channel.mean * 0.25;
        gradients.dbeta = gradients.dbeta.plus(dy);
        gradients.dgamma =
            gradients.dgamma.plus(product(dy, distance, channel.inverse_deviation) * 4.0);
    }
    gradients
}

/// The sums of several parts of a block.
#[derive(Clone, Copy, Debug)]
struct Total<R> {
    sum: Sum<R>,
    product: R,
}

impl<R: Real> Total<R> {
    const ZERO: Self = Self { sum: Sum::ZERO, product: R::ZERO };

    /// One part more.
    #[inline(always)]
    fn plus(self, part: Sums<R>) -> Self {
        Self { sum: self.sum.plus(part.sum), product: self.product + part.product }
    }
}

/// The sums of a block's lanes, widened.
#[inline(always)]
fn widen<V: Lanes>(sums: Sums<V>) -> Sums<f64x4> {
    Sums { sum: sums.sum.to_f64x4(), product: sums.product.to_f64x4() }
}

/// What dx needs of a channel, or of four, beside the forward's map.
#[derive(Clone, Copy, Debug)]
pub struct Totals<R> {
    /// dβ.
    pub dbeta: R,
    /// dγ.
    pub dgamma: R,
    /// Biased variance.
    pub variance: R,
    /// The elements reduced, m.
    pub count: R,
}

impl Totals<f64> {
    /// The same totals in every lane.
    fn splat(&self) -> Totals<f64x4> {
        Totals {
            dbeta: f64x4::splat(self.dbeta),
            dgamma: f64x4::splat(self.dgamma),
            variance: f64x4::splat(self.variance),
            count: f64x4::splat(self.count),
        }
    }
}

/// The totals of all channels of a tile: slices of equal length; the statistics may be frozen.
#[derive(Clone, Copy, Debug)]
pub struct TotalsTable<'a> {
    /// dβ.
    pub dbeta: &'a [f64],
    /// dγ.
    pub dgamma: &'a [f64],
    /// The elements reduced, m.
    pub count: &'a [f64],
    /// The statistics were given, not those of the batch: dx = γ·r·dy.
    pub frozen: bool,
}

impl TotalsTable<'_> {
    fn get(&self, channels: Channels<'_>, index: usize) -> Totals<f64> {
        Totals {
            dbeta: self.dbeta[index],
            dgamma: self.dgamma[index],
            variance: channels.variance[index],
            count: self.count[index],
        }
    }

    fn gather(&self, channels: Channels<'_>, indices: [usize; 4]) -> Totals<f64x4> {
        let [dbeta, dgamma, variance, count] =
            [self.dbeta, self.dgamma, channels.variance, self.count]
                .map(|values| f64x4::new(indices.map(|index| values[index])));
        Totals { dbeta, dgamma, variance, count }
    }
}

/// The coefficients of dx = A·dy' + B·(x-c) + C.
#[derive(Clone, Copy, Debug)]
pub struct Slope<V> {
    affine: Affine<V>,
    dy: V,
    distance: V,
    constant: V,
}

impl<V: Real> Slope<V> {
    const ZERO: Self =
        Self { affine: Affine::ZERO, dy: V::ZERO, distance: V::ZERO, constant: V::ZERO };

    /// dx.
    #[inline(always)]
    fn apply(&self, relu: bool, frozen: bool, x: V, dy: V) -> V {
        let distance = x - self.affine.center;
        let dy = self.affine.mask(relu, distance, dy);
        if frozen {
            self.dy * dy
        } else {
            self.dy * dy + (self.distance * distance + self.constant)
        }
    }
}

impl<V: Lanes> Slope<V> {
    /// dx of elements with weights; dy went through the [`gate`]. The weighted part is f64's, since a
    /// weight may vanish in f32. (w·(x-c))·B, because a light element may lie so far off that
    /// B·(x-c) overflows.
    #[inline(always)]
    fn apply_weighted(&self, x: V, dy: V, weight: f64x4) -> V {
        let [distance, slope, constant] =
            [x - self.affine.center, self.distance, self.constant].map(Lanes::to_f64x4);
        let rest = (weight * distance) * slope + weight * constant;
        let dx = self.dy * dy + V::from_f64x4(rest);
        V::from_f64x4(counts(weight)).select_le(V::ZERO, V::ZERO, dx)
    }
}

/// Folds four channels, and says (a bit a lane) which of them need the [`ExactSlope`].
#[inline(never)]
fn fold<V: Lanes>(channel: Channel<f64x4>, totals: Totals<f64x4>, frozen: bool) -> (Slope<V>, u32) {
    let (affine, exact) = crate::affine::fold::<V>(channel);
    let slope = channel.gamma * channel.inverse_deviation;
    let dy = V::from_f64x4(slope);
    if frozen {
        return (Slope { affine, dy, distance: V::ZERO, constant: V::ZERO }, exact);
    }
    let lost = affine.center.to_f64x4() - channel.mean;
    let zero = f64x4::splat(0.0);
    let inner = channel.inverse_deviation * (totals.dgamma / totals.count);
    let distance64 = zero - slope * inner;
    let mean_dy = totals.dbeta / totals.count;
    let constant64 = distance64 * lost - slope * mean_dy;
    let distance = V::from_f64x4(distance64);
    let constant = V::from_f64x4(constant64);

    // |x-μ| ≤ √m2, so none of the three terms can overflow where the sum does not.
    let reach = (totals.variance * totals.count).sqrt() + magnitude(lost);
    let limit = f64x4::splat(V::Element::LIMIT);
    let infinite = f64x4::splat(f64::INFINITY);
    let normal = f64x4::splat(V::Element::SMALLEST_NORMAL);
    // Faint or 0 by underflow: no factor of B is 0.
    let normal64 = f64x4::splat(f64::SMALLEST_NORMAL);
    let faint = magnitude(distance64).simd_lt(normal) | magnitude(inner).simd_lt(normal64);
    let exact_slope = magnitude(distance64 * reach).simd_ge(limit)
        | magnitude(inner).simd_ge(limit)
        | magnitude(distance64).simd_ge(limit)
        | magnitude(constant64).simd_ge(limit)
        // of weights that sum up to little; times a slope of 0 that is NaN
        | (magnitude(mean_dy).simd_ge(infinite) & magnitude(totals.dbeta).simd_lt(infinite))
        | (faint & totals.dgamma.simd_ne(zero) & slope.simd_ne(zero));
    (Slope { affine, dy, distance, constant }, exact | exact_slope.to_bitmask())
}

/// dx of a channel in f64, rounded once.
#[derive(Clone, Copy, Debug)]
struct ExactSlope<E> {
    channel: Channel<f64>,
    map: Map<E>,
    totals: Totals<f64>,
    frozen: bool,
}

impl<E: Element> ExactSlope<E> {
    #[inline(never)]
    fn apply(&self, relu: bool, x: E, dy: E, weight: f64) -> E {
        let Channel { mean, inverse_deviation, gamma, .. } = self.channel;
        if weight <= 0.0 {
            return E::ZERO;
        }
        let masked = relu && self.map.apply(x) <= E::ZERO;
        let mut dy = if masked { 0.0 } else { dy.to_f64() };
        if !self.frozen {
            let Totals { dbeta, dgamma, count, .. } = self.totals;
            let distance = x.to_f64() * 0.25 - mean * 0.25;
            let x_hat = product(distance, inverse_deviation, 4.0);
            // Σw may be so small that total / count overflows.
            let share = |total| if weight == 1.0 { total / count } else { weight / count * total };
            dy = (dy - share(dbeta)) - x_hat * share(dgamma);
        }
        E::from_f64(product(dy, inverse_deviation, gamma))
    }
}

/// dx of a run of elements with weights, whose groups of lanes share one set of coefficients or have
/// one each.
#[inline(never)]
fn apply_weighted<E: Element>(
    coefficients: &[Slope<E::Lanes>],
    [x, dy, dx]: [&[Cell<E>]; 3],
    weights: &[Cell<f64>],
) {
    for group in 0..x.len().div_ceil(LANES) {
        let slope = &coefficients[group.min(coefficients.len() - 1)];
        let [x, dy] = [x, dy].map(|cells| cells_of(cells, group));
        slope.apply_weighted(x, dy, cells_of(weights, group)).store(&dx[group * LANES..]);
    }
}

/// The same, element by element.
#[inline(never)]
fn apply_weighted_each<E: Element>(
    map: &SlopeMap<E>,
    [x, dy, dx]: [&[Cell<E>]; 3],
    weights: &[Cell<f64>],
) {
    for (((x, dy), dx), weight) in x.iter().zip(dy).zip(dx).zip(weights) {
        dx.set(map.apply_weighted(x.get(), dy.get(), weight.get()));
    }
}

/// 0 for a weight of 0, else 1: in f32 a weight itself might vanish.
#[inline(always)]
fn counts<R: Wide>(weight: R) -> R {
    weight.select_le(R::ZERO, R::ZERO, R::splat(1.0))
}

/// dx of one channel, by whichever path it needs.
enum SlopeMap<E> {
    Folded(Slope<E>),
    Exact(ExactSlope<E>),
}

impl<E: Element> SlopeMap<E> {
    #[inline(never)]
    fn new(channel: Channel<f64>, totals: Totals<f64>, frozen: bool) -> Self {
        let (slope, exact) = fold::<E::Lanes>(channel.splat(), totals.splat(), frozen);
        if exact == 0 {
            Self::Folded(slope.lane(0))
        } else {
            Self::Exact(ExactSlope { channel, map: Map::new(channel), totals, frozen })
        }
    }

    fn apply(&self, relu: bool, frozen: bool, x: E, dy: E) -> E {
        match self {
            Self::Folded(slope) => slope.apply(relu, frozen, x, dy),
            Self::Exact(exact) => exact.apply(relu, x, dy, 1.0),
        }
    }

    fn apply_weighted(&self, x: E, dy: E, weight: f64) -> E {
        match self {
            Self::Folded(slope) => {
                let [x, dy] = [x, dy].map(E::Lanes::splat);
                slope.splat().apply_weighted(x, dy, f64x4::splat(weight)).to_array()[0]
            }
            Self::Exact(exact) => exact.apply(false, x, dy, weight),
        }
    }
}

impl<V: Lanes> Slope<V> {
    fn lane(&self, lane: usize) -> Slope<V::Element> {
        Slope {
            affine: self.affine.lane(lane),
            dy: self.dy.to_array()[lane],
            distance: self.distance.to_array()[lane],
            constant: self.constant.to_array()[lane],
        }
    }
}

impl<E: Element> Slope<E> {
    fn splat(&self) -> Slope<E::Lanes> {
        Slope {
            affine: self.affine.splat(),
            dy: E::Lanes::splat(self.dy),
            distance: E::Lanes::splat(self.distance),
            constant: E::Lanes::splat(self.constant),
        }
    }
}
