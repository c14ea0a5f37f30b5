//! Hostile inputs: each family makes the elements of a channel.

use super::{Float, Rng, Shape};

pub type Family = (&'static str, fn(&mut Rng, usize) -> Vec<f64>);

fn each(len: usize, element: impl FnMut(usize) -> f64) -> Vec<f64> {
    (0..len).map(element).collect()
}

/// Lengths that share no factor with blocks, lanes or one another.
const PERIODS: [usize; 9] = [3, 7, 13, 61, 67, 127, 251, 1021, 1031];

/// Any of these has variances and products that f64 holds.
pub const FAMILIES: &[Family] = &[
    ("normal", |rng, len| each(len, |_| rng.normal())),
    ("offset to 1e7", |rng, len| {
        let offset = rng.pick(&[-1e7, 1e7, 1e6, 1e4, -1e4, 1e2, 3.0]);
        each(len, |_| offset + rng.normal())
    }),
    ("1e6 + U(0,1)", |rng, len| each(len, |_| 1e6 + rng.uniform())),
    ("first rows outliers", |rng, len| {
        let (rows, far) = (rng.pick(&[1, 2, 3, 4, 8, 9, 64]), rng.pick(&[1e2, 1e4, -1e6, 1e9]));
        let offset = rng.pick(&[0.0, 100.0, 1e5]);
        each(len, |i| offset + if i < rows { far * (1.0 + rng.uniform()) } else { rng.normal() })
    }),
    ("one late outlier", |rng, len| {
        let (at, far) = (rng.below(len), rng.pick(&[30.0, 1e3, -1e6, 1e12]));
        each(len, |i| if i == at { far } else { rng.normal() })
    }),
    ("ramp", |rng, len| {
        let (offset, step) = (rng.pick(&[0.0, -1e3, 1e6]), rng.pick(&[1.0, 0.1, -3.0]));
        each(len, |i| offset + step * i as f64)
    }),
    ("noisy ramp", |rng, len| {
        let (offset, step) = (rng.pick(&[0.0, 1e6]), rng.pick(&[1.0, 0.01, -0.1]));
        each(len, |i| offset + step * i as f64 + rng.normal())
    }),
    ("steps", |rng, len| {
        let (period, height) = (rng.pick(&PERIODS), rng.pick(&[1.0, 10.0, 1e4]));
        let offset = rng.pick(&[0.0, 1e5]);
        each(len, |i| offset + height * (i / period) as f64 + 0.01 * rng.normal())
    }),
    ("two clusters", |rng, len| {
        let (far, width) = (rng.pick(&[1.0, 1e3, 1e6]), rng.pick(&[0.0, 1e-3, 1.0]));
        let (split, kind) = (rng.below(len + 1), rng.below(3));
        each(len, |i| {
            let high = match kind {
                0 => i < split,
                1 => rng.below(2) == 0,
                _ => i % 7 < 3,
            };
            (if high { far } else { -far }) + width * rng.normal()
        })
    }),
    ("exponential growth", |rng, len| {
        let doublings = rng.pick(&[10.0, 40.0, 80.0]);
        let sign = rng.pick(&[1.0, -1.0]);
        let start = rng.pick(&[1.0, 1e-12]);
        each(len, |i| start * sign * (doublings * i as f64 / len as f64).exp2())
    }),
    ("exponential decay", |rng, len| {
        let rate = rng.pick(&[0.5, 0.9, 0.99]);
        let offset = rng.pick(&[0.0, 0.0, 1.0]);
        each(len, |i| offset + f64::powf(rate, i.min(200) as f64) * (1.0 + rng.uniform()))
    }),
    ("heavy tails", |rng, len| {
        let power = rng.pick(&[0.5, 1.0, 2.0, 3.0]);
        each(len, |_| rng.pick(&[1.0, -1.0]) * (1.0 - rng.uniform()).powf(-power))
    }),
    ("sparse ReLU", |rng, len| {
        let (dead, density) = (rng.below(100), rng.pick(&[0.5, 0.1, 0.01]));
        each(len, |i| if i >= dead && rng.uniform() < density { rng.normal().abs() } else { 0.0 })
    }),
    ("one differing", |rng, len| {
        let value = rng.pick(&[0.1, 1e6, -1e7, 3.0, 1e-3]);
        let at = rng.pick(&[0, len / 2, len - 1, rng.clone().below(len)]);
        let other = value * rng.pick(&[1.0 + 6.1e-8, 1.0 + 1e-6, 2.0, -1.0]);
        each(len, |i| if i == at { other } else { value })
    }),
    ("neighbouring floats", |rng, len| {
        let value: f64 = rng.pick(&[1.0, 1e6, 4095.5]);
        let step = value * 1.2e-7;
        each(len, |_| value + step * rng.below(3) as f64)
    }),
    ("constant", |rng, len| {
        let value = rng.pick(&[0.0, 0.1, -1e7, 16_777_216.0, 1e30, 1e-30, 1.0 / 3.0]);
        vec![value; len]
    }),
    ("1e25", |rng, len| each(len, |_| 1e25 * rng.normal())),
    ("1e-25", |rng, len| each(len, |_| 1e-25 * rng.normal())),
    ("1e-18 + 1e-25", |rng, len| each(len, |_| 1e-18 + 1e-25 * rng.normal())),
    ("all magnitudes", |rng, len| {
        each(len, |_| rng.pick(&[1.0, -1.0]) * 10f64.powf(rng.uniform() * 60.0 - 30.0))
    }),
    ("subnormal in f32", |rng, len| each(len, |_| (rng.below(2001) as f64 - 1000.0) * 1.5e-45)),
    ("extremes of f32", |rng, len| {
        let ends = [3.4e38, -3.4e38, 1.7e38, 1e20, 1e-20, -1e-38, 1e-45, 0.0, 1.0];
        let few = [rng.pick(&ends), rng.pick(&ends), rng.pick(&ends)];
        let max = f64::from(f32::MAX);
        each(len, |_| (rng.pick(&few) * (1.0 + 0.5 * rng.uniform())).clamp(-max, max))
    }),
    ("alternating", |rng, len| {
        let (far, noise) = (rng.pick(&[1.0, 1e5]), rng.pick(&[0.0, 1.0]));
        each(len, |i| if i % 2 == 0 { far } else { -far } + noise * rng.normal())
    }),
    ("prime periods", |rng, len| {
        let (a, b) = (rng.pick(&PERIODS), rng.pick(&PERIODS));
        each(len, |i| (i % a) as f64 * 0.37 - (i % b) as f64 * 1.13 + 1000.0)
    }),
    ("smooth as images", |rng, len| {
        let (a, b) = (rng.uniform() * 0.02, rng.uniform() * 0.3);
        each(len, |i| {
            (128.0 + 80.0 * (a * i as f64).sin() + 20.0 * (b * i as f64).cos() + rng.normal())
                .clamp(0.0, 255.0)
                .round()
        })
    }),
    ("random walk", |rng, len| {
        let mut at = rng.pick(&[0.0, 1e4]);
        each(len, |_| {
            at += rng.normal();
            at
        })
    }),
    ("shift after some blocks", |rng, len| {
        // around the threshold at which a block is taken again
        let (at, by) = (rng.below(len), rng.uniform() * 3.0);
        let by = by * rng.pick(&[1.0, 1.0, 10.0, 100.0]);
        each(len, |i| rng.normal() + if i < at { 0.0 } else { by })
    }),
    ("quiet, then loud", |rng, len| {
        let (at, loud) = (rng.below(len), rng.pick(&[1e3, 1e8]));
        each(len, |i| if i < at { 1e-3 * rng.normal() } else { loud * rng.normal() })
    }),
    ("first ones alike", |rng, len| {
        // a shift almost as poor as may be, and sums whose every addition rounds the same way
        let (one, other) = (rng.normal(), rng.normal());
        let share = rng.pick(&[0.5, 0.34, 0.33, 0.32, 0.3, 0.2]);
        let rows = rng.pick(&[1, 4, 8, 8, 8]);
        let random = rng.below(2) == 0;
        let period = rng.pick(&[2, 3, 4, 7, 8, 32]);
        each(len, |i| {
            let far = if random {
                rng.uniform() < share
            } else {
                ((i % period) as f64) < share * period as f64
            };
            if far && i >= rows { other } else { one }
        })
    }),
    ("one large, the rest vanish", vanishing),
    ("biased rounding", |rng, len| {
        // every addition rounds the same way
        let (one, other) = (rng.pick(&[0.1, 1.0 / 3.0, 0.7]), rng.pick(&[-0.1, 0.9, 5.3]));
        each(len, |i| if i < 8 { other } else { one })
    }),
];

/// Each addition to the first number loses nearly half of its last place, always downwards; or its square
/// does to the sum of squares.
fn vanishing(rng: &mut Rng, len: usize) -> Vec<f64> {
    let unit = rng.pick(&[24, 53]);
    let at_most = rng.pick(&[1.0, 2.0, 4.0, 0.25]) * 0.98 * 2f64.powi(-unit);
    let square = rng.below(2) == 0;
    let small = if square { at_most.sqrt() } else { at_most };
    let (at, scale) = (rng.pick(&[0, 0, 1, 16, 40]), rng.pick(&[1.0, 1.0, 1.37, -1.0, 1e6]));
    each(len, |i| if i == at { scale * (1.0 + 1e-6) } else { scale * small })
}

/// Gradients that arrive from above.
pub const GRADIENTS: &[Family] = &[
    ("normal", |rng, len| each(len, |_| rng.normal())),
    ("offset", |rng, len| each(len, |_| 1e5 + rng.normal())),
    ("constant", |_, len| vec![0.3; len]),
    ("alternating", |rng, len| {
        let noise = rng.pick(&[0.0, 1e-4]);
        each(len, |i| if i % 2 == 0 { 1e3 } else { -1e3 } + noise * rng.normal())
    }),
    ("heavy tails", |rng, len| {
        each(len, |_| rng.pick(&[1.0, -1.0]) * (1.0 - rng.uniform()).powf(-2.0))
    }),
    ("sparse", |rng, len| each(len, |_| if rng.below(50) == 0 { rng.normal() } else { 0.0 })),
    ("tiny", |rng, len| each(len, |_| 1e-30 * rng.normal())),
    ("huge", |rng, len| each(len, |_| 1e30 * rng.normal())),
    ("all magnitudes", |rng, len| {
        each(len, |_| rng.pick(&[1.0, -1.0]) * 10f64.powf(rng.uniform() * 60.0 - 30.0))
    }),
    ("zero", |_, len| vec![0.0; len]),
    ("one large, the rest vanish", vanishing),
];

/// Elements of the largest and smallest magnitudes, in runs and mixed.
pub fn extreme<E: Float>(rng: &mut Rng, shape: Shape) -> Vec<E> {
    let (tiny, normal) = (2f64.powi(1 - E::GRAIN / 2).powi(2), 2.0 / E::MAX);
    let ends =
        [E::MAX, -E::MAX, E::MAX / 2.0, -E::MAX / 3.0, E::MAX.sqrt(), normal, -tiny, 0.0, 1.0];
    let channels: Vec<Vec<f64>> = (0..shape.statistics())
        .map(|_| {
            let few = [rng.pick(&ends), rng.pick(&ends), rng.pick(&ends)];
            let run = rng.pick(&[1, 1, 2, 8, 64, 100, 1024, 8192]);
            let mixed = rng.below(2) == 0;
            (0..shape.count())
                .map(|i| if mixed { rng.pick(&few) } else { few[i / run % 3] })
                .collect()
        })
        .collect();
    shape.assemble(|statistic| channels[statistic].clone())
}
