//! The contract (docs/numerics.md) where elements have weights and y a residual: each quantity, as
//! error / bound, over hostile families of x, weights, residuals and dy.
//!
//! The settings are those of contract.rs, and so is what the table cannot mean otherwise. Where a
//! weight is 0, x and dy are NaN or infinite in every other case.

mod bounds;
mod harness;
mod reference;

use bounds::cases::{Case, LENGTHS, Layout, cases, parameters, sample, values};
use bounds::{Worst, grain, mean_grain, units};
use harness::families::{FAMILIES, Family, GRADIENTS};
use harness::operands::{self, Given};
use harness::weights::WEIGHTS;
use harness::{Float, Mode, Parameters, Rng, Shape, Statistics, Totals, setting, whole};
use reference::{Channel, Wide, ratio, weighted_moments};

/// What a forward and a backward pass get, and the names of the families for the report.
struct Input<E> {
    shape: Shape,
    x: Vec<E>,
    dy: Vec<E>,
    /// The family of the first channel's, and all of them.
    weights: Option<(usize, Vec<f64>)>,
    residual: Option<Vec<E>>,
    parameters: Parameters,
    mode: Mode,
    names: String,
}

/// What they give.
struct Results<E> {
    batch: Statistics,
    used: Statistics,
    y: Vec<E>,
    totals: Totals,
    dx: Vec<E>,
}

fn input<E: Float>(case: &Case, rng: &mut Rng) -> Input<E> {
    let shape = case.shape;
    let mut x = values::<E>(rng, shape, case.family);
    let parameters = parameters(rng, shape.statistics());
    let dy_family = &GRADIENTS[rng.below(GRADIENTS.len())];
    let mut dy = values::<E>(rng, shape, dy_family);
    let mut names = format!("dy {}", dy_family.0);
    let weights = (rng.below(6) > 0).then(|| weights(rng, shape));
    if let Some((_, weights)) = weights.as_ref().filter(|_| rng.below(2) == 0) {
        let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(E::from_f64);
        for (place, _) in weights.iter().enumerate().filter(|(_, weight)| **weight == 0.0) {
            (x[place], dy[place]) = (rng.pick(&bad), rng.pick(&bad));
        }
    }
    let residual = (rng.below(2) == 0).then(|| {
        let family = &GRADIENTS[rng.below(GRADIENTS.len())];
        names.push_str(&format!(", residual {}", family.0));
        values::<E>(rng, shape, family)
    });
    let mode = Mode { relu: rng.below(2) == 0, frozen: rng.below(4) == 0 };
    names.push_str(&format!(", {mode:?}"));
    Input { shape, x, dy, weights, residual, parameters, mode, names }
}

/// The family of a channel's weights, where those of the first channel are of family `one`.
fn weights_of(one: usize, statistic: usize) -> &'static Family {
    &WEIGHTS[(one + statistic) % WEIGHTS.len()]
}

/// Each channel's of a family and a magnitude of its own.
fn weights(rng: &mut Rng, shape: Shape) -> (usize, Vec<f64>) {
    let one = rng.below(WEIGHTS.len());
    let channels: Vec<Vec<f64>> = (0..shape.statistics())
        .map(|statistic| {
            let family = weights_of(one, statistic);
            let scale = 2f64.powi(rng.pick(&[0, 0, -1, 7, 60, -60]));
            (family.1)(rng, shape.count()).iter().map(|weight| weight * scale).collect()
        })
        .collect();
    (one, operands::scaled(&shape.assemble::<f64>(|statistic| channels[statistic].clone())))
}

fn run<E: Float>(input: &Input<E>, rng: &mut Rng) -> Results<E> {
    let Input { shape, x, dy, weights, residual, parameters, mode, .. } = input;
    let (shape, mode, cuts) = (*shape, *mode, whole(*shape));
    let weights = weights.as_ref().map(|(_, weights)| &weights[..]);
    let mut batch = match weights {
        Some(weights) => operands::moments(x, weights, shape, &cuts, false),
        None => harness::moments(x, shape, &cuts),
    };
    if let Some(weights) = weights {
        // Σw as TypeScript has it, which adds it up for its own sake.
        let total = |statistic| {
            let sum =
                shape.channel(weights, statistic).iter().fold(Wide::ZERO, |s, &w| s + w.into());
            sum.to_f64()
        };
        batch.count = (0..shape.statistics()).map(total).collect();
    }
    let used = if mode.frozen {
        let moved =
            batch.mean.iter().zip(&batch.variance).map(|(m, v)| m + rng.normal() * v.sqrt());
        let mean = moved.collect();
        let variance = batch.variance.iter().map(|v| v * (0.2 + 2.0 * rng.uniform())).collect();
        Statistics { mean, variance, count: batch.count.clone() }
    } else {
        batch.clone()
    };
    let y = match residual {
        Some(residual) => {
            operands::forward([x, residual], shape, &cuts, &used, parameters, mode.relu)
        }
        None => harness::forward(x, shape, &cuts, &used, parameters, mode.relu),
    };
    let residual = residual.as_deref();
    let given = Given { residual, weights, relu: mode.relu };
    let [x, dy] = operands::gate([x, dy], given, shape, &cuts, &used, parameters);
    let totals = harness::totals([&x, &dy], shape, &cuts, &used, parameters, false);
    let dx = match weights.filter(|_| !mode.frozen) {
        Some(weights) => operands::dx([&x, &dy], weights, shape, &cuts, &used, parameters, &totals),
        None => {
            let mode = Mode { relu: false, ..mode };
            harness::dx([&x, &dy], shape, &cuts, &used, parameters, &totals, mode)
        }
    };
    Results { batch, used, y, totals, dx }
}

fn check_case<E: Float>(case: &Case, worst: &mut Worst) {
    let rng = &mut Rng::new(case.seed);
    let input = input::<E>(case, rng);
    let results = run(&input, rng);
    (0..case.shape.statistics()).for_each(|statistic| {
        check_channel(case, &input, &results, statistic, worst);
    });
}

fn check_channel<E: Float>(
    case: &Case,
    input: &Input<E>,
    results: &Results<E>,
    statistic: usize,
    worst: &mut Worst,
) {
    let Input { shape, parameters, mode, .. } = input;
    let get = |array: &[E]| shape.channel(array, statistic);
    let at = |what: String| {
        let family = input.weights.as_ref().map(|(one, _)| weights_of(*one, statistic).0);
        format!("channel {statistic}, {}, weights {family:?}: {what}", input.names)
    };
    let (x, y, dx) = (get(&input.x), get(&results.y), get(&results.dx));
    let residual = input.residual.as_ref().map(|residual| get(residual));
    let weights = match &input.weights {
        Some((_, weights)) => shape.channel(weights, statistic),
        None => vec![1.0; x.len()],
    };
    let counting: Vec<usize> = (0..x.len()).filter(|&index| weights[index] > 0.0).collect();
    let of_counting = |values: &[f64]| counting.iter().map(|&i| values[i]).collect::<Vec<_>>();

    let (total, mean, variance) = weighted_moments(&of_counting(&x), &of_counting(&weights));
    let got_mean = results.batch.mean[statistic];
    let got_variance = results.batch.variance[statistic];
    let m2 = variance * total;
    let representable = E::PRECISION == 24
        || m2.is_zero()
        || (Wide::power(-1022) - m2).to_f64() < 0.0 && m2.to_f64().is_finite();
    assert!(got_variance >= 0.0, "a negative or NaN variance {got_variance} in {case:?}");
    if representable && input.weights.is_some() {
        let bound = units::<E>(4.0) * variance.sqrt() + mean_grain(mean);
        worst.note("mean", case, ratio(got_mean, mean, bound), || {
            at(format!("{got_mean} {}", mean.to_f64()))
        });
        let bound = units::<E>(16.0) * variance;
        let bound = if variance.is_zero() { bound } else { bound + grain::<f64>() };
        worst.note("variance", case, ratio(got_variance, variance, bound), || {
            at(format!("{got_variance} {}", variance.to_f64()))
        });
    }

    let (gamma, beta, epsilon) =
        (parameters.gamma[statistic], parameters.beta[statistic], parameters.epsilon);
    let finite = |exact: Wide, bound: Wide| (exact.abs() + bound).to_f64() <= E::MAX;
    let used = Channel::new(
        Wide::from(results.used.mean[statistic]),
        Wide::from(results.used.variance[statistic]),
        gamma,
        beta,
        epsilon,
    );
    if representable {
        let (channel, factor, slack, quantities) = if mode.frozen {
            (used, 8.0, Wide::ZERO, ["y given", "y given + residual"])
        } else {
            let channel = Channel::new(mean, variance, gamma, beta, epsilon);
            let slack = mean_grain(mean) * channel.gamma.abs() * channel.inverse_deviation;
            (channel, 16.0, slack, ["y batch", "y batch + residual"])
        };
        for index in sample(x.len()).filter(|&index| x[index].is_finite()) {
            let size = channel.normalized(x[index]).abs().max(Wide::from(1.0));
            let scale = (channel.gamma.abs() * size).max(channel.beta.abs());
            let plain = channel.forward(x[index]);
            let mut bound = units::<E>(factor) * scale + slack + grain::<E>();
            let fits = finite(plain, bound); // it is rounded before the residual is added
            let mut exact = plain;
            if let Some(residual) = &residual {
                exact = exact + Wide::from(residual[index]);
                bound = bound + units::<E>(1.0) * exact.abs();
            }
            if mode.relu {
                exact = exact.max(Wide::ZERO);
            }
            if fits && finite(exact, bound) {
                let quantity = quantities[usize::from(residual.is_some())];
                worst.note(quantity, case, ratio(y[index], exact, bound), || {
                    let (x, y, exact) = (x[index], y[index], exact.to_f64());
                    at(format!("x {x} y {y} {exact} gamma {gamma} beta {beta} eps {epsilon}"))
                });
            }
        }
    }

    // The gradient is that of the statistics, and of the side of the ReLU, that the forward used.
    let mut dy = get(&input.dy);
    for index in 0..dy.len() {
        if weights[index] == 0.0 || mode.relu && y[index] <= 0.0 {
            dy[index] = 0.0;
        }
    }
    let exact = reference::Totals::new(&used, &of_counting(&x), &of_counting(&dy));
    let got = [results.totals.dbeta[statistic], results.totals.dgamma[statistic]];
    let bounds = [units::<E>(8.0) * exact.dbeta_terms, units::<E>(16.0) * exact.dgamma_terms];
    for (index, quantity) in ["dbeta", "dgamma"].into_iter().enumerate() {
        let (got, exact) = (got[index], [exact.dbeta, exact.dgamma][index]);
        worst.note(quantity, case, ratio(got, exact, bounds[index]), || {
            at(format!("{got} {} gamma {gamma} eps {epsilon}", exact.to_f64()))
        });
    }
    // A·dy, B·(x-c) and C may each be subnormal.
    let three_grains = Wide::from(3.0) * grain::<E>();
    for index in sample(x.len()) {
        if weights[index] == 0.0 {
            assert_eq!(dx[index], 0.0, "dx of an element without weight, {}", at(String::new()));
            continue;
        }
        let share = Wide::from(weights[index]) / total;
        let exact_dx = if mode.frozen {
            exact.dx(&used, x[index], dy[index], true)
        } else {
            exact.weighted_dx(&used, x[index], dy[index], share)
        };
        let scale = exact.weighted_dx_scale(&used, x[index], dy[index], share);
        let bound = units::<E>(24.0) * scale + three_grains;
        if finite(exact_dx, bound) {
            worst.note("dx", case, ratio(dx[index], exact_dx, bound), || {
                let (x, dy, weight, dx) = (x[index], dy[index], weights[index], dx[index]);
                let exact = exact_dx.to_f64();
                at(format!("x {x} dy {dy} w {weight} dx {dx} {exact} gamma {gamma} eps {epsilon}"))
            });
        }
    }
}

/// Half of the cases: a family meets a length in one layout as f32, in the other as f64.
fn contract<E: Float>(name: &str, layout: Layout) {
    let turn = u64::from(E::PRECISION == 24) + layout as u64;
    let mut worst = Worst::default();
    for case in cases(layout) {
        let lengths = LENGTHS.len() as u64;
        if (case.index / lengths + case.index % lengths + turn).is_multiple_of(2) {
            check_case::<E>(&case, &mut worst);
        }
    }
    worst.judge(name);
}

#[test]
fn weights_and_residuals_channels_last_f32_keep_the_contract() {
    contract::<f32>("weights_and_residuals_channels_last_f32", Layout::ChannelsLast);
}

#[test]
fn weights_and_residuals_channels_first_f32_keep_the_contract() {
    contract::<f32>("weights_and_residuals_channels_first_f32", Layout::ChannelsFirst);
}

#[test]
fn weights_and_residuals_channels_last_f64_keep_the_contract() {
    contract::<f64>("weights_and_residuals_channels_last_f64", Layout::ChannelsLast);
}

#[test]
fn weights_and_residuals_channels_first_f64_keep_the_contract() {
    contract::<f64>("weights_and_residuals_channels_first_f64", Layout::ChannelsFirst);
}

/// Many chunks. Weights that are alike round the same way with each addition: here down, from 64 on.
#[test]
fn a_million_weighted_elements_keep_the_contract() {
    let mut worst = Worst::default();
    const LONG: &[&str] = &["ramp", "offset to 1e7"];
    for (index, family) in FAMILIES.iter().filter(|family| LONG.contains(&family.0)).enumerate() {
        let seed = setting("CONTRACT_SEED").unwrap_or(1) + index as u64;
        let rng = &mut Rng::new(seed);
        let x = (family.1)(rng, 1_000_003);
        let alike = vec![1.0 + 31.0 * 2f64.powi(-52); x.len()];
        let uniform = x.iter().map(|_| 1.0 - rng.uniform()).collect();
        for weights in [alike, uniform] {
            let (_, mean, variance) = weighted_moments(&x, &weights);
            for shape in [Shape::new(1, x.len(), 1, 1), Shape::new(1, 1, 1, x.len())] {
                let case = Case { index: 0, family, shape, seed };
                let got = operands::moments(&x, &weights, shape, &whole(shape), false);
                let bound = units::<f64>(4.0) * variance.sqrt() + mean_grain(mean);
                let of_mean = ratio(got.mean[0], mean, bound);
                worst.note("mean", &case, of_mean, || format!("seed {seed}"));
                let bound = units::<f64>(16.0) * variance;
                let of_variance = ratio(got.variance[0], variance, bound);
                worst.note("variance", &case, of_variance, || format!("seed {seed}"));
            }
        }
    }
    worst.judge("a_million_weighted_elements_keep_the_contract");
}
