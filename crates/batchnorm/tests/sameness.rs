//! The same bits, however an array is cut, wherever its results go, whatever lies beside it; without
//! weights and residual, and with both.
//!
//! `SAMENESS_SEED` repeats a run or makes another.

mod harness;

use harness::families::{FAMILIES, GRADIENTS};
use harness::operands::{self, Given};
use harness::weights::WEIGHTS;
use harness::{Cuts, Float, Mode, Parameters, Rng, Shape, Statistics, Totals, bits, cells};
use harness::{cut_at_blocks, setting, tiles, whole};

const SHAPES: &[(usize, usize, usize, usize)] = &[
    (1, 1000, 1, 1),
    (1, 20_011, 2, 1),
    (1, 3001, 3, 1),
    (1, 1537, 5, 1),
    (1, 513, 17, 1),
    (2, 700, 33, 1),
    (1, 260, 63, 1),
    (1, 8300, 64, 1),
    (1, 200, 70, 1),
    (3, 130, 129, 1),
    (1, 65, 1025, 1),
    (1, 70, 5000, 1),
    (1, 700, 3, 2),
    (1, 3000, 2, 3),
    (1, 1301, 3, 5),
    (1, 900, 5, 13),
    (2, 643, 21, 17),
    (1, 33, 70, 15),
    (1, 3, 600, 40),
    (1, 500, 3, 49),
    (1, 199, 9, 64),
    (2, 60, 7, 196),
    (1, 17, 5, 513),
    (1, 9, 3, 1024),
    (1, 5, 3, 1025),
    (1, 3, 2, 5000),
    (2, 1, 2, 20_001),
    (1, 1, 2100, 9),
];

struct Input<E> {
    shape: Shape,
    x: Vec<E>,
    dy: Vec<E>,
    residual: Vec<E>,
    weights: Vec<f64>,
    parameters: Parameters,
    seed: u64,
}

/// Neighbours of all families.
fn input<E: Float>(shape: Shape, seed: u64) -> Input<E> {
    let rng = &mut Rng::new(seed);
    let mut array = |families: &[harness::families::Family]| -> Vec<E> {
        let channels: Vec<_> = (0..shape.statistics())
            .map(|_| (families[rng.below(families.len())].1)(rng, shape.count()))
            .collect();
        shape.assemble(|statistic| channels[statistic].clone())
    };
    let (x, dy, residual) = (array(FAMILIES), array(GRADIENTS), array(GRADIENTS));
    let gammas = [1.0, -1.0, 0.3, 1e-30, 1e30, 0.0];
    let gamma =
        (0..shape.statistics()).map(|_| rng.pick(&gammas) * (1.0 + rng.uniform())).collect();
    let beta = (0..shape.statistics()).map(|_| rng.normal()).collect();
    let weights: Vec<_> = (0..shape.statistics())
        .map(|_| (WEIGHTS[rng.below(WEIGHTS.len())].1)(rng, shape.count()))
        .collect();
    let weights = shape.assemble(|statistic| weights[statistic].clone());
    let parameters = Parameters { gamma, beta, epsilon: 1e-3 };
    Input { shape, x, dy, residual, weights, parameters, seed }
}

/// All results, cut so.
struct Results<E> {
    statistics: Statistics,
    totals: Totals,
    y: Vec<E>,
    dx: Vec<E>,
}

/// Without weights and residual.
fn results<E: Float>(input: &Input<E>, reductions: &Cuts, maps: &Cuts, mode: Mode) -> Results<E> {
    let Input { shape, x, dy, parameters, .. } = input;
    let statistics = harness::moments(x, *shape, reductions);
    let totals = harness::totals([x, dy], *shape, reductions, &statistics, parameters, mode.relu);
    let y = harness::forward(x, *shape, maps, &statistics, parameters, mode.relu);
    let dx = harness::dx([x, dy], *shape, maps, &statistics, parameters, &totals, mode);
    Results { statistics, totals, y, dx }
}

/// With both. `dense`: the moments from copies of the pieces.
fn operand_results<E: Float>(
    input: &Input<E>,
    cuts: &Cuts,
    relu: bool,
    dense: bool,
) -> (Results<E>, Vec<E>) {
    let Input { shape, x, dy, residual, weights, parameters, .. } = input;
    let shape = *shape;
    let statistics = operands::moments(x, weights, shape, cuts, dense);
    let y = operands::forward([x, residual], shape, cuts, &statistics, parameters, relu);
    let given = Given { residual: Some(residual), weights: Some(weights), relu };
    let [x, dy] = operands::gate([x, dy], given, shape, cuts, &statistics, parameters);
    let arrays = [&x[..], &dy[..]];
    let totals = harness::totals(arrays, shape, cuts, &statistics, parameters, false);
    let dx = operands::dx(arrays, weights, shape, cuts, &statistics, parameters, &totals);
    (Results { statistics, totals, y, dx }, dy)
}

impl<E: Float> Results<E> {
    fn bits(&self) -> [Vec<u64>; 6] {
        let Self { statistics, totals, y, dx } = self;
        let numbers = [&statistics.mean, &statistics.variance, &totals.dgamma, &totals.dbeta]
            .map(|n| bits(n));
        let [mean, variance, dgamma, dbeta] = numbers;
        [mean, variance, dgamma, dbeta, bits(y), bits(dx)]
    }
}

fn each_input<E: Float>(check: impl Fn(&Input<E>, Mode, &mut Rng)) {
    let seed = setting("SAMENESS_SEED").unwrap_or(1);
    for (index, &(outer, reduce, channels, inner)) in SHAPES.iter().enumerate() {
        let seed = seed.wrapping_mul(1000) + index as u64;
        let input = input::<E>(Shape::new(outer, reduce, channels, inner), seed);
        let rng = &mut Rng::new(seed + 500);
        let mode = Mode { relu: rng.below(2) == 0, frozen: rng.below(4) == 0 };
        check(&input, mode, rng);
    }
}

fn assert_same<E: Float>(input: &Input<E>, one: &Results<E>, other: &Results<E>) {
    let names = ["mean", "variance", "dgamma", "dbeta", "y", "dx"];
    for ((name, one), other) in names.into_iter().zip(one.bits()).zip(other.bits()) {
        let at = one.iter().zip(&other).position(|(one, other)| one != other);
        assert_eq!(one.len(), other.len());
        assert!(
            at.is_none(),
            "{name}[{at:?}] differs: {} {:?}, SAMENESS_SEED={}",
            E::NAME,
            input.shape,
            input.seed / 1000
        );
    }
}

fn assert_same_operands<E: Float>(
    input: &Input<E>,
    all: &Cuts,
    cuts: &Cuts,
    relu: bool,
    dense: bool,
) {
    let (one, one_gated) = operand_results(input, all, relu, false);
    let (other, other_gated) = operand_results(input, cuts, relu, dense);
    assert_same(input, &one, &other);
    assert_eq!(bits(&one_gated), bits(&other_gated), "gated dy, {:?}", input.shape);
}

fn pieces<E: Float>() {
    each_input::<E>(|input, mode, rng| {
        let all = whole(input.shape);
        let one = results(input, &all, &all, mode);
        for _ in 0..3 {
            let cuts = cut_at_blocks(input.shape, rng);
            assert_same(input, &one, &results(input, &cuts, &cuts, mode));
            assert_same_operands(input, &all, &cuts, mode.relu, rng.below(2) == 0);
        }
    });
}

#[test]
fn pieces_cut_at_blocks_give_the_bits_of_the_whole_f32() {
    pieces::<f32>();
}

#[test]
fn pieces_cut_at_blocks_give_the_bits_of_the_whole_f64() {
    pieces::<f64>();
}

fn tiled<E: Float>() {
    each_input::<E>(|input, mode, rng| {
        let shape = input.shape;
        // channels that are few, channels-last, are never tiled: copies of a row would have gaps
        if shape.blocking().copies > 1 {
            return;
        }
        let all = whole(shape);
        let one = results(input, &all, &all, mode);
        for width in [1 + rng.below(shape.channels), 1 + rng.below(100), 64, 7] {
            let cuts = tiles(shape, width.min(2048));
            assert_same(input, &one, &results(input, &cuts, &cuts, mode));
            assert_same_operands(input, &all, &cuts, mode.relu, true);
        }
    });
}

#[test]
fn tiles_of_channels_give_the_bits_of_the_whole_f32() {
    tiled::<f32>();
}

#[test]
fn tiles_of_channels_give_the_bits_of_the_whole_f64() {
    tiled::<f64>();
}

fn in_place<E: Float>() {
    each_input::<E>(|input, mode, _| {
        let Input { shape, x, dy, parameters, seed, .. } = input;
        let all = whole(*shape);
        let Results { statistics, totals, y, dx } = results(input, &all, &all, mode);
        let mut over = x.clone();
        let arrays = [cells(&mut over); 2];
        harness::forward_cells(arrays, *shape, &all, &statistics, parameters, mode.relu);
        assert_eq!(bits(&over), bits(&y), "y over x, {shape:?} seed {seed}");
        in_place_with_residual(input, &statistics, mode.relu);
        for over_dy in [false, true] {
            let (mut x, mut dy) = (x.clone(), dy.clone());
            let (x, dy) = (cells(&mut x), cells(&mut dy));
            let arrays = [x, dy, if over_dy { dy } else { x }];
            harness::dx_cells(arrays, *shape, &all, &statistics, parameters, &totals, mode);
            let got: Vec<E> = arrays[2].iter().map(|cell| cell.get()).collect();
            assert_eq!(bits(&got), bits(&dx), "dx over dy: {over_dy}, {shape:?} seed {seed}");
        }
    });
}

/// y over x, over the residual, and over both where they are the same array.
fn in_place_with_residual<E: Float>(input: &Input<E>, statistics: &Statistics, relu: bool) {
    let Input { shape, x, residual, parameters, seed, .. } = input;
    let all = whole(*shape);
    for (what, over_x, same) in
        [("x", true, false), ("the residual", false, false), ("both", true, true)]
    {
        let residual = if same { x } else { residual };
        let y = operands::forward([x, residual], *shape, &all, statistics, parameters, relu);
        let (mut x, mut residual) = (x.clone(), residual.clone());
        let (x, residual) = (cells(&mut x), cells(&mut residual));
        let residual = if same { x } else { residual };
        let over = if over_x { x } else { residual };
        let arrays = [x, over, residual];
        operands::forward_cells(arrays, *shape, &all, statistics, parameters, relu);
        let got: Vec<E> = over.iter().map(|cell| cell.get()).collect();
        assert_eq!(bits(&got), bits(&y), "y over {what}, {shape:?} seed {seed}");
    }
}

#[test]
fn in_place_gives_the_bits_of_out_of_place() {
    in_place::<f32>();
    in_place::<f64>();
}

/// All channels but one replaced, by what is worst for neighbours.
fn neighbours<E: Float>() {
    each_input::<E>(|input, mode, rng| {
        let shape = input.shape;
        let all = whole(shape);
        let one = results(input, &all, &all, mode);
        let (with_operands, _) = operand_results(input, &all, mode.relu, false);
        for trial in 0..4 {
            let kept = rng.below(shape.statistics());
            let hostile: [f64; 8] =
                [f64::NAN, f64::INFINITY, -f64::INFINITY, 1e38, 1e-42, 0.0, 1e300, -1e7];
            let noise: Vec<u64> = (0..16).map(|_| rng.next()).collect();
            let value = |statistic: usize, index: usize| {
                let kind = match trial {
                    0 => 0,
                    1 => 3,
                    _ => noise[statistic % 16] as usize % 8,
                };
                let spread = 1.0 + 0.1 * ((index * 7919) % 101) as f64;
                if index % 3 == 1 { spread } else { hostile[kind] * spread }
            };
            let replace = |array: &[E]| {
                shape.assemble::<E>(|statistic| {
                    if statistic == kept {
                        return shape.channel(array, statistic);
                    }
                    (0..shape.count()).map(|index| value(statistic, index)).collect()
                })
            };
            let mut parameters = input.parameters.clone();
            for statistic in (0..shape.statistics()).filter(|&statistic| statistic != kept) {
                let numbers = [f64::NAN, f64::INFINITY, 1e300, 1e-300, 1.0];
                parameters.gamma[statistic] = numbers[noise[statistic % 7] as usize % 5];
                parameters.beta[statistic] = numbers[noise[statistic % 5] as usize % 5];
            }
            let weights = shape.assemble::<f64>(|statistic| {
                if statistic == kept {
                    return shape.channel(&input.weights, statistic);
                }
                let few = [0.0, 0.0, 1e-300, 1.0, 1.9, 0.1];
                (0..shape.count()).map(|i| few[(i + statistic) % 6]).collect()
            });
            let other = Input {
                shape,
                x: replace(&input.x),
                dy: replace(&input.dy),
                residual: replace(&input.residual),
                weights,
                parameters,
                seed: input.seed,
            };
            let what = format!(
                "channel {kept} of {shape:?}, {}, trial {trial}, SAMENESS_SEED={}",
                E::NAME,
                input.seed / 1000
            );
            let plain = results(&other, &all, &all, mode);
            let (others_operands, _) = operand_results(&other, &all, mode.relu, false);
            for (one, other) in [(&one, &plain), (&with_operands, &others_operands)] {
                let [mean, variance, dgamma, dbeta, ..] = one.bits();
                let [mean2, variance2, dgamma2, dbeta2, ..] = other.bits();
                assert_eq!(mean[kept], mean2[kept], "mean, {what}");
                assert_eq!(variance[kept], variance2[kept], "variance, {what}");
                assert_eq!(dgamma[kept], dgamma2[kept], "dgamma, {what}");
                assert_eq!(dbeta[kept], dbeta2[kept], "dbeta, {what}");
                let own = |array: &[E]| bits(&shape.channel(array, kept));
                assert_eq!(own(&one.y), own(&other.y), "y, {what}");
                assert_eq!(own(&one.dx), own(&other.dx), "dx, {what}");
            }
        }
    });
}

#[test]
fn neighbours_do_not_change_a_channels_bits_f32() {
    neighbours::<f32>();
}

#[test]
fn neighbours_do_not_change_a_channels_bits_f64() {
    neighbours::<f64>();
}

#[test]
fn relu_is_the_positive_part_of_the_same_forward() {
    fn check<E: Float>() {
        each_input::<E>(|input, _, _| {
            let Input { shape, x, parameters, .. } = input;
            let all = whole(*shape);
            let statistics = harness::moments(x, *shape, &all);
            let plain = harness::forward(x, *shape, &all, &statistics, parameters, false);
            let relu = harness::forward(x, *shape, &all, &statistics, parameters, true);
            for (plain, relu) in plain.into_iter().zip(relu) {
                let (plain, relu) = (plain.to_f64(), relu.to_f64());
                let expected = if plain <= 0.0 { 0.0 } else { plain };
                assert_eq!(expected.to_bits(), relu.to_bits(), "{shape:?} seed {}", input.seed);
            }
        });
    }
    check::<f32>();
    check::<f64>();
}

/// dx of a ReLU masks exactly where the forward gave 0, on folded and exact channels alike: with
/// frozen statistics dx is 0 there and γ·r·dy elsewhere.
#[test]
fn the_fused_mask_is_the_sign_of_the_forward() {
    fn check<E: Float>() {
        each_input::<E>(|input, _, _| {
            let Input { shape, x, parameters, seed, .. } = input;
            let all = whole(*shape);
            let statistics = harness::moments(x, *shape, &all);
            let ones = vec![E::from_f64(1.0); x.len()];
            let mode = |relu| Mode { relu, frozen: true };
            let none = vec![0.0; shape.statistics()];
            let totals = Totals { dgamma: none.clone(), dbeta: none };
            let run = |relu| {
                let arrays = [&x[..], &ones[..]];
                let dx =
                    harness::dx(arrays, *shape, &all, &statistics, parameters, &totals, mode(relu));
                let sums = harness::totals(arrays, *shape, &all, &statistics, parameters, relu);
                (dx, sums.dbeta)
            };
            let y = harness::forward(x, *shape, &all, &statistics, parameters, true);
            let ((masked, counts), (plain, _)) = (run(true), run(false));
            for ((y, masked), plain) in y.iter().zip(&masked).zip(plain) {
                let expected = if *y == E::ZERO { E::ZERO } else { plain };
                assert!(*masked == expected, "{shape:?} seed {seed}: {masked:?} {expected:?}");
            }
            for (statistic, count) in counts.into_iter().enumerate() {
                let y = shape.channel(&y, statistic);
                let positive = y.iter().filter(|&&y| y > 0.0).count();
                assert_eq!(count, positive as f64, "{shape:?} seed {seed} channel {statistic}");
            }
        });
    }
    check::<f32>();
    check::<f64>();
}
