//! The affine map y = (x-μ)·r·γ + β, optionally plus a residual, optionally followed by ReLU.
//!
//! ```text
//! center c = μ rounded to an element      scale a = γ·r      shift b = β + (c-μ)·γ·r
//! y = (x-c)·a + b
//! ```
//!
//! folded in f64 once per channel, three operations in the element type for each element: x-c loses
//! nothing that matters, and what rounding μ took away is in b. (Folded further, to a·x + b', it
//! would lose log₂(|μ|/σ) bits.)
//!
//! A channel whose coefficients leave the normal range of the element type takes a path of its own:
//! scalar, in f64, rounded once ([`Channel::exact`]). It is rare; its neighbours keep their bits.

use crate::lanes::{Format, PAIR, Real, Wide};
use crate::map::{self, Exact, Formula, Given, Operands, Place, flag};
use crate::piece::Extent;
use crate::state::inverse_deviation;
use crate::table::{Table, lanes_from};
use wide::f64x2;

/// Statistics and parameters of a channel, or of two.
#[derive(Clone, Copy, Debug)]
pub struct Channel<R> {
    /// Mean μ.
    pub mean: R,
    /// Inverse standard deviation r.
    pub inverse_deviation: R,
    /// Learned scale γ.
    pub gamma: R,
    /// Learned offset β.
    pub beta: R,
}

impl<R: Wide> Channel<R> {
    /// With r = 1/√(σ²+ε).
    #[inline(always)]
    pub fn new(mean: R, variance: R, gamma: R, beta: R, epsilon: f64) -> Self {
        let inverse_deviation = inverse_deviation(variance, epsilon);
        Self { mean, inverse_deviation, gamma, beta }
    }
}

impl Channel<f64x2> {
    pub(crate) const ZERO: Self = Self {
        mean: f64x2::ZERO,
        inverse_deviation: f64x2::ZERO,
        gamma: f64x2::ZERO,
        beta: f64x2::ZERO,
    };

    /// One of them.
    pub(crate) fn lane(&self, lane: usize) -> Channel<f64> {
        let get = |lanes: f64x2| lanes.to_array()[lane];
        Channel {
            mean: get(self.mean),
            inverse_deviation: get(self.inverse_deviation),
            gamma: get(self.gamma),
            beta: get(self.beta),
        }
    }
}

impl Channel<f64> {
    /// The map in f64, before any activation. Quarters, so that neither x-μ nor the sum overflows where
    /// the result does not.
    #[inline(never)]
    pub fn exact(&self, x: f64) -> f64 {
        let distance = x * 0.25 - self.mean * 0.25;
        (product(distance, self.inverse_deviation, self.gamma) + self.beta * 0.25) * 4.0
    }
}

/// Statistics and parameters of all channels of a tile: slices of equal length.
#[derive(Clone, Copy, Debug)]
pub struct Channels<'a> {
    /// Means.
    pub mean: &'a [f64],
    /// Biased variances.
    pub variance: &'a [f64],
    /// Learned scales.
    pub gamma: &'a [f64],
    /// Learned offsets.
    pub beta: &'a [f64],
    /// What is added to each variance.
    pub epsilon: f64,
}

impl Channels<'_> {
    /// One channel.
    #[inline(always)]
    pub fn get(&self, index: usize) -> Channel<f64> {
        let [mean, variance, gamma, beta] =
            [self.mean, self.variance, self.gamma, self.beta].map(|values| values[index]);
        Channel::new(mean, variance, gamma, beta, self.epsilon)
    }

    /// Two channels, the indices given one by one.
    #[inline(always)]
    pub fn gather(&self, indices: [usize; PAIR]) -> Channel<f64x2> {
        let [mean, variance, gamma, beta] = [self.mean, self.variance, self.gamma, self.beta]
            .map(|values| f64x2::new(indices.map(|index| values[index])));
        Channel::new(mean, variance, gamma, beta, self.epsilon)
    }

    /// Two channels from the first on, or one in every lane where there is but one.
    #[inline(always)]
    pub(crate) fn lanes(&self, first: usize) -> Channel<f64x2> {
        let [mean, variance, gamma, beta] = [self.mean, self.variance, self.gamma, self.beta]
            .map(|values| lanes_from(values, first));
        Channel::new(mean, variance, gamma, beta, self.epsilon)
    }
}

/// The coefficients of y = (x-c)·a + b.
#[derive(Clone, Copy, Debug)]
pub struct Affine<V> {
    pub(crate) center: V,
    pub(crate) scale: V,
    pub(crate) shift: V,
}

impl Affine<f64x2> {
    /// Its columns in a table.
    pub(crate) fn columns(self) -> [f64x2; 3] {
        [self.center, self.scale, self.shift]
    }
}

impl<V: Real> Affine<V> {
    /// From its columns in a table.
    #[inline(always)]
    pub(crate) fn new([center, scale, shift]: [V; 3]) -> Self {
        Self { center, scale, shift }
    }

    /// The map, before any activation.
    #[inline(always)]
    pub fn apply(&self, x: V) -> V {
        (x - self.center) * self.scale + self.shift
    }
}

/// Folds two channels, and says (a bit a lane) which of them need the exact path.
#[inline(never)]
pub(crate) fn fold_lanes(format: &Format, channel: &Channel<f64x2>) -> (Affine<f64x2>, u32) {
    let &Channel { mean, inverse_deviation, gamma, beta } = channel;
    let slope = gamma * inverse_deviation;
    let center = format.round(mean);
    let scale = format.round(slope);
    let shift = format.round(beta + (center - mean) * slope);

    let limit = f64x2::splat(format.limit);
    let normal = f64x2::splat(format.smallest_normal);
    let faint = f64x2::splat(format.faint);
    let zero = f64x2::splat(0.0);
    let exact = center.abs().simd_ge(limit)
        | shift.abs().simd_ge(limit)
        | scale.abs().simd_ge(limit)
        // a scale below the normal range, or β and γ so faint that rounding twice would show
        | (scale.abs().simd_lt(normal) & gamma.simd_ne(zero) & inverse_deviation.simd_ne(zero))
        | (gamma.abs().simd_lt(faint) & beta.abs().simd_lt(faint) & gamma.simd_ne(zero));
    (Affine { center, scale, shift }, exact.to_bitmask())
}

/// a·b·c, the largest times the smallest first: no overflow or underflow on the way to a result
/// that has none.
#[inline(never)]
pub(crate) fn product(a: f64, b: f64, c: f64) -> f64 {
    let ordered = |a: f64, b: f64| if a.abs() <= b.abs() { (a, b) } else { (b, a) };
    let (a, b) = ordered(a, b);
    let (b, c) = ordered(b, c);
    let (a, b) = ordered(a, b);
    (a * c) * b
}

/// (x-c)·a + b.
#[derive(Clone, Copy)]
struct Forward {
    /// Whether a ReLU follows.
    rectifies: f64,
}

impl Formula for Forward {
    const IN_PAIRS: bool = true;

    #[inline(always)]
    fn folded<V: Real>(&self, Given { affine, x, .. }: Given<V>) -> V {
        let y = affine.apply(x);
        y.select_le(V::of(self.rectifies), V::ZERO, y)
    }
}

/// What comes of y where it is not what is left, or not the whole of it: with a residual, and in the gate.
#[derive(Clone, Copy)]
struct Joined {
    rectifies: f64,
    adds: f64,
    keeps: f64,
}

impl Formula for Joined {
    #[inline(always)]
    fn folded<V: Real>(&self, Given { affine, x, other, out, .. }: Given<V>) -> V {
        let (zero, y) = (V::ZERO, affine.apply(x));
        let y = V::of(self.adds).select_le(zero, y + other, y);
        let kept = V::of(self.keeps).select_le(zero, out, y);
        y.select_le(V::of(self.rectifies), zero, kept)
    }
}

/// What a map makes of y.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends {
    /// The other operand is added.
    pub(crate) adds: bool,
    /// 0 is left where y is not above 0.
    pub(crate) relu: bool,
    /// Elsewhere, what was there stays.
    pub(crate) keeps: bool,
}

/// y, and what is made of it, in f64.
struct ExactForward<'a> {
    table: &'a Table,
    channels: &'a Channels<'a>,
    /// The map.
    map: fn(&Channel<f64>, f64) -> f64,
    ends: Ends,
}

impl Exact for ExactForward<'_> {
    fn exact(&self, lane: usize, format: &Format, place: Place) -> f64 {
        let Place { x, other, out, .. } = place;
        let Ends { adds, relu, keeps } = self.ends;
        let mut y =
            self.table.y(format, lane, x, &|channel| (self.map)(&self.channels.get(channel), x));
        if adds {
            y = format.round_one(y + other);
        }
        if relu && y <= 0.0 {
            0.0
        } else if keeps {
            out
        } else {
            y
        }
    }
}

/// y = (x-c)·a + b, plus the other operand, the residual, if it `adds`, then ReLU if there is one. Any of
/// the arrays may be the same.
pub fn apply(
    table: &Table,
    channels: &Channels<'_>,
    operands: &Operands<'_>,
    extent: Extent,
    [adds, relu]: [bool; 2],
) {
    let ends = Ends { adds, relu, ..Ends::default() };
    run(table, channels, Channel::exact, operands, extent, ends);
}

/// With the coefficients of any table, and the map in f64.
#[inline(never)]
pub(crate) fn run(
    table: &Table,
    channels: &Channels<'_>,
    map: fn(&Channel<f64>, f64) -> f64,
    operands: &Operands<'_>,
    extent: Extent,
    ends: Ends,
) {
    let exact = &ExactForward { table, channels, map, ends };
    let [rectifies, adds, keeps] = [ends.relu, ends.adds, ends.keeps].map(flag);
    if ends.adds || ends.keeps {
        map::apply(Joined { rectifies, adds, keeps }, exact, [table; 2], operands, extent);
    } else {
        map::apply(Forward { rectifies }, exact, [table; 2], operands, extent);
    }
}
