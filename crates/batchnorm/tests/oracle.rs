//! The oracle and its comparator, judged by arithmetic that can be done by hand, and the closed form
//! of its gradient by finite differences.

mod harness;
mod reference;

use harness::Rng;
use reference::{Channel, Totals, Wide, moments, ratio, weighted_moments};

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
fn whole_weights_are_elements_that_come_more_often() {
    let (total, mean, variance) =
        weighted_moments(&[1e15, 1e15 + 1.0, 1e15 + 7.0], &[2.0, 1.0, 1.0]);
    let (_, same) = moments(&[1e15, 1e15, 1e15 + 1.0, 1e15 + 7.0]);
    assert_eq!((total.to_f64(), mean.to_f64(), variance.to_f64()), (4.0, 1e15 + 2.0, 8.5));
    assert!(is(variance, same, 80));
    let (_, mean, variance) = weighted_moments(&[0.1, 0.1, 0.1], &[0.3, 1e-30, 0.7]);
    assert_eq!((mean.to_f64(), variance.to_f64()), (0.1, 0.0));
    // a light element beside a heavy one: σ² = w·W/(w+W)²·δ²
    let (_, _, variance) = weighted_moments(&[3.0, 5.0], &[1e-40, 1.0]);
    assert!(is(variance, Wide::from(4e-40), 50));
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

/// d/dx of Σ g·y by central differences of the oracle's forward.
fn differences(
    x: &[f64],
    weights: &[f64],
    g: &[f64],
    [gamma, beta, epsilon]: [f64; 3],
    relu: bool,
) -> Vec<Wide> {
    let loss = |x: &[f64]| {
        let (_, mean, variance) = weighted_moments(x, weights);
        let channel = Channel::new(mean, variance, gamma, beta, epsilon);
        x.iter().zip(g).fold(Wide::ZERO, |sum, (&x, &g)| {
            let y = channel.forward(x);
            if relu && y.to_f64() <= 0.0 { sum } else { sum + Wide::from(g) * y }
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
    let cases = [
        (2, 0.0, false, false),
        (9, 3.0, false, false),
        (31, -5.0, true, false),
        (50, 0.0, true, false),
        (2, 1.0, false, true),
        (9, -3.0, false, true),
        (40, 2.0, true, true),
    ];
    for (len, offset, relu, weighted) in cases {
        // multiples of 2^-20, so that x ± step is exact
        let x: Vec<f64> =
            (0..len).map(|_| offset + (rng.normal() * 1e6).round() * 2f64.powi(-20)).collect();
        let mut weight = || if weighted { 1.0 - rng.uniform() } else { 1.0 };
        let weights: Vec<f64> = (0..len).map(|_| weight()).collect();
        let g: Vec<f64> = (0..len).map(|_| rng.normal()).collect();
        let (gamma, beta, epsilon) = (rng.normal(), rng.normal(), 1e-3);
        let (total, mean, variance) = weighted_moments(&x, &weights);
        let channel = Channel::new(mean, variance, gamma, beta, epsilon);
        let masked: Vec<f64> = x
            .iter()
            .zip(&g)
            .map(|(&x, &g)| if relu && channel.forward(x).to_f64() <= 0.0 { 0.0 } else { g })
            .collect();
        let totals = Totals::new(&channel, &x, &masked);
        let found = differences(&x, &weights, &g, [gamma, beta, epsilon], relu);
        for (index, difference) in found.into_iter().enumerate() {
            let (x, dy) = (x[index], masked[index]);
            let share = Wide::from(weights[index]) / total;
            let closed = totals.weighted_dx(&channel, x, dy, share);
            let scale = totals.weighted_dx_scale(&channel, x, dy, share);
            let error = ((difference - closed).abs() / scale).to_f64();
            assert!(error < 1e-9, "len {len} element {index}: {error}");
            if !weighted {
                let [plain, plain_scale] =
                    [totals.dx(&channel, x, dy, false), totals.dx_scale(&channel, x, dy)];
                assert!(((plain - closed).abs() / scale).to_f64() < 1e-28);
                assert!(is(plain_scale, scale, 95));
            }
        }
    }
}
