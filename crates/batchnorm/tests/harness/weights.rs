//! Hostile weights: each family makes those of a channel's elements.

use super::families::Family;

fn each(len: usize, weight: impl FnMut(usize) -> f64) -> Vec<f64> {
    (0..len).map(weight).collect()
}

fn mask(counts: bool) -> f64 {
    f64::from(u8::from(counts))
}

/// Some element has weight in each of these.
pub const WEIGHTS: &[Family] = &[
    ("all one", |_, len| vec![1.0; len]),
    ("all alike", |rng, len| {
        // each addition of the second rounds down once 64 of them are summed
        vec![rng.pick(&[0.1, 1.0 + 31.0 * 2f64.powi(-52), 1.0 / 3.0, 1.9]); len]
    }),
    ("a mask", |rng, len| {
        let (density, at) = (rng.pick(&[0.9, 0.5, 0.1, 0.01]), rng.below(len));
        each(len, |i| mask(i == at || rng.uniform() < density))
    }),
    ("a mask in runs", |rng, len| {
        // whole vectors, rows, blocks and chunks without weight, and with
        let (run, first) = (rng.pick(&[4, 64, 100, 1000, 1024, 8192, 9000]), rng.below(2));
        each(len, |i| mask(i / run % 2 == first || i == len - 1))
    }),
    ("the last alone", |_, len| each(len, |i| mask(i == len - 1))),
    ("one alone", |rng, len| {
        let at = rng.below(len);
        each(len, |i| mask(i == at))
    }),
    ("uniform", |rng, len| each(len, |_| 1.0 - rng.uniform())),
    ("very unequal", |rng, len| each(len, |_| (rng.uniform() * 120.0 - 60.0).exp2())),
    ("one heavy", |rng, len| {
        let (at, rest) = (rng.below(len), rng.pick(&[1e-3, 1e-9, 2f64.powi(-60), 2f64.powi(-120)]));
        each(len, |i| if i == at { 1.0 } else { rest * (1.0 + rng.uniform()) })
    }),
    ("one light", |rng, len| {
        let (at, rest) = (rng.below(len), rng.pick(&[1e-3, 1e-9, 2f64.powi(-60), 2f64.powi(-120)]));
        each(len, |i| if i == at { rest } else { 1.0 + rng.uniform() })
    }),
    ("growing", |_, len| each(len, |i| (120.0 * i as f64 / len as f64 - 60.0).exp2())),
    ("shrinking", |_, len| each(len, |i| (60.0 - 120.0 * i as f64 / len as f64).exp2())),
    ("in blocks", |rng, len| {
        let run = rng.pick(&[4, 64, 1024, 8192]);
        each(len, |i| if i / run % 2 == 0 { 1.0 } else { 2f64.powi(-40) } * (1.0 - rng.uniform()))
    }),
];
