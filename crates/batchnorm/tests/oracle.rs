//! The oracle and its comparator, judged by arithmetic that can be done by hand, and the closed form
//! of its gradient by finite differences.

mod harness;
mod reference;

use harness::Rng;
use reference::{Channel, Totals, Wide, moments, ratio};

fn is(wide: Wide, expected: Wide, bits: i32) -> bool {
    let error = (wide - expected).abs();
    error.is_zero() || (error / expected.abs()).to_f64() < 2f64.powi(-bits)
}

#[test]
fn wide_arithmetic_has_a_hundred_bits() {
    let rng = &mut Rng::new(1);
    for _ in 0..10_000 {
        let mut number = || {
            let scale = Wide::power(rng.below(4000) as i32 - 2000);
            (Wide::from(rng.normal()) + Wide::from(rng.normal() * 1e-17)) * scale
        };
        let (a, b) = (number(), number());
        assert!(is(a / b * b, a, 100));
        assert!(is(a.abs().sqrt() * a.abs().sqrt(), a.abs(), 100));
        assert!(is((a + b) * (a - b), a * a - b * b, 40), "{a:?} {b:?}");
        assert!((((a + b) - a - b) / a.abs().max(b.abs())).to_f64().abs() < 1e-30);
    }
    let third = Wide::from(1.0) / Wide::from(3.0);
    let sum = third + third + third - Wide::from(1.0);
    assert!(sum.is_zero() || sum.abs().to_f64() < 2f64.powi(-103));
    let apart = Wide::from(1e300) * Wide::from(1e300) / Wide::from(1e300);
    assert!(is(apart, Wide::from(1e300), 100), "no overflow on the way");
}

#[test]
fn every_finite_number_survives_the_way_through_the_oracle() {
    for value in [0.0, 1.0, -0.1, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -1e-310, 1e-300] {
        assert_eq!(Wide::from(value).to_f64(), value);
    }
}

#[test]
fn the_oracle_keeps_a_small_variance_beside_a_large_mean() {
    let (mean, variance) = moments(&[1e15, 1e15 + 1.0, 1e15 + 2.0, 1e15 + 5.0]);
    assert_eq!((mean.to_f64(), variance.to_f64()), (1e15 + 2.0, 3.5));
    let (mean, variance) = moments(&[f64::MAX, f64::MIN]);
    assert_eq!((mean.to_f64(), variance.to_f64()), (0.0, f64::INFINITY));
    let (mean, variance) = moments(&[0.1; 7]);
    assert!(is(mean, Wide::from(0.1), 100) && variance.to_f64() < 1e-60);
}

#[test]
fn the_comparator_counts_errors_in_bounds() {
    let one = Wide::from(1.0);
    assert_eq!(ratio(1.5, one, Wide::from(0.25)), 2.0);
    assert_eq!(ratio(0.75, one, Wide::from(0.25)), 1.0);
    assert_eq!(ratio(1.0, one, Wide::from(0.25)), 0.0);
}

#[test]
fn the_comparator_sees_signs() {
    assert_eq!(ratio(-1.0, Wide::from(1.0), Wide::from(1.0)), 2.0);
    assert_eq!(ratio(1.0, Wide::from(-1.0), Wide::from(1.0)), 2.0);
}

#[test]
fn the_comparator_lets_no_error_pass_for_a_bound_of_zero() {
    assert_eq!(ratio(0.0, Wide::ZERO, Wide::ZERO), 0.0);
    assert_eq!(ratio(-0.0, Wide::ZERO, Wide::ZERO), 0.0);
    assert_eq!(ratio(5e-324, Wide::ZERO, Wide::ZERO), f64::INFINITY);
    assert_eq!(ratio(0.0, Wide::from(5e-324), Wide::ZERO), f64::INFINITY);
    assert_eq!(ratio(1.0, Wide::from(1.0), Wide::ZERO), 0.0);
}

#[test]
fn the_comparator_never_accepts_nan_or_infinity() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(ratio(bad, Wide::from(1.0), Wide::from(1e300)), f64::INFINITY);
    }
}

/// d/dx of Σ w·y by central differences of the oracle's forward.
fn differences(x: &[f64], w: &[f64], gamma: f64, beta: f64, epsilon: f64, relu: bool) -> Vec<Wide> {
    let loss = |x: &[f64]| {
        let (mean, variance) = moments(x);
        let channel = Channel::new(mean, variance, gamma, beta, epsilon);
        x.iter().zip(w).fold(Wide::ZERO, |sum, (&x, &w)| {
            let y = channel.forward(x);
            if relu && y.to_f64() <= 0.0 { sum } else { sum + Wide::from(w) * y }
        })
    };
    let step = 2f64.powi(-22);
    (0..x.len())
        .map(|index| {
            let moved = |by: f64| {
                let mut x = x.to_vec();
                x[index] += by;
                loss(&x)
            };
            (moved(step) - moved(-step)) / Wide::from(2.0 * step)
        })
        .collect()
}

#[test]
fn the_closed_form_is_the_derivative_of_the_forward() {
    let rng = &mut Rng::new(2);
    for (len, offset, relu) in [(2, 0.0, false), (9, 3.0, false), (31, -5.0, true), (50, 0.0, true)]
    {
        // multiples of 2^-20, so that x ± step is exact
        let x: Vec<f64> =
            (0..len).map(|_| offset + (rng.normal() * 1e6).round() * 2f64.powi(-20)).collect();
        let w: Vec<f64> = (0..len).map(|_| rng.normal()).collect();
        let (gamma, beta, epsilon) = (rng.normal(), rng.normal(), 1e-3);
        let (mean, variance) = moments(&x);
        let channel = Channel::new(mean, variance, gamma, beta, epsilon);
        let masked: Vec<f64> = x
            .iter()
            .zip(&w)
            .map(|(&x, &w)| if relu && channel.forward(x).to_f64() <= 0.0 { 0.0 } else { w })
            .collect();
        let totals = Totals::new(&channel, &x, &masked);
        for (index, difference) in
            differences(&x, &w, gamma, beta, epsilon, relu).into_iter().enumerate()
        {
            let closed = totals.dx(&channel, x[index], masked[index], false);
            let scale = totals.dx_scale(&channel, x[index], masked[index]);
            let error = ((difference - closed).abs() / scale).to_f64();
            assert!(error < 1e-9, "len {len} element {index}: {error}");
        }
    }
}
