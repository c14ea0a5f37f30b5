//! The answers of the first and the last channel, by textbook formulas in f64.

use crate::work::{Shape, Work};

/// Panics where one is off.
pub fn check(work: &mut Work) {
    work.forward();
    work.backward();
    for channel in [0, work.shape.channels - 1] {
        check_channel(work, channel);
    }
}

fn check_channel(work: &Work, channel: usize) {
    let values = |array: &[f32]| -> Vec<f64> {
        places(work.shape, channel).map(|place| f64::from(array[place])).collect()
    };
    let statistics = &work.statistics;
    let (gamma, beta) = (statistics.gamma[channel], statistics.beta[channel]);
    let (x, dy) = (values(&work.x), values(&work.dy));
    let m = x.len() as f64;
    let mean = x.iter().sum::<f64>() / m;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / m;
    let r = (variance + statistics.epsilon).sqrt().recip();
    let x_hat: Vec<f64> = x.iter().map(|x| (x - mean) * r).collect();
    let dbeta = dy.iter().sum::<f64>();
    let dgamma = dy.iter().zip(&x_hat).map(|(dy, x_hat)| dy * x_hat).sum::<f64>();
    let y: Vec<f64> = x_hat.iter().map(|x_hat| x_hat * gamma + beta).collect();
    let dx: Vec<f64> = (dy.iter().zip(&x_hat))
        .map(|(dy, x_hat)| gamma * r * (dy - dbeta / m - x_hat * dgamma / m))
        .collect();
    near("mean", &[statistics.mean[channel]], &[mean]);
    near("variance", &[statistics.variance[channel]], &[variance]);
    near("y", &values(&work.y), &y);
    near("dx", &values(&work.dx), &dx);
}

fn near(name: &str, found: &[f64], due: &[f64]) {
    for (found, due) in found.iter().zip(due) {
        assert!((found - due).abs() < 1e-4 * (1.0 + due.abs()), "{name} is {found}, not {due}");
    }
}

fn places(shape: Shape, channel: usize) -> impl Iterator<Item = usize> {
    let Shape { reduce, channels, inner } = shape;
    (0..reduce).flat_map(move |row| {
        let start = (row * channels + channel) * inner;
        start..start + inner
    })
}
