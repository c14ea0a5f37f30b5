//! Four lanes of f32 or f64, and the scalar beside them.
//!
//! A formula is written once, for any [`Real`]: a scalar or lanes. Of what `wide` offers only
//! the operations of IEEE 754 are used (+ - · / √ comparison, selection); `max`, `mul_add`,
//! horizontal sums and reciprocals differ between targets in rounding or in what they do to NaN and
//! -0, so none of them appears. An f64x4 is two registers of 128 bits: both element types have four
//! lanes and hence the same order of additions.

use core::ops::{Add, Div, Mul, Sub};
use wide::f32x4;
pub use wide::f64x2;
use wide::f64x4;

/// Elements that are summed side by side, of either type.
pub const LANES: usize = 4;
/// Channels whose f64 numbers are computed side by side: a register of them.
pub const PAIR: usize = 2;

/// A number, or lanes of numbers: what formulas are written in.
pub trait Real:
    Copy + PartialEq + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// Zero.
    const ZERO: Self;
    /// The number, rounded to nearest, in every lane.
    fn of(value: f64) -> Self;
    /// `self <= bound ? then : otherwise`, lane by lane; a NaN compares false.
    fn select_le(self, bound: Self, then: Self, otherwise: Self) -> Self;

    /// `then` where `self` is finite, `otherwise` where it is infinite or NaN.
    #[inline(always)]
    fn select_finite(self, then: Self, otherwise: Self) -> Self {
        #[expect(clippy::eq_op, reason = "0 if finite, else NaN")]
        let nothing = self - self;
        nothing.select_le(Self::ZERO, then, otherwise)
    }

    /// ReLU: `self <= 0 ? +0 : self`, which lets NaN pass and has one sign of zero.
    #[inline(always)]
    fn positive_part(self) -> Self {
        self.select_le(Self::ZERO, Self::ZERO, self)
    }
}

/// A [`Real`] of f64, in which the few numbers per channel are computed.
pub trait Wide: Real {
    /// The number in every lane.
    fn splat(value: f64) -> Self;
    /// The correctly rounded square root.
    fn sqrt(self) -> Self;
}

/// An element type as data: what coefficients, which are computed in f64 for either type, are rounded
/// to and judged by.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// f32, else f64.
    pub single: bool,
    /// [`Element::LIMIT`].
    pub limit: f64,
    /// [`Element::SMALLEST_NORMAL`].
    pub smallest_normal: f64,
    /// [`Element::FAINT`].
    pub faint: f64,
}

impl Format {
    /// Of an element type.
    pub const fn of<E: Element>() -> Self {
        Self {
            single: size_of::<E>() == size_of::<f32>(),
            limit: E::LIMIT,
            smallest_normal: E::SMALLEST_NORMAL,
            faint: E::FAINT,
        }
    }

    /// Rounds each lane to an element.
    #[inline(always)]
    pub fn round(&self, values: f64x2) -> f64x2 {
        if self.single {
            f64x2::new(values.to_array().map(|value| f64::from(value as f32)))
        } else {
            values
        }
    }

    /// Rounds a number to an element. Of +, -, · and / of two elements it is what the operation in the
    /// element type gives: f64 has more than twice the digits of f32.
    pub fn round_one(&self, value: f64) -> f64 {
        if self.single { f64::from(value as f32) } else { value }
    }
}

/// An element type: f32 or f64.
pub trait Element: Real + PartialOrd {
    /// Four of them.
    type Lanes: Lanes<Element = Self>;
    /// Whether f64 is wider.
    const IS_NARROW: bool;
    /// Half of the last place of the largest finite value, as f64: numbers below it can be added to
    /// any finite value without overflow.
    const LIMIT: f64;
    /// The smallest normal value.
    const SMALLEST_NORMAL: f64;
    /// A sum of squares or products below this may have lost digits to underflow.
    const FAINT: f64;
    /// The type as data.
    const FORMAT: Format = Format::of::<Self>();
    /// Widens, exactly.
    fn to_f64(self) -> f64;
    /// Rounds to nearest.
    fn from_f64(value: f64) -> Self;
}

/// Four lanes of an [`Element`].
pub trait Lanes: Real {
    /// What is in a lane.
    type Element: Element<Lanes = Self>;
    /// From an array.
    fn new(values: [Self::Element; LANES]) -> Self;
    /// To an array.
    fn to_array(self) -> [Self::Element; LANES];
    /// Widens each lane, exactly.
    fn to_pairs(self) -> [f64x2; 2];

    /// One number in every lane.
    #[inline(always)]
    fn splat(value: Self::Element) -> Self {
        Self::new([value; LANES])
    }
    /// From up to four values; `fill` in the lanes that are left.
    #[inline(always)]
    fn from_part(values: &[Self::Element], fill: Self) -> Self {
        let mut lanes = fill.to_array();
        for (lane, &value) in lanes.iter_mut().zip(values) {
            *lane = value;
        }
        Self::new(lanes)
    }
}

macro_rules! impl_lanes {
    ($element:ident, $lanes:ident) => {
        impl Real for $element {
            const ZERO: Self = 0.0;
            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $element
            }
            #[inline(always)]
            fn select_le(self, bound: Self, then: Self, otherwise: Self) -> Self {
                if self <= bound { then } else { otherwise }
            }
        }
        impl Real for $lanes {
            const ZERO: Self = $lanes::new([0.0; LANES]);
            #[inline(always)]
            fn of(value: f64) -> Self {
                $lanes::splat(value as $element)
            }
            #[inline(always)]
            fn select_le(self, bound: Self, then: Self, otherwise: Self) -> Self {
                self.simd_le(bound).select(then, otherwise)
            }
        }
        impl Lanes for $lanes {
            type Element = $element;
            #[inline(always)]
            fn new(values: [$element; LANES]) -> Self {
                $lanes::new(values)
            }
            #[inline(always)]
            fn to_array(self) -> [$element; LANES] {
                $lanes::to_array(self)
            }
            #[inline(always)]
            fn to_pairs(self) -> [f64x2; 2] {
                let [a, b, c, d] = self.to_array().map(f64::from);
                [f64x2::new([a, b]), f64x2::new([c, d])]
            }
        }
    };
}

impl_lanes!(f32, f32x4);
impl_lanes!(f64, f64x4);

impl Element for f32 {
    type Lanes = f32x4;
    const IS_NARROW: bool = true;
    const LIMIT: f64 = power_of_two(103);
    const SMALLEST_NORMAL: f64 = power_of_two(-126);
    const FAINT: f64 = power_of_two(-96);
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }
}

impl Element for f64 {
    type Lanes = f64x4;
    const IS_NARROW: bool = false;
    const LIMIT: f64 = power_of_two(970);
    const SMALLEST_NORMAL: f64 = power_of_two(-1022);
    const FAINT: f64 = power_of_two(-960);
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
}

impl Wide for f64 {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        value
    }
    // core has no square root; the lanes have.
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64x2::splat(self).sqrt().to_array()[0]
    }
}

impl Wide for f64x2 {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        f64x2::splat(value)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64x2::sqrt(self)
    }
}

/// |v|, keeping NaN.
#[inline(always)]
pub(crate) fn magnitude<R: Real>(v: R) -> R {
    v.select_le(R::ZERO, R::ZERO - v, v)
}

/// Whether both lanes are finite.
#[inline(always)]
pub(crate) fn are_finite(v: f64x2) -> bool {
    magnitude(v).simd_lt(f64x2::splat(f64::INFINITY)).all()
}

/// 2 to the power of `exponent`, for normal results.
pub const fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}
