//! The edges of weights and residuals: what is masked out, extremes, NaN, constants, zeros, the gate.
//!
//! `EDGES_SEED` repeats a run or makes another.

mod harness;
mod reference;

use harness::families::extreme;
use harness::operands::{self, Given};
use harness::weights::WEIGHTS;
use harness::{Float, Mode, Parameters, Rng, Shape, Statistics, Totals, bits, setting, whole};
use reference::{Channel, Wide, weighted_moments};

const SHAPES: &[(usize, usize, usize, usize)] = &[
    (1, 1, 5, 1),
    (1, 2, 9, 1),
    (1, 7, 68, 1),
    (1, 131, 3, 1),
    (2, 1000, 3, 1),
    (1, 9001, 1, 1),
    (1, 130, 64, 1),
    (1, 3, 2049, 1),
    (1, 1, 9, 2),
    (1, 3, 5, 7),
    (2, 40, 3, 49),
    (1, 2, 3, 1025),
    (1, 1, 2, 9001),
];

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

fn normal<E: Float>(rng: &mut Rng, shape: Shape) -> Vec<E> {
    (0..shape.elements()).map(|_| E::from_f64(3.0 + rng.normal())).collect()
}

fn weights(rng: &mut Rng, shape: Shape) -> Vec<f64> {
    let channels: Vec<Vec<f64>> = (0..shape.statistics())
        .map(|_| (WEIGHTS[rng.below(WEIGHTS.len())].1)(rng, shape.count()))
        .collect();
    operands::scaled(&shape.assemble::<f64>(|statistic| channels[statistic].clone()))
}

fn parameters(rng: &mut Rng, shape: Shape) -> Parameters {
    // some of them take the exact path
    let gammas = [1.0, -0.7, 1e-30, 1e30, 0.0, 1e-45];
    let numbers =
        |numbers: &mut dyn FnMut() -> f64| (0..shape.statistics()).map(|_| numbers()).collect();
    let gamma = numbers(&mut || rng.pick(&gammas) * (1.0 + rng.uniform()));
    let beta = numbers(&mut || rng.normal());
    Parameters { gamma, beta, epsilon: 1e-3 }
}

struct Input<E> {
    shape: Shape,
    x: Vec<E>,
    dy: Vec<E>,
    residual: Vec<E>,
    weights: Vec<f64>,
    parameters: Parameters,
    relu: bool,
}

struct Results<E> {
    batch: Statistics,
    y: Vec<E>,
    totals: Totals,
    gated: [Vec<E>; 2],
    dx: Vec<E>,
}

fn run<E: Float>(input: &Input<E>) -> Results<E> {
    let Input { shape, x, dy, residual, weights, parameters, relu } = input;
    let (shape, cuts) = (*shape, whole(*shape));
    let batch = operands::moments(x, weights, shape, &cuts, false);
    let y = operands::forward([x, residual], shape, &cuts, &batch, parameters, *relu);
    let given = Given { residual: Some(residual), weights: Some(weights), relu: *relu };
    let gated = operands::gate([x, dy], given, shape, &cuts, &batch, parameters);
    let arrays = gated.each_ref().map(|array| &array[..]);
    let totals = harness::totals(arrays, shape, &cuts, &batch, parameters, false);
    let dx = operands::dx(arrays, weights, shape, &cuts, &batch, parameters, &totals);
    Results { batch, y, totals, gated, dx }
}

fn input<E: Float>(rng: &mut Rng, shape: Shape) -> Input<E> {
    let [x, dy, residual] = [0, 1, 2].map(|_| normal::<E>(rng, shape));
    let weights = weights(rng, shape);
    let parameters = parameters(rng, shape);
    Input { shape, x, dy, residual, weights, parameters, relu: rng.below(2) == 0 }
}

/// Where the weight is 0, x and dy may be anything, and so may the residual.
fn masked<E: Float>() {
    each_shape(|shape, rng, what| {
        let mut input = input::<E>(rng, shape);
        let out: Vec<usize> =
            (0..shape.elements()).filter(|&place| input.weights[place] == 0.0).collect();
        let clean = run(&input);
        let bad = [f64::NAN, f64::INFINITY, -f64::INFINITY, E::MAX, 0.0].map(E::from_f64);
        for array in [&mut input.x, &mut input.dy, &mut input.residual] {
            out.iter().for_each(|&place| array[place] = rng.pick(&bad));
        }
        let dirty = run(&input);
        let numbers = |results: &Results<E>| {
            let Results { batch, totals, .. } = results;
            [&batch.mean, &batch.variance, &batch.count, &totals.dgamma, &totals.dbeta]
                .map(|numbers| bits(numbers))
        };
        assert_eq!(numbers(&clean), numbers(&dirty), "{} {what}", E::NAME);
        assert_eq!(bits(&clean.dx), bits(&dirty.dx), "dx, {} {what}", E::NAME);
        assert!(out.iter().all(|&place| bits(&dirty.dx[place..=place]) == [0]), "{what}");
        let counting = |results: &Results<E>| {
            let places = (0..shape.elements()).filter(|&place| input.weights[place] > 0.0);
            bits(&places.map(|place| results.y[place]).collect::<Vec<_>>())
        };
        assert_eq!(counting(&clean), counting(&dirty), "y, {} {what}", E::NAME);
    });
}

#[test]
fn what_is_masked_out_leaves_no_trace() {
    masked::<f32>();
    masked::<f64>();
}

/// Given statistics whose mean no element can be.
#[test]
fn a_mask_beside_a_mean_beyond_the_elements_leaves_no_nan() {
    each_shape(|shape, rng, what| {
        let mut input = input::<f32>(rng, shape);
        let all = |value| vec![value; shape.statistics()];
        let statistics = Statistics { mean: all(1e300), variance: all(1e300), count: all(1.0) };
        input.relu = false;
        let Input { x, dy, weights, parameters, .. } = &mut input;
        for (x, _) in x.iter_mut().zip(&*weights).filter(|(_, weight)| **weight == 0.0) {
            *x = f32::NAN;
        }
        let (cuts, given) =
            (whole(shape), Given { residual: None, weights: Some(weights), relu: false });
        let [x, dy] = operands::gate([x, dy], given, shape, &cuts, &statistics, parameters);
        let totals = harness::totals([&x, &dy], shape, &cuts, &statistics, parameters, false);
        assert!(totals.dgamma.iter().all(|dgamma| dgamma.is_finite()), "{what}");
        let mode = Mode { relu: false, frozen: true };
        let arrays = [&x[..], &dy[..]];
        let dx = harness::dx(arrays, shape, &cuts, &statistics, parameters, &totals, mode);
        assert!(dx.iter().all(|dx| dx.is_finite()), "{what}");
    });
}

/// Where the weight is above 0.
fn constant<E: Float>() {
    each_shape(|shape, rng, what| {
        let largest =
            [1.0, E::MAX, E::MAX / 3.0, -1e7, 0.1, 1e-30, 2f64.powi(-140), 0.0, 1.0 / 3.0];
        let values: Vec<E> =
            (0..shape.statistics()).map(|_| E::from_f64(rng.pick(&largest))).collect();
        let weights = weights(rng, shape);
        let mut x: Vec<E> =
            shape.assemble(|statistic| vec![values[statistic].to_f64(); shape.count()]);
        for (x, _) in x.iter_mut().zip(&weights).filter(|(_, weight)| **weight == 0.0) {
            *x = E::from_f64(rng.pick(&[7.0, -E::MAX, f64::NAN]));
        }
        let dy: Vec<E> = normal(rng, shape);
        let beta = E::from_f64(rng.normal()).to_f64();
        let all = |value| vec![value; shape.statistics()];
        let parameters = Parameters { gamma: all(rng.normal()), beta: all(beta), epsilon: 0.0 };
        let residual = vec![E::ZERO; x.len()];
        let input = Input { shape, x, dy, residual, weights, parameters, relu: false };
        let results = run(&input);
        for (statistic, value) in values.iter().enumerate() {
            assert_eq!(results.batch.mean[statistic], value.to_f64(), "{} {what}", E::NAME);
            assert_eq!(results.batch.variance[statistic].to_bits(), 0, "{} {what}", E::NAME);
            assert_eq!(results.totals.dgamma[statistic], 0.0, "{} {what}", E::NAME);
            for place in shape.places(statistic).filter(|&place| input.weights[place] > 0.0) {
                assert_eq!(results.y[place].to_f64(), beta, "{} {what}", E::NAME);
                assert_eq!(results.dx[place].to_f64(), 0.0, "{} {what}", E::NAME);
            }
        }
    });
}

#[test]
fn a_channel_that_is_constant_where_it_counts_has_variance_zero_and_gives_beta() {
    constant::<f32>();
    constant::<f64>();
}

#[test]
fn a_channel_without_weight_has_no_elements_and_the_others_keep_their_bits() {
    each_shape(|shape, rng, what| {
        let mut input = input::<f32>(rng, shape);
        let all = run(&input);
        let without = rng.below(shape.statistics());
        shape.places(without).for_each(|place| input.weights[place] = 0.0);
        let results = run(&input);
        for statistic in 0..shape.statistics() {
            let numbers = |results: &Results<f32>| {
                let Statistics { mean, variance, count } = &results.batch;
                [mean, variance, count].map(|numbers| numbers[statistic].to_bits())
            };
            if statistic == without {
                assert_eq!(results.batch.count[statistic], 0.0, "{what}");
            } else {
                assert_eq!(numbers(&all), numbers(&results), "{what}");
            }
        }
    });
}

#[test]
fn weights_times_a_power_of_two_give_the_bits_of_the_weights() {
    fn check<E: Float>() {
        each_shape(|shape, rng, what| {
            let Input { x, weights, .. } = input::<E>(rng, shape);
            let moments = |exponent: i32| {
                let scaled: Vec<f64> =
                    weights.iter().map(|weight| weight * 2f64.powi(exponent)).collect();
                let Statistics { mean, variance, .. } =
                    operands::moments(&x, &scaled, shape, &whole(shape), false);
                [bits(&mean), bits(&variance)]
            };
            let plain = moments(0);
            for exponent in [-400, -63, -1, 1, 20, 400] {
                assert_eq!(moments(exponent), plain, "2^{exponent}, {} {what}", E::NAME);
            }
        });
    }
    check::<f32>();
    check::<f64>();
}

/// The largest and smallest elements there are, with weights, plus a residual of such.
fn finite_in_finite_out<E: Float>() {
    each_shape(|shape, rng, what| {
        let mut input = input::<E>(rng, shape);
        input.x = extreme(rng, shape);
        input.dy = extreme(rng, shape);
        input.residual = extreme(rng, shape);
        let numbers = [0.0, 1.0, -1.0, E::MAX, 1.0 / E::MAX, E::MAX.sqrt(), 1e-30];
        for numbers_of in [&mut input.parameters.gamma, &mut input.parameters.beta] {
            numbers_of.iter_mut().for_each(|number| *number = rng.pick(&numbers));
        }
        let results = run(&input);
        (0..shape.statistics())
            .for_each(|statistic| check_finite(&input, &results, statistic, what));
    });
}

fn check_finite<E: Float>(input: &Input<E>, results: &Results<E>, statistic: usize, what: &str) {
    let Input { shape, parameters, .. } = input;
    let [x, dy, residual, y, dx] =
        [&input.x, &input.gated_dy(results), &input.residual, &results.y, &results.dx]
            .map(|array| shape.channel(array, statistic));
    let weights = shape.channel(&input.weights, statistic);
    let counting: Vec<usize> = (0..x.len()).filter(|&index| weights[index] > 0.0).collect();
    let of_counting = |values: &[f64]| counting.iter().map(|&i| values[i]).collect::<Vec<_>>();
    let (total, mean, variance) = weighted_moments(&of_counting(&x), &of_counting(&weights));
    let got = (results.batch.mean[statistic], results.batch.variance[statistic]);
    let m2 = (variance * total).to_f64();
    let at = || format!("{} channel {statistic} of {what}: {got:?}", E::NAME);
    assert!(got.0.is_finite(), "mean {}; {}", mean.to_f64(), at());
    assert!(got.1 >= 0.0, "variance; {}", at());
    assert!(got.1.is_finite() || m2.is_infinite(), "variance; {}", at());
    if !got.1.is_finite() {
        return; // Σw(x-μ)² is beyond f64
    }
    let (gamma, beta) = (parameters.gamma[statistic], parameters.beta[statistic]);
    let channel = |mean, variance| Channel::new(mean, variance, gamma, beta, parameters.epsilon);
    let (channel, saved) = (channel(mean, variance), channel(Wide::from(got.0), Wide::from(got.1)));
    let unit = Wide::power(-E::PRECISION);
    let fits = |exact: Wide, scale: Wide| {
        (exact.abs() + Wide::from(24.0) * unit * scale).to_f64() <= E::MAX
    };
    for index in 0..x.len() {
        let plain = channel.forward(x[index]);
        let exact = plain + Wide::from(residual[index]);
        let size = channel.normalized(x[index]).abs().max(Wide::from(1.0));
        let scale = (channel.gamma.abs() * size).max(channel.beta.abs());
        let scale = scale.max(Wide::from(residual[index]).abs());
        assert!(
            // what the residual is added to is rounded to an element before
            y[index].is_finite() || !fits(exact, scale) || !fits(plain, scale),
            "x {:e} residual {:e} y {:e} exact {:e} gamma {gamma:e} beta {beta:e}; {}",
            x[index],
            residual[index],
            y[index],
            exact.to_f64(),
            at()
        );
    }
    let exact = reference::Totals::new(&saved, &of_counting(&x), &of_counting(&dy));
    let (dbeta, dgamma) = (results.totals.dbeta[statistic], results.totals.dgamma[statistic]);
    // f64 sums may overflow on the way, where Σ|dy| does
    assert!(dbeta.is_finite() || exact.dbeta_terms.to_f64().is_infinite(), "dbeta; {}", at());
    assert!(dgamma.is_finite() || exact.dgamma_terms.to_f64().is_infinite(), "dgamma; {}", at());
    for &index in &counting {
        let share = Wide::from(weights[index]) / total;
        let value = exact.weighted_dx(&saved, x[index], dy[index], share);
        let scale = exact.weighted_dx_scale(&saved, x[index], dy[index], share);
        let sums = exact.dbeta_terms.max(exact.dgamma_terms);
        assert!(
            dx[index].is_finite() || !fits(value, scale) || !sums.to_f64().is_finite(),
            "dx {:e} exact {:e} of x {:e} dy {:e} weight {:e} gamma {gamma:e}; {}",
            dx[index],
            value.to_f64(),
            x[index],
            dy[index],
            weights[index],
            at()
        );
    }
}

impl<E: Float> Input<E> {
    /// dy', by the y that was found.
    fn gated_dy(&self, results: &Results<E>) -> Vec<E> {
        let counts =
            |place: usize| self.weights[place] > 0.0 && !(self.relu && results.y[place] <= E::ZERO);
        let dy = self.dy.iter().enumerate();
        dy.map(|(place, &dy)| if counts(place) { dy } else { E::ZERO }).collect()
    }
}

#[test]
fn finite_in_gives_finite_out_f32() {
    finite_in_finite_out::<f32>();
}

#[test]
fn finite_in_gives_finite_out_f64() {
    finite_in_finite_out::<f64>();
}

fn residual_nan<E: Float>() {
    each_shape(|shape, rng, what| {
        let mut input = input::<E>(rng, shape);
        input.weights.fill(1.0);
        let clean = run(&input);
        let hit = rng.below(shape.elements());
        input.residual[hit] = E::from_f64(f64::NAN);
        let dirty = run(&input);
        let others = |array: &[E]| {
            let mut bits = bits(array);
            bits.remove(hit);
            bits
        };
        assert!(dirty.y[hit].to_f64().is_nan(), "{what}");
        assert_eq!(others(&clean.y), others(&dirty.y), "{what}");
        // As every NaN passes a ReLU.
        assert_eq!(bits(&dirty.gated[1][hit..=hit]), bits(&input.dy[hit..=hit]), "{what}");
        assert_eq!(others(&clean.gated[1]), others(&dirty.gated[1]), "{what}");
    });
}

#[test]
fn a_nan_in_the_residual_stays_in_its_element() {
    residual_nan::<f32>();
    residual_nan::<f64>();
}

/// The ReLU is that of the sum, -0 and what rounds to 0 included, on whatever path.
fn relu_of_the_sum<E: Float>() {
    each_shape(|shape, rng, what| {
        let mut input = input::<E>(rng, shape);
        input.relu = false;
        let cuts = whole(shape);
        let batch = operands::moments(&input.x, &input.weights, shape, &cuts, false);
        let plain = harness::forward(&input.x, shape, &cuts, &batch, &input.parameters, false);
        for (residual, plain) in input.residual.iter_mut().zip(plain) {
            *residual = match rng.below(4) {
                0 => E::ZERO - plain,
                1 => E::from_f64(-0.0),
                _ => *residual,
            };
        }
        let sum = run(&input).y;
        input.relu = true;
        let Results { y, gated: [x, dy], .. } = run(&input);
        for place in 0..shape.elements() {
            let (sum, y, counts) = (sum[place], y[place], input.weights[place] > 0.0);
            let expected = if sum <= E::ZERO { E::ZERO } else { sum };
            assert_eq!(bits(&[expected]), bits(&[y]), "{} {what}", E::NAME);
            let passes = counts && y != E::ZERO;
            let expected = if passes { input.dy[place] } else { E::ZERO };
            assert_eq!(bits(&[dy[place]]), bits(&[expected]), "{} {what}", E::NAME);
            if counts {
                assert_eq!(bits(&[x[place]]), bits(&[input.x[place]]), "{} {what}", E::NAME);
            }
        }
    });
}

#[test]
fn the_relu_and_its_gate_are_those_of_the_sum() {
    relu_of_the_sum::<f32>();
    relu_of_the_sum::<f64>();
}

/// Backward passes through staging buffers gate what they find there twice.
fn gated_twice<E: Float>() {
    each_shape(|shape, rng, what| {
        let mut input = input::<E>(rng, shape);
        input.relu = true;
        let once = run(&input).gated;
        let Input { residual, weights, parameters, .. } = &input;
        let cuts = whole(shape);
        let batch = operands::moments(&input.x, weights, shape, &cuts, false);
        let given = Given { residual: Some(residual), weights: Some(weights), relu: true };
        let arrays = once.each_ref().map(|array| &array[..]);
        let twice = operands::gate(arrays, given, shape, &cuts, &batch, parameters);
        assert_eq!(once.map(|array| bits(&array)), twice.map(|array| bits(&array)), "{what}");
    });
}

#[test]
fn what_went_through_the_gate_goes_through_as_it_is() {
    gated_twice::<f32>();
    gated_twice::<f64>();
}
