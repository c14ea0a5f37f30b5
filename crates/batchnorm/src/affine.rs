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
//! scalar, in f64, rounded once ([`Exact`]). It is rare; its neighbours keep their bits.

use crate::lanes::{Element, LANES, Lanes, Real, Wide, magnitude};
use crate::state::inverse_deviation;
use core::cell::Cell;
use core::iter;
use wide::f64x4;

pub mod channels_first;
pub mod channels_last;

/// Statistics and parameters of a channel, or of four.
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

impl Channel<f64> {
    /// The same channel in every lane.
    pub(crate) fn splat(&self) -> Channel<f64x4> {
        Channel {
            mean: f64x4::splat(self.mean),
            inverse_deviation: f64x4::splat(self.inverse_deviation),
            gamma: f64x4::splat(self.gamma),
            beta: f64x4::splat(self.beta),
        }
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

    /// Four channels, the indices given one by one.
    #[inline(always)]
    pub fn gather(&self, indices: [usize; 4]) -> Channel<f64x4> {
        let [mean, variance, gamma, beta] = [self.mean, self.variance, self.gamma, self.beta]
            .map(|values| f64x4::new(indices.map(|index| values[index])));
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

impl<V: Real> Affine<V> {
    pub(crate) const ZERO: Self = Self { center: V::ZERO, scale: V::ZERO, shift: V::ZERO };

    /// The map, before any activation.
    #[inline(always)]
    pub fn apply(&self, x: V) -> V {
        (x - self.center) * self.scale + self.shift
    }
}

/// Folds four channels, and says (a bit a lane) which of them need the [`Exact`] path.
#[inline(never)]
pub fn fold<V: Lanes>(channel: Channel<f64x4>) -> (Affine<V>, u32) {
    let Channel { mean, inverse_deviation, gamma, beta } = channel;
    let slope = gamma * inverse_deviation;
    let center = V::from_f64x4(mean);
    let scale = V::from_f64x4(slope);
    let shift = V::from_f64x4(beta + (center.to_f64x4() - mean) * slope);

    let limit = f64x4::splat(V::Element::LIMIT);
    let normal = f64x4::splat(V::Element::SMALLEST_NORMAL);
    let faint = f64x4::splat(V::Element::FAINT);
    let zero = f64x4::splat(0.0);
    let exact = magnitude(center.to_f64x4()).simd_ge(limit)
        | magnitude(shift.to_f64x4()).simd_ge(limit)
        | magnitude(scale.to_f64x4()).simd_ge(limit)
        // a scale below the normal range, or β and γ so faint that rounding twice would show
        | (magnitude(scale.to_f64x4()).simd_lt(normal) & gamma.simd_ne(zero) & inverse_deviation.simd_ne(zero))
        | (magnitude(gamma).simd_lt(faint) & magnitude(beta).simd_lt(faint) & gamma.simd_ne(zero));
    (Affine { center, scale, shift }, exact.to_bitmask())
}

/// The map of a channel in f64, rounded once.
#[derive(Clone, Copy, Debug)]
pub struct Exact(pub Channel<f64>);

impl Exact {
    /// The map, before any activation. Quarters, so that neither x-μ nor the sum overflows where
    /// the result does not.
    #[inline(never)]
    pub fn apply<E: Element>(&self, x: E) -> E {
        let Channel { mean, inverse_deviation, gamma, beta } = self.0;
        let distance = x.to_f64() * 0.25 - mean * 0.25;
        E::from_f64((product(distance, inverse_deviation, gamma) + beta * 0.25) * 4.0)
    }
}

/// a·b·c, the largest times the smallest first: no overflow or underflow on the way to a result
/// that has none.
pub(crate) fn product(a: f64, b: f64, c: f64) -> f64 {
    let ordered = |a: f64, b: f64| if magnitude(a) <= magnitude(b) { (a, b) } else { (b, a) };
    let (a, b) = ordered(a, b);
    let (b, c) = ordered(b, c);
    let (a, b) = ordered(a, b);
    (a * c) * b
}

/// The map of one channel, by whichever path it needs: what a scalar loop and the sign of a fused
/// activation ask for. Scalar or in lanes, the bits are the same.
#[derive(Clone, Copy, Debug)]
pub enum Map<E> {
    /// The usual one.
    Folded(Affine<E>),
    /// In f64.
    Exact(Exact),
}

impl<E: Element> Map<E> {
    /// Of one channel.
    #[inline(never)]
    pub fn new(channel: Channel<f64>) -> Self {
        let (folded, exact) = fold::<E::Lanes>(channel.splat());
        if exact == 0 { Self::Folded(folded.lane(0)) } else { Self::Exact(Exact(channel)) }
    }

    /// The mean, as an element, or 0 where it would be infinite.
    pub(crate) fn center(&self) -> E {
        match self {
            Self::Folded(affine) => affine.center,
            Self::Exact(exact) => {
                let center = E::from_f64(exact.0.mean);
                center.select_finite(center, E::ZERO)
            }
        }
    }

    /// The map, before any activation.
    #[inline(always)]
    pub fn apply(&self, x: E) -> E {
        match self {
            Self::Folded(affine) => affine.apply(x),
            Self::Exact(exact) => exact.apply(x),
        }
    }
}

impl<V: Lanes> Affine<V> {
    /// The coefficients of one lane.
    pub(crate) fn lane(&self, lane: usize) -> Affine<V::Element> {
        Affine {
            center: self.center.to_array()[lane],
            scale: self.scale.to_array()[lane],
            shift: self.shift.to_array()[lane],
        }
    }
}

impl<E: Element> Affine<E> {
    /// The same coefficients in every lane.
    pub(crate) fn splat(&self) -> Affine<E::Lanes> {
        Affine {
            center: E::Lanes::splat(self.center),
            scale: E::Lanes::splat(self.scale),
            shift: E::Lanes::splat(self.shift),
        }
    }
}

/// The result, after ReLU if there is one.
#[inline(always)]
pub(crate) fn activate<V: Real>(relu: bool, y: V) -> V {
    if relu { y.positive_part() } else { y }
}

/// y = (x-c)·a + b + residual, then ReLU if there is one, along a run of elements. Its groups of
/// lanes share one set of coefficients or have one each. Any of the arrays may be the same.
#[inline(never)]
fn add_residual<E: Element>(coefficients: &[Affine<E::Lanes>], cells: [&[Cell<E>]; 3], relu: bool) {
    match coefficients {
        [shared] => add_residual_lanes(iter::repeat(shared), cells, relu),
        _ => add_residual_lanes(coefficients.iter(), cells, relu),
    }
}

#[inline(always)]
fn add_residual_lanes<'a, V: Lanes + 'a>(
    mut coefficients: impl Iterator<Item = &'a Affine<V>>,
    cells: [&[Cell<V::Element>]; 3],
    relu: bool,
) {
    let map = |affine: &Affine<V>, x, residual| activate(relu, affine.apply(x) + residual);
    let [(x, x_rest), (y, y_rest), (residual, residual_rest)] =
        cells.map(|cells| cells.as_chunks::<LANES>());
    for (((x, y), residual), affine) in x.iter().zip(y).zip(residual).zip(&mut coefficients) {
        map(affine, V::load(x), V::load(residual)).store(y);
    }
    if let (false, Some(affine)) = (x_rest.is_empty(), coefficients.next()) {
        let [x, residual] = [x_rest, residual_rest].map(|rest| V::load_part(rest, V::ZERO));
        map(affine, x, residual).store(y_rest);
    }
}

/// The same, element by element.
#[inline(never)]
fn add_residual_each<E: Element>(map: &Map<E>, [x, y, residual]: [&[Cell<E>]; 3], relu: bool) {
    for ((x, y), residual) in x.iter().zip(y).zip(residual) {
        y.set(activate(relu, map.apply(x.get()) + residual.get()));
    }
}
