//! The gradient as the derivative of the forward, without the closed form: by central differences of
//! the oracle's forward. (contract.rs judges it by the closed form, on many more inputs.)

mod harness;
mod reference;

use harness::{Float, Mode, Parameters, Rng, Shape, Statistics, whole};
use reference::{Channel, Wide, moments};

const STEP: f64 = 1.0 / (1u64 << 22) as f64;

/// Σ w·y of the channel's elements, of those y alone that `on` lets pass.
fn loss(
    x: &[f64],
    w: &[f64],
    on: &[bool],
    [gamma, beta, epsilon]: [f64; 3],
    given: Option<(f64, f64)>,
) -> Wide {
    let (mean, variance) = match given {
        Some((mean, variance)) => (Wide::from(mean), Wide::from(variance)),
        None => moments(x),
    };
    let channel = Channel::new(mean, variance, gamma, beta, epsilon);
    x.iter()
        .zip(w)
        .zip(on)
        .filter(|(_, on)| **on)
        .fold(Wide::ZERO, |sum, ((&x, &w), _)| sum + Wide::from(w) * channel.forward(x))
}

fn derivative(f: impl Fn(f64) -> Wide) -> f64 {
    ((f(STEP) - f(-STEP)) / Wide::from(2.0 * STEP)).to_f64()
}

fn check<E: Float>(shape: Shape, mode: Mode, seed: u64) {
    let rng = &mut Rng::new(seed);
    // multiples of 2^-18, so that a step is exact
    let grid = |v: f64| E::from_f64((v * 262_144.0).round() / 262_144.0);
    let x: Vec<E> = (0..shape.elements()).map(|_| grid(3.0 + rng.normal())).collect();
    let dy: Vec<E> = (0..shape.elements()).map(|_| grid(0.2 + rng.normal())).collect();
    let parameters = Parameters {
        gamma: (0..shape.statistics()).map(|_| rng.normal()).collect(),
        beta: (0..shape.statistics()).map(|_| rng.normal()).collect(),
        epsilon: 1e-3,
    };
    let cuts = whole(shape);
    let mut statistics = harness::moments(&x, shape, &cuts);
    if mode.frozen {
        let count = statistics.count.clone();
        let mean = count.iter().map(|_| 3.0 + 0.3 * rng.normal()).collect();
        let variance = count.iter().map(|_| 0.5 + rng.uniform()).collect();
        statistics = Statistics { mean, variance, count };
    }
    let y = harness::forward(&x, shape, &cuts, &statistics, &parameters, mode.relu);
    let totals = harness::totals([&x, &dy], shape, &cuts, &statistics, &parameters, mode.relu);
    let dx = harness::dx([&x, &dy], shape, &cuts, &statistics, &parameters, &totals, mode);
    for statistic in 0..shape.statistics() {
        let [x, dy, y, dx] = [&x, &dy, &y, &dx].map(|array| shape.channel(array, statistic));
        let on: Vec<bool> = y.iter().map(|&y| !mode.relu || y > 0.0).collect();
        let given =
            mode.frozen.then(|| (statistics.mean[statistic], statistics.variance[statistic]));
        let (gamma, beta) = (parameters.gamma[statistic], parameters.beta[statistic]);
        let loss_at = |x: &[f64], gamma, beta| loss(x, &dy, &on, [gamma, beta, 1e-3], given);
        let terms: f64 = dy.iter().map(|dy| dy.abs()).sum::<f64>() * 4.0;
        let unit = 2f64.powi(-E::PRECISION).max(1e-10);
        let close = |got: f64, expected: f64, scale: f64, what: &str| {
            let error = (got - expected).abs();
            assert!(
                error <= 24.0 * unit * scale,
                "{what}: {got}, by differences {expected}; {} {shape:?} {mode:?} seed {seed}",
                E::NAME
            );
        };
        let dgamma = derivative(|step| loss_at(&x, gamma + step, beta));
        close(totals.dgamma[statistic], dgamma, terms, "dgamma");
        let dbeta = derivative(|step| loss_at(&x, gamma, beta + step));
        close(totals.dbeta[statistic], dbeta, terms, "dbeta");
        for index in 0..x.len() {
            let moved = |step: f64| {
                let mut x = x.clone();
                x[index] += step;
                loss_at(&x, gamma, beta)
            };
            let scale = gamma.abs() * 40.0 * (dy[index].abs() + terms / x.len() as f64);
            close(dx[index], derivative(moved), scale, "dx");
        }
    }
}

#[test]
fn gradients_are_the_derivatives_of_the_forward() {
    let shapes = [(1, 37, 3, 1), (2, 9, 5, 1), (1, 1, 2, 41), (1, 5, 3, 7), (2, 3, 2, 5)];
    for (index, (outer, reduce, channels, inner)) in shapes.into_iter().enumerate() {
        let shape = Shape::new(outer, reduce, channels, inner);
        for (relu, frozen) in [(false, false), (false, true), (true, false), (true, true)] {
            check::<f32>(shape, Mode { relu, frozen }, index as u64);
            check::<f64>(shape, Mode { relu, frozen }, index as u64);
        }
    }
}
