//! The cases of a contract: every family of inputs with every length, the rest by chance.

use crate::harness::families::{FAMILIES, Family};
use crate::harness::{Float, Parameters, Rng, Shape, setting};

/// Elements per channel: around every lane, tree, block, copy and chunk.
pub const LENGTHS: &[usize] = &[
    1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 31, 32, 33, 48, 63, 64, 65, 100, 127, 128, 129,
    191, 192, 193, 255, 256, 257, 511, 512, 513, 1000, 1023, 1024, 1025, 1535, 1536, 2047, 2048,
    2049, 3071, 5000, 8191, 8192, 8193, 16383, 16385, 30011,
];

/// Channels beside 1..=70.
const MANY: &[usize] = &[127, 128, 129, 255, 257, 511, 1023, 1024, 1025, 2047, 2048, 2049, 4099];

/// Segment lengths, channels-first.
const INNERS: &[usize] = &[
    2, 3, 4, 5, 7, 9, 11, 13, 15, 16, 17, 31, 33, 49, 63, 64, 65, 196, 341, 511, 512, 513, 1023,
    1024, 1025, 2047, 2049, 3136,
];

#[derive(Clone, Copy, Debug)]
pub enum Layout {
    ChannelsLast,
    ChannelsFirst,
}

#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub index: u64,
    pub family: &'static Family,
    pub shape: Shape,
    pub seed: u64,
}

/// Every family with every length; the rest by chance.
pub fn cases(layout: Layout) -> Vec<Case> {
    let base = setting("CONTRACT_SEED").unwrap_or(1);
    let rounds = setting("CONTRACT_ROUNDS").unwrap_or(1);
    let only = setting("CONTRACT_CASE");
    let mut cases = Vec::new();
    for _ in 0..rounds {
        for family in FAMILIES {
            for &length in LENGTHS {
                let index = cases.len() as u64;
                let mut rng = Rng::new(base.wrapping_mul(0x1_0000_0001).wrapping_add(index));
                let shape = shape(layout, length, &mut rng);
                cases.push(Case { index, family, shape, seed: rng.next() });
            }
        }
    }
    let family = std::env::var("CONTRACT_FAMILY").unwrap_or_default();
    cases.retain(|case| only.is_none_or(|only| case.index == only));
    cases.retain(|case| case.family.0.contains(&family));
    cases
}

/// A shape with about this many elements per channel, of a size that keeps the tests short.
fn shape(layout: Layout, length: usize, rng: &mut Rng) -> Shape {
    let most = (8_000 / length).max(rng.pick(&[1, 2, 3]));
    let mut channels = 1 + rng.below(70.min(most));
    if rng.below(8) == 0 {
        let many: Vec<_> = MANY.iter().copied().filter(|&many| many <= most).collect();
        if !many.is_empty() {
            channels = rng.pick(&many);
        }
    }
    let outer = if length * channels < 2000 && rng.below(4) == 0 { 2 + rng.below(2) } else { 1 };
    match layout {
        Layout::ChannelsLast => Shape::new(outer, length, channels, 1),
        Layout::ChannelsFirst => {
            let fitting: Vec<_> = INNERS.iter().copied().filter(|&i| i <= length).collect();
            if fitting.is_empty() || rng.below(3) == 0 {
                Shape::new(outer, 1, channels, length.max(2))
            } else {
                let inner = rng.pick(&fitting);
                Shape::new(outer, length.div_ceil(inner), channels, inner)
            }
        }
    }
}

pub fn values<E: Float>(rng: &mut Rng, shape: Shape, family: &Family) -> Vec<E> {
    let limit = E::MAX;
    let channels: Vec<Vec<f64>> = (0..shape.statistics())
        .map(|_| (family.1)(rng, shape.count()).iter().map(|x| x.clamp(-limit, limit)).collect())
        .collect();
    shape.assemble(|statistic| channels[statistic].clone())
}

pub fn parameters(rng: &mut Rng, count: usize) -> Parameters {
    let gammas = [1.0, -1.0, 0.0, 1e-20, 1e20, 1e-38, 3e30, -0.37, 1e-3];
    let betas = [0.0, 1.0, -0.3, 1e-20, 1e6, -1e30];
    let plain = rng.below(2) == 0;
    let mut pick =
        |of: &[f64]| if plain { rng.normal() } else { rng.pick(of) * (1.0 + rng.uniform()) };
    let gamma = (0..count).map(|_| pick(&gammas)).collect();
    let beta = (0..count).map(|_| pick(&betas)).collect();
    Parameters { gamma, beta, epsilon: rng.pick(&[0.0, 1e-3, 1e-5, 1e-12]) }
}

/// Which elements of a channel are looked at: its ends, and some in between.
pub fn sample(len: usize) -> impl Iterator<Item = usize> {
    let step = 1 + len / 300;
    (0..len).filter(move |&i| i < 20 || i + 20 >= len || i % step == 0)
}
