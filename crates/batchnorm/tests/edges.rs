//! The edges of the contract: extremes, NaN, constants, one element.
//!
//! `EDGES_SEED` repeats a run or makes another.

mod harness;
mod reference;

use batchnorm::affine::Channels;
use batchnorm::lanes::Element;
use batchnorm::piece::Extent;
use batchnorm::table::Coefficients;
use harness::families::extreme;
use harness::{Float, Mode, Parameters, Rng, Shape, Statistics, Totals, bits, setting, whole};
use reference::{Channel, Wide};

const SHAPES: &[(usize, usize, usize, usize)] = &[
    (1, 1, 5, 1),
    (1, 2, 9, 1),
    (1, 7, 68, 1),
    (1, 64, 66, 1),
    (1, 131, 3, 1),
    (2, 1000, 3, 1),
    (1, 9001, 2, 1),
    (1, 8257, 64, 1),
    (1, 1, 9, 2),
    (1, 3, 5, 7),
    (2, 40, 3, 49),
    (1, 2, 3, 1025),
    (1, 1, 2, 9001),
];

struct Run<E> {
    batch: Statistics,
    y: Vec<E>,
    totals: Totals,
    dx: Vec<E>,
}

fn run<E: Float>(x: &[E], dy: &[E], shape: Shape, parameters: &Parameters, mode: Mode) -> Run<E> {
    let cuts = whole(shape);
    let batch = harness::moments(x, shape, &cuts);
    let y = harness::forward(x, shape, &cuts, &batch, parameters, mode.relu);
    let totals = harness::totals([x, dy], shape, &cuts, &batch, parameters, mode.relu);
    let dx = harness::dx([x, dy], shape, &cuts, &batch, parameters, &totals, mode);
    Run { batch, y, totals, dx }
}

fn each_shape(check: impl Fn(Shape, &mut Rng, &str)) {
    let seed = setting("EDGES_SEED").unwrap_or(1);
    for &(outer, reduce, channels, inner) in SHAPES {
        let shape = Shape::new(outer, reduce, channels, inner);
        for trial in 0..4 {
            let rng = &mut Rng::new(seed.wrapping_mul(1000) + trial);
            check(shape, rng, &format!("{shape:?} trial {trial} EDGES_SEED={seed}"));
        }
    }
}

const PLAIN: Mode = Mode { relu: false, frozen: false };

fn parameters(shape: Shape, gamma: f64, beta: f64, epsilon: f64) -> Parameters {
    let all = |value| vec![value; shape.statistics()];
    Parameters { gamma: all(gamma), beta: all(beta), epsilon }
}

fn finite_in_finite_out<E: Float>() {
    each_shape(|shape, rng, what| {
        let x = extreme::<E>(rng, shape);
        let dy = extreme::<E>(rng, shape);
        let numbers = [0.0, 1.0, -1.0, E::MAX, 1.0 / E::MAX, E::MAX.sqrt(), 1e-30];
        let count = shape.statistics();
        let parameters = Parameters {
            gamma: (0..count).map(|_| rng.pick(&numbers)).collect(),
            beta: (0..count).map(|_| rng.pick(&numbers)).collect(),
            epsilon: rng.pick(&[0.0, 1e-3, 1e-12]),
        };
        let mode = Mode { relu: rng.below(2) == 0, frozen: false };
        let Run { batch, y, totals, dx } = run(&x, &dy, shape, &parameters, mode);
        for statistic in 0..count {
            let [x, dy, y, dx] = [&x, &dy, &y, &dx].map(|array| shape.channel(array, statistic));
            let (mean, variance) = reference::moments(&x);
            let got = (batch.mean[statistic], batch.variance[statistic]);
            let m2 = (variance * Wide::from(x.len() as f64)).to_f64();
            let at = || format!("{} channel {statistic} of {what}: {got:?}", E::NAME);
            assert!(got.0.is_finite(), "mean {}; {}", mean.to_f64(), at());
            assert!(got.1 >= 0.0, "variance; {}", at());
            assert!(got.1.is_finite() || m2.is_infinite(), "variance; {}", at());
            let (gamma, beta) = (parameters.gamma[statistic], parameters.beta[statistic]);
            let channel = Channel::new(mean, variance, gamma, beta, parameters.epsilon);
            let unit = Wide::power(-E::PRECISION);
            let fits = |exact: Wide, scale: Wide| {
                (exact.abs() + Wide::from(24.0) * unit * scale).to_f64() <= E::MAX
            };
            for (&x, &y) in x.iter().zip(&y) {
                let exact = channel.forward(x);
                let size = channel.normalized(x).abs().max(Wide::from(1.0));
                let scale = (channel.gamma.abs() * size).max(channel.beta.abs());
                assert!(
                    y.is_finite() || !fits(exact, scale),
                    "x {x} y {y} exact {} gamma {gamma} beta {beta}; {}",
                    exact.to_f64(),
                    at()
                );
            }
            let masked: Vec<f64> = dy
                .iter()
                .zip(&y)
                .map(|(&dy, &y)| if mode.relu && y <= 0.0 { 0.0 } else { dy })
                .collect();
            let exact = reference::Totals::new(&channel, &x, &masked);
            let (dbeta, dgamma) = (totals.dbeta[statistic], totals.dgamma[statistic]);
            // f64 sums may overflow on the way, where Σ|dy| does
            assert!(
                dbeta.is_finite() || exact.dbeta_terms.to_f64().is_infinite(),
                "dbeta; {}",
                at()
            );
            assert!(
                dgamma.is_finite() || exact.dgamma_terms.to_f64().is_infinite(),
                "dgamma {dgamma} exact {}; {}",
                exact.dgamma.to_f64(),
                at()
            );
            for index in 0..x.len() {
                let (x, dy, dx) = (x[index], masked[index], dx[index]);
                let (value, scale) =
                    (exact.dx(&channel, x, dy, false), exact.dx_scale(&channel, x, dy));
                let sums = exact.dbeta_terms.max(exact.dgamma_terms);
                assert!(
                    dx.is_finite() || !fits(value, scale) || !sums.to_f64().is_finite(),
                    "dx {dx} exact {} of x {x} dy {dy} gamma {gamma} mode {mode:?}; {}",
                    value.to_f64(),
                    at()
                );
            }
        }
    });
}

#[test]
fn finite_in_gives_finite_out_f32() {
    finite_in_finite_out::<f32>();
}

#[test]
fn finite_in_gives_finite_out_f64() {
    finite_in_finite_out::<f64>();
}

/// x and dy of N(3, 1), then one element of one channel replaced.
fn nan_stays<E: Float>() {
    each_shape(|shape, rng, what| {
        let mut normal = || -> Vec<E> {
            (0..shape.elements()).map(|_| E::from_f64(3.0 + rng.normal())).collect()
        };
        let (x, dy) = (normal(), normal());
        let parameters = parameters(shape, 1.3, 0.2, 1e-3);
        let clean = run(&x, &dy, shape, &parameters, PLAIN);
        let hit = rng.below(shape.elements());
        let bad = rng.pick(&[f64::NAN, f64::INFINITY, -f64::INFINITY]);
        let own = (hit / shape.inner) % shape.channels
            + shape.channels * (hit / (shape.reduce * shape.channels * shape.inner));
        let mut dirty_x = x.clone();
        dirty_x[hit] = E::from_f64(bad);
        let dirty = run(&dirty_x, &dy, shape, &parameters, PLAIN);
        for statistic in 0..shape.statistics() {
            let numbers = |run: &Run<E>| {
                let all =
                    [&run.batch.mean, &run.batch.variance, &run.totals.dgamma, &run.totals.dbeta];
                all.map(|numbers| numbers[statistic])
            };
            let elements =
                |run: &Run<E>| [&run.y, &run.dx].map(|array| shape.channel(array, statistic));
            if statistic == own {
                let [mean, variance, dgamma, _] = numbers(&dirty);
                assert!(mean.is_nan() && variance.is_nan() && dgamma.is_nan(), "{bad}: {what}");
                let [y, dx] = elements(&dirty);
                assert!(y.iter().chain(&dx).all(|value| value.is_nan()), "{bad}: {what}");
            } else {
                assert_eq!(numbers(&clean).map(f64::to_bits), numbers(&dirty).map(f64::to_bits));
                assert_eq!(elements(&clean).map(|a| bits(&a)), elements(&dirty).map(|a| bits(&a)));
            }
        }
    });
}

#[test]
fn nan_and_infinity_fill_their_own_channel_and_no_other() {
    nan_stays::<f32>();
    nan_stays::<f64>();
}

#[test]
fn nan_passes_a_relu() {
    let shape = Shape::new(1, 5, 2, 1);
    let x: Vec<f32> = (0..10).map(|i| if i == 4 { f32::NAN } else { i as f32 }).collect();
    let mode = Mode { relu: true, frozen: false };
    let run = run(&x, &x, shape, &parameters(shape, 1.0, 0.0, 1e-3), mode);
    assert!(shape.channel(&run.y, 0).iter().all(|y| y.is_nan()));
    assert!(shape.channel(&run.y, 1).iter().all(|y| *y >= 0.0));
}

fn constant<E: Float>() {
    each_shape(|shape, rng, what| {
        let largest =
            [1.0, E::MAX, E::MAX / 3.0, -1e7, 0.1, 1e-30, 2f64.powi(-140), 0.0, 1.0 / 3.0];
        let values: Vec<E> =
            (0..shape.statistics()).map(|_| E::from_f64(rng.pick(&largest))).collect();
        let x: Vec<E> = shape.assemble(|statistic| vec![values[statistic].to_f64(); shape.count()]);
        let dy: Vec<E> = (0..x.len()).map(|_| E::from_f64(rng.normal())).collect();
        let (gamma, beta) = (rng.normal(), E::from_f64(rng.normal()).to_f64());
        for epsilon in [0.0, 1e-3] {
            let parameters = parameters(shape, gamma, beta, epsilon);
            let run = run(&x, &dy, shape, &parameters, PLAIN);
            for (statistic, value) in values.iter().enumerate() {
                assert_eq!(run.batch.mean[statistic], value.to_f64(), "{what}");
                assert_eq!(run.batch.variance[statistic].to_bits(), 0, "{what}");
                let y = shape.channel(&run.y, statistic);
                assert!(y.iter().all(|&y| y == beta), "epsilon {epsilon}: {value:?} {what}");
                if epsilon == 0.0 {
                    let dx = shape.channel(&run.dx, statistic);
                    assert!(dx.iter().all(|&dx| dx == 0.0), "{value:?} {what}");
                    assert_eq!(run.totals.dgamma[statistic], 0.0, "{value:?} {what}");
                }
            }
        }
    });
}

#[test]
fn a_constant_channel_has_variance_zero_and_gives_beta() {
    constant::<f32>();
    constant::<f64>();
}

#[test]
fn one_element_has_variance_zero_and_gives_beta() {
    fn check<E: Float>() {
        for channels in [1, 2, 3, 4, 5, 63, 64, 65, 2048] {
            let shape = Shape::new(3, 1, channels, 1);
            let x: Vec<E> =
                (0..shape.elements()).map(|i| E::from_f64(i as f64 * 1e5 + 0.1)).collect();
            for epsilon in [0.0, 1e-3] {
                let run = run(&x, &x, shape, &parameters(shape, 2.0, 0.25, epsilon), PLAIN);
                for (index, x) in x.iter().enumerate() {
                    assert_eq!(run.batch.mean[index], x.to_f64());
                    assert_eq!(run.batch.variance[index], 0.0);
                    assert_eq!(run.batch.count[index], 1.0);
                    assert_eq!(run.y[index].to_f64(), 0.25);
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn nothing_pushed_gives_no_elements() {
    for shape in [Shape::new(1, 0, 3, 1), Shape::new(1, 0, 3, 9)] {
        let statistics = harness::moments::<f32>(&[], shape, &whole(shape));
        assert_eq!(statistics.count, [0.0; 3]);
    }
}

/// Given statistics that no batch has.
#[test]
fn given_statistics_far_from_the_data_give_finite_results() {
    fn check<E: Float>() {
        each_shape(|shape, rng, what| {
            let x: Vec<E> = (0..shape.elements()).map(|_| E::from_f64(rng.normal())).collect();
            let numbers = [1e300, -1e300, 1e39, E::MAX, 1e-300, 0.0, 1.0];
            let variances = [1e300, 1e78, E::MAX, 1e-300, 0.0, 1.0];
            let statistics = Statistics {
                mean: (0..shape.statistics()).map(|_| rng.pick(&numbers)).collect(),
                variance: (0..shape.statistics()).map(|_| rng.pick(&variances)).collect(),
                count: vec![shape.count() as f64; shape.statistics()],
            };
            let cuts = whole(shape);
            let parameters = parameters(shape, 1.0, 0.5, 0.0);
            for relu in [false, true] {
                let y = harness::forward(&x, shape, &cuts, &statistics, &parameters, relu);
                let totals =
                    harness::totals([&x, &x], shape, &cuts, &statistics, &parameters, relu);
                for statistic in 0..shape.statistics() {
                    let channel = Channel::new(
                        Wide::from(statistics.mean[statistic]),
                        Wide::from(statistics.variance[statistic]),
                        1.0,
                        0.5,
                        0.0,
                    );
                    let x = shape.channel(&x, statistic);
                    let y = shape.channel(&y, statistic);
                    let mut masked = x.clone();
                    for ((&x, &y), dy) in x.iter().zip(&y).zip(&mut masked) {
                        let exact = channel.forward(x).to_f64();
                        let exact = if relu && exact <= 0.0 { 0.0 } else { exact };
                        let scale = channel.normalized(x).to_f64().abs().max(1.0);
                        let close = (y - exact).abs() <= 2f64.powi(3 - E::PRECISION) * scale;
                        assert!(close || exact.abs() * 1.001 > E::MAX, "{y} {exact} {what}");
                        if relu && y <= 0.0 {
                            *dy = 0.0;
                        }
                    }
                    let exact = reference::Totals::new(&channel, &x, &masked);
                    let bound = Wide::from(16.0) * Wide::power(-E::PRECISION) * exact.dgamma_terms;
                    let ratio = reference::ratio(totals.dgamma[statistic], exact.dgamma, bound);
                    let mean = statistics.mean[statistic];
                    let variance = statistics.variance[statistic];
                    assert!(
                        ratio <= 1.0 || exact.dgamma_terms.to_f64() > 1e307,
                        "dgamma {} {} mean {mean} variance {variance}, {} {what}",
                        totals.dgamma[statistic],
                        exact.dgamma.to_f64(),
                        E::NAME
                    );
                }
            }
        });
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn ordinary_channels_take_the_folded_path() {
    let numbers = [0.0, 1.0, -1.0, 1e-25, 1e-12, 1e3, 1e12];
    let (mut means, mut gammas, mut betas) = (vec![], vec![], vec![]);
    for mean in numbers {
        for gamma in [0.0, -1.0, 1e-20, 1e-3, 1e12] {
            for beta in numbers {
                means.push(mean);
                gammas.push(gamma);
                betas.push(beta);
            }
        }
    }
    let count = means.len();
    let extent = Extent { outer: 1, rows: 1, channels: count, inner: 1 };
    let mut coefficients = Box::new(Coefficients::EMPTY);
    for variance in [0.0, 1e-12, 1.0, 1e12] {
        for epsilon in [0.0, 1e-3] {
            let variance = vec![variance; count];
            let (mean, gamma, beta) = (&means, &gammas, &betas);
            let channels = Channels { mean, variance: &variance, gamma, beta, epsilon };
            for format in [&f32::FORMAT, &f64::FORMAT] {
                coefficients.fill(format, channels, None, extent);
                let exact = (0..count).find(|&channel| coefficients.affine.is_exact(channel));
                assert_eq!(
                    exact.map(|at| (means[at], gammas[at], betas[at])),
                    None,
                    "{variance:?}"
                );
            }
        }
    }
}
