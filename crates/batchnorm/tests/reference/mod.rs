//! The oracle: batch normalization as the textbook has it, element after element, in a number type
//! wider than what it judges. It shares no code with the crate.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A double-double number with an exponent of its own: (high + low)·2^exponent, of about 104 bits,
/// that neither overflows nor underflows. 1 ≤ |high| < 2, or all is 0.
#[derive(Clone, Copy, Debug)]
pub struct Wide {
    high: f64,
    low: f64,
    exponent: i32,
}

fn power_of_two(exponent: i32) -> f64 {
    assert!((-1022..=1023).contains(&exponent));
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// a + b = high + low, exactly (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let high = a + b;
    let part = high - a;
    (high, (a - (high - part)) + (b - part))
}

/// a·b = high + low, exactly (Veltkamp, Dekker); far from overflow.
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let split = |v: f64| {
        let big = 134_217_729.0 * v;
        let high = big - (big - v);
        (high, v - high)
    };
    let high = a * b;
    let ((a1, a2), (b1, b2)) = (split(a), split(b));
    (high, ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2)
}

impl Wide {
    pub const ZERO: Self = Self { high: 0.0, low: 0.0, exponent: 0 };

    fn new(high: f64, low: f64, exponent: i32) -> Self {
        let (high, low) = two_sum(high, low);
        if high == 0.0 {
            return Self::ZERO;
        }
        let own = ((high.to_bits() >> 52) & 0x7ff) as i32 - 1023;
        let scale = power_of_two(-own);
        Self { high: high * scale, low: low * scale, exponent: exponent + own }
    }

    /// 2^exponent.
    pub fn power(exponent: i32) -> Self {
        Self { high: 1.0, low: 0.0, exponent }
    }

    pub fn abs(self) -> Self {
        if self.high < 0.0 { -self } else { self }
    }

    pub fn is_zero(self) -> bool {
        self.high == 0.0
    }

    pub fn max(self, other: Self) -> Self {
        if (self - other).high < 0.0 { other } else { self }
    }

    pub fn sqrt(self) -> Self {
        assert!(self.high >= 0.0);
        if self.is_zero() {
            return self;
        }
        let odd = self.exponent.rem_euclid(2);
        let mantissa = Self { exponent: odd, ..self };
        let mut root = Self::from(mantissa.to_f64().sqrt());
        for _ in 0..2 {
            root = root + (mantissa - root * root) / (root + root);
        }
        Self { exponent: root.exponent + (self.exponent - odd) / 2, ..root }
    }

    /// Rounded, to infinity or 0 where it leaves the range.
    pub fn to_f64(self) -> f64 {
        let half = self.exponent / 2;
        match self.exponent {
            -1500..=1024 => self.high * 2f64.powi(half) * 2f64.powi(self.exponent - half),
            1025.. => self.high * f64::INFINITY,
            _ => self.high * 0.0,
        }
    }
}

impl From<f64> for Wide {
    fn from(value: f64) -> Self {
        assert!(value.is_finite(), "the oracle knows finite numbers only");
        if value.abs() < power_of_two(-900) {
            return Self::new(value * power_of_two(200), 0.0, -200);
        }
        if value.abs() > power_of_two(900) {
            return Self::new(value * power_of_two(-200), 0.0, 200);
        }
        Self::new(value, 0.0, 0)
    }
}

impl Neg for Wide {
    type Output = Self;
    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low, ..self }
    }
}

impl Add for Wide {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        if self.is_zero() {
            return other;
        }
        if other.is_zero() {
            return self;
        }
        let (a, b) = if self.exponent < other.exponent { (other, self) } else { (self, other) };
        let distance = a.exponent - b.exponent;
        if distance > 300 {
            return a;
        }
        let scale = power_of_two(-distance);
        let (high, high_lost) = two_sum(a.high, b.high * scale);
        let (low, low_lost) = two_sum(a.low, b.low * scale);
        let (high, rest) = two_sum(high, high_lost + low);
        Self::new(high, rest + low_lost, a.exponent)
    }
}

impl Sub for Wide {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Wide {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let (high, lost) = two_product(self.high, other.high);
        let cross = self.high * other.low + self.low * other.high;
        Self::new(high, lost + cross, self.exponent + other.exponent)
    }
}

impl Div for Wide {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        assert!(!other.is_zero());
        let (mut quotient, mut rest) = (Self::ZERO, self);
        for _ in 0..3 {
            let exponent = rest.exponent - other.exponent;
            let digit = Self::new(rest.high / other.high, 0.0, exponent);
            quotient = quotient + digit;
            rest = rest - digit * other;
        }
        quotient
    }
}

/// Mean and biased variance, in two passes.
pub fn moments(x: &[f64]) -> (Wide, Wide) {
    let count = Wide::from(x.len() as f64);
    let mean = x.iter().fold(Wide::ZERO, |sum, &x| sum + Wide::from(x)) / count;
    let m2 = x.iter().fold(Wide::ZERO, |sum, &x| {
        let distance = Wide::from(x) - mean;
        sum + distance * distance
    });
    (mean, m2 / count)
}

/// Σw, the mean Σwx/Σw and the variance Σw(x-μ)²/Σw, in two passes; none has weight 0. Around the
/// heaviest element, beside which the others may differ in digits that even this type has not.
pub fn weighted_moments(x: &[f64], weights: &[f64]) -> (Wide, Wide, Wide) {
    assert_eq!(x.len(), weights.len());
    let heaviest = (1..x.len()).fold(0, |a, b| if weights[b] > weights[a] { b } else { a });
    let shift = Wide::from(x[heaviest]);
    let sum = |term: &dyn Fn(Wide) -> Wide| {
        x.iter().zip(weights).fold(Wide::ZERO, |sum, (&x, &weight)| {
            sum + Wide::from(weight) * term(Wide::from(x) - shift)
        })
    };
    let total = sum(&|_| Wide::from(1.0));
    let mean = sum(&|distance| distance) / total;
    let m2 = sum(&|distance| (distance - mean) * (distance - mean));
    (total, shift + mean, m2 / total)
}

/// A channel with its statistics and parameters.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    pub mean: Wide,
    /// r = 1/√(σ²+ε), 0 where both are.
    pub inverse_deviation: Wide,
    pub gamma: Wide,
    pub beta: Wide,
}

impl Channel {
    pub fn new(mean: Wide, variance: Wide, gamma: f64, beta: f64, epsilon: f64) -> Self {
        let sum = variance + Wide::from(epsilon);
        let inverse_deviation =
            if sum.is_zero() { Wide::ZERO } else { Wide::from(1.0) / sum.sqrt() };
        Self { mean, inverse_deviation, gamma: Wide::from(gamma), beta: Wide::from(beta) }
    }

    /// x̂ = (x-μ)·r.
    pub fn normalized(&self, x: f64) -> Wide {
        (Wide::from(x) - self.mean) * self.inverse_deviation
    }

    /// y = x̂·γ + β.
    pub fn forward(&self, x: f64) -> Wide {
        self.normalized(x) * self.gamma + self.beta
    }
}

/// The sums of a gradient, and those of the magnitudes of their terms.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// Σdy.
    pub dbeta: Wide,
    /// Σdy·x̂.
    pub dgamma: Wide,
    /// Σ|dy|.
    pub dbeta_terms: Wide,
    /// Σ|dy·x̂|.
    pub dgamma_terms: Wide,
    /// The same four, divided by m.
    means: [Wide; 4],
}

impl Totals {
    /// Of elements; `dy` after the activation's mask.
    pub fn new(channel: &Channel, x: &[f64], dy: &[f64]) -> Self {
        assert_eq!(x.len(), dy.len());
        let mut sums = [Wide::ZERO; 4];
        for (&x, &dy) in x.iter().zip(dy) {
            let dy = Wide::from(dy);
            let product = dy * channel.normalized(x);
            let terms = [dy, product, dy.abs(), product.abs()];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum = *sum + term);
        }
        let count = Wide::from(x.len() as f64);
        let [dbeta, dgamma, dbeta_terms, dgamma_terms] = sums;
        Self { dbeta, dgamma, dbeta_terms, dgamma_terms, means: sums.map(|sum| sum / count) }
    }

    /// dx = γ·r·(dy - dβ/m - x̂·dγ/m); with frozen statistics γ·r·dy.
    pub fn dx(&self, channel: &Channel, x: f64, dy: f64, frozen: bool) -> Wide {
        let dy = Wide::from(dy);
        let rest =
            if frozen { dy } else { dy - self.means[0] - channel.normalized(x) * self.means[1] };
        channel.gamma * channel.inverse_deviation * rest
    }

    /// |γ|·r·(|dy| + mean|dy| + |x̂|·mean|dy·x̂|): what the error of dx is measured by.
    pub fn dx_scale(&self, channel: &Channel, x: f64, dy: f64) -> Wide {
        let terms =
            Wide::from(dy).abs() + self.means[2] + channel.normalized(x).abs() * self.means[3];
        channel.gamma.abs() * channel.inverse_deviation * terms
    }

    /// dx = γ·r·(dy - (w/W)·(dβ + x̂·dγ)) of an element that has the share w/W of all weight.
    pub fn weighted_dx(&self, channel: &Channel, x: f64, dy: f64, share: Wide) -> Wide {
        let rest = share * (self.dbeta + channel.normalized(x) * self.dgamma);
        channel.gamma * channel.inverse_deviation * (Wide::from(dy) - rest)
    }

    /// |γ|·r·(|dy| + (w/W)·(Σ|dy| + |x̂|·Σ|dy·x̂|)).
    pub fn weighted_dx_scale(&self, channel: &Channel, x: f64, dy: f64, share: Wide) -> Wide {
        let rest = self.dbeta_terms + channel.normalized(x).abs() * self.dgamma_terms;
        channel.gamma.abs() * channel.inverse_deviation * (Wide::from(dy).abs() + share * rest)
    }
}

/// The error as a multiple of the bound: at most 1 is within. No error is 0 whatever the bound; any
/// error where the bound is 0, and any NaN or infinity, is infinite.
pub fn ratio(got: f64, exact: Wide, bound: Wide) -> f64 {
    if !got.is_finite() {
        return f64::INFINITY;
    }
    let error = (Wide::from(got) - exact).abs();
    if error.is_zero() {
        0.0
    } else if bound.high <= 0.0 {
        f64::INFINITY
    } else {
        (error / bound).to_f64()
    }
}
