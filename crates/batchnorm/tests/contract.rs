//! The contract (docs/numerics.md): each row of its table, as error / bound, over hostile families.
//!
//! `CONTRACT_SEED` and `CONTRACT_CASE` repeat a case, `CONTRACT_ROUNDS` runs more of them,
//! `CONTRACT_FAMILY` those of one; `-- --nocapture` prints the worst ratio of each family and quantity.
//!
//! Two things the table cannot mean otherwise. Where a result is subnormal, rounding it costs half the
//! smallest number, however small the bound. And a result counts as finite if it is with its bound.
//! The gradient is judged against the statistics that its forward used, each rounded to one f64.

mod bounds;
mod harness;
mod reference;

use bounds::cases::{Case, Layout, cases, parameters, sample, values};
use bounds::{Worst, grain, mean_grain, units};
use harness::families::{FAMILIES, GRADIENTS};
use harness::{Float, Mode, Rng, Shape, Statistics, setting, whole};
use reference::{Channel, Totals, Wide, ratio};

fn contract<E: Float>(name: &str, layout: Layout) {
    let mut worst = Worst::default();
    for case in cases(layout) {
        check_case::<E>(&case, &mut worst);
    }
    worst.judge(name);
}

fn check_case<E: Float>(case: &Case, worst: &mut Worst) {
    let (shape, cuts) = (case.shape, whole(case.shape));
    let rng = &mut Rng::new(case.seed);
    let x = values::<E>(rng, shape, case.family);
    let parameters = parameters(rng, shape.statistics());
    let dy_family = &GRADIENTS[rng.below(GRADIENTS.len())];
    let dy = values::<E>(rng, shape, dy_family);

    let batch = harness::moments(&x, shape, &cuts);
    let given = Statistics {
        mean: batch
            .mean
            .iter()
            .zip(&batch.variance)
            .map(|(m, v)| m + rng.normal() * v.sqrt())
            .collect(),
        variance: batch.variance.iter().map(|v| v * (0.2 + 2.0 * rng.uniform())).collect(),
        count: batch.count.clone(),
    };
    let y_batch = harness::forward(&x, shape, &cuts, &batch, &parameters, false);
    let y_given = harness::forward(&x, shape, &cuts, &given, &parameters, false);
    let mode = Mode { relu: rng.below(2) == 0, frozen: rng.below(4) == 0 };
    let statistics = if mode.frozen { &given } else { &batch };
    let y = if mode.frozen { &y_given } else { &y_batch };
    let totals = harness::totals([&x, &dy], shape, &cuts, statistics, &parameters, mode.relu);
    let dx = harness::dx([&x, &dy], shape, &cuts, statistics, &parameters, &totals, mode);

    for statistic in 0..shape.statistics() {
        let at = |what: &str| format!("channel {statistic} {what}");
        let get = |array: &[E]| shape.channel(array, statistic);
        let x = get(&x);
        let (mean, variance) = reference::moments(&x);
        let m2 = variance * Wide::from(x.len() as f64);
        let representable = E::PRECISION == 24
            || m2.is_zero()
            || (Wide::power(-1022) - m2).to_f64() < 0.0 && m2.to_f64().is_finite();
        assert_eq!(batch.count[statistic], x.len() as f64);
        let got_variance = batch.variance[statistic];
        assert!(got_variance >= 0.0, "a negative or NaN variance {got_variance} in {case:?}");
        if representable {
            let bound = units::<E>(4.0) * variance.sqrt() + mean_grain(mean);
            let ratio_mean = ratio(batch.mean[statistic], mean, bound);
            worst.note("mean", case, ratio_mean, || {
                at(&format!("{} {}", batch.mean[statistic], mean.to_f64()))
            });
            let bound = units::<E>(16.0) * variance;
            let bound = if variance.is_zero() { bound } else { bound + grain::<f64>() };
            let ratio_variance = ratio(got_variance, variance, bound);
            worst.note("variance", case, ratio_variance, || {
                at(&format!("{got_variance} {}", variance.to_f64()))
            });
        }

        let (gamma, beta, epsilon) =
            (parameters.gamma[statistic], parameters.beta[statistic], parameters.epsilon);
        // No way that is allowed this error could promise more.
        let finite = |exact: Wide, bound: Wide| (exact.abs() + bound).to_f64() <= E::MAX;
        let channel_of = |statistics: &Statistics| {
            let [mean, variance] = [statistics.mean[statistic], statistics.variance[statistic]];
            Channel::new(Wide::from(mean), Wide::from(variance), gamma, beta, epsilon)
        };
        let one = Wide::from(1.0);
        let y_scale = |channel: &Channel, x: f64| {
            (channel.gamma.abs() * channel.normalized(x).abs().max(one)).max(channel.beta.abs())
        };
        if got_variance.is_finite() && batch.mean[statistic].is_finite() {
            let channel = channel_of(&given);
            let y = get(&y_given);
            for (x, y) in sample(x.len()).map(|index| (x[index], y[index])) {
                let exact = channel.forward(x);
                let bound = units::<E>(8.0) * y_scale(&channel, x) + grain::<E>();
                if finite(exact, bound) {
                    worst.note("y given", case, ratio(y, exact, bound), || {
                        at(&format!("x {x} y {y} {} gamma {gamma} beta {beta}", exact.to_f64()))
                    });
                }
            }
        }
        if representable {
            let channel = Channel::new(mean, variance, gamma, beta, epsilon);
            let slack = mean_grain(mean) * channel.gamma.abs() * channel.inverse_deviation;
            let y = get(&y_batch);
            for (x, y) in sample(x.len()).map(|index| (x[index], y[index])) {
                let exact = channel.forward(x);
                let bound = units::<E>(16.0) * y_scale(&channel, x) + slack + grain::<E>();
                if finite(exact, bound) {
                    worst.note("y batch", case, ratio(y, exact, bound), || {
                        at(&format!(
                            "x {x} y {y} {} gamma {gamma} beta {beta} eps {epsilon}",
                            exact.to_f64()
                        ))
                    });
                }
            }
        }

        // The gradient is that of the statistics that the forward used.
        let channel = channel_of(statistics);
        let mut dy = get(&dy);
        if mode.relu {
            dy.iter_mut().zip(get(y)).filter(|(_, y)| *y <= 0.0).for_each(|(dy, _)| *dy = 0.0);
        }
        let exact = Totals::new(&channel, &x, &dy);
        let bound = units::<E>(8.0) * exact.dbeta_terms;
        let (dbeta, dgamma) = (totals.dbeta[statistic], totals.dgamma[statistic]);
        let describe = |got: f64, exact: Wide| {
            at(&format!(
                "{got} {} dy {} {mode:?} gamma {gamma} eps {epsilon}",
                exact.to_f64(),
                dy_family.0
            ))
        };
        worst
            .note("dbeta", case, ratio(dbeta, exact.dbeta, bound), || describe(dbeta, exact.dbeta));
        let bound = units::<E>(16.0) * exact.dgamma_terms;
        worst.note("dgamma", case, ratio(dgamma, exact.dgamma, bound), || {
            describe(dgamma, exact.dgamma)
        });
        let dx = get(&dx);
        // A·dy, B·(x-c) and C may each be subnormal.
        let three_grains = Wide::from(3.0) * grain::<E>();
        for (x, dy, dx) in sample(x.len()).map(|index| (x[index], dy[index], dx[index])) {
            let exact_dx = exact.dx(&channel, x, dy, mode.frozen);
            let bound = units::<E>(24.0) * exact.dx_scale(&channel, x, dy) + three_grains;
            if finite(exact_dx, bound) {
                worst.note("dx", case, ratio(dx, exact_dx, bound), || describe(dx, exact_dx));
            }
        }
    }
}

#[test]
fn channels_last_f32_keeps_the_contract() {
    contract::<f32>("channels_last_f32", Layout::ChannelsLast);
}

#[test]
fn channels_first_f32_keeps_the_contract() {
    contract::<f32>("channels_first_f32", Layout::ChannelsFirst);
}

#[test]
fn channels_last_f64_keeps_the_contract() {
    contract::<f64>("channels_last_f64", Layout::ChannelsLast);
}

#[test]
fn channels_first_f64_keeps_the_contract() {
    contract::<f64>("channels_first_f64", Layout::ChannelsFirst);
}

/// Mean and variance of one long channel among few: many chunks, where errors of merging would add up.
fn long<E: Float>(name: &str, length: usize) {
    let mut worst = Worst::default();
    const LONG: &[&str] =
        &["one differing", "ramp", "first rows outliers", "offset to 1e7", "exponential growth"];
    let families = FAMILIES.iter().filter(|family| LONG.contains(&family.0));
    for (index, family) in families.enumerate() {
        // one channel as rows, as one segment, as many segments, and beside neighbours
        for shape in [
            Shape::new(1, length, 1, 1),
            Shape::new(1, 1, 1, length),
            Shape::new(1, length / 49, 1, 49),
            Shape::new(1, length / 64, 64, 1),
        ] {
            let seed = setting("CONTRACT_SEED").unwrap_or(1) + index as u64;
            let case = Case { index: 0, family, shape, seed };
            let channel = (family.1)(&mut Rng::new(seed), shape.count());
            let x: Vec<E> = shape.assemble(|_| channel.clone());
            let got = harness::moments(&x, shape, &whole(shape));
            let x = shape.channel(&x, 0);
            let (mean, variance) = reference::moments(&x);
            let bound = units::<E>(4.0) * variance.sqrt() + mean_grain(mean);
            let of_mean = ratio(got.mean[0], mean, bound);
            worst.note("mean", &case, of_mean, || format!("seed {seed}"));
            let of_variance = ratio(got.variance[0], variance, units::<E>(16.0) * variance);
            worst.note("variance", &case, of_variance, || format!("seed {seed}"));
        }
    }
    worst.judge(name);
}

#[test]
fn a_million_elements_keep_the_contract_f32() {
    long::<f32>("a_million_elements_keep_the_contract_f32", 1_000_003);
}

#[test]
fn a_million_elements_keep_the_contract_f64() {
    long::<f64>("a_million_elements_keep_the_contract_f64", 1_000_003);
}

#[test]
fn ten_million_elements_of_which_one_differs_keep_the_contract() {
    let mut x = vec![1e6f32; 10_000_019];
    x[7_654_321] = 1e6 + 0.0625;
    let shape = Shape::new(1, 1, 1, x.len());
    let got = harness::moments(&x, shape, &whole(shape));
    let count = Wide::from(x.len() as f64);
    let distance = Wide::from(0.0625) / count;
    let mean = Wide::from(1e6) + distance;
    let variance = Wide::from(0.0625) * distance - distance * distance;
    let bound = units::<f32>(4.0) * variance.sqrt() + mean_grain(mean);
    assert!(ratio(got.mean[0], mean, bound) <= 1.0, "{got:?}");
    assert!(ratio(got.variance[0], variance, units::<f32>(16.0) * variance) <= 1.0, "{got:?}");
}
