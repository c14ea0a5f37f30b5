//! Additions in a row that each lose half a last place, in segments of any length.

mod harness;

use harness::{Shape, whole};

/// The error of the variance, in u, of a tree that sums up to 1, then of what is just too little to be added to it.
/// `down`: the trees are of rows, else of segments.
fn error_of_variance(inner: usize, rows: usize, down: bool) -> f64 {
    let (a, b) = (0.500_211_4_f32, 0.500_122_f32);
    let faint = |exponent: i32| f32::powi(2.0, exponent) * (1.0 - f32::powi(2.0, -24));
    let shape = Shape::new(1, rows, 2, inner);
    let channel: Vec<f64> = (0..shape.count())
        .map(|index| {
            let (row, at) = (index / inner, index % inner);
            let sign = if at % 2 == 0 { 1.0 } else { -1.0 };
            if down {
                let sign = if row % 2 == 0 { 1.0 } else { -1.0 };
                return f64::from(match row {
                    ..4 => [a, -a, b, -b][row],
                    _ if row < rows / 4 * 4 => sign * faint(-13),
                    _ => sign * faint(-12),
                });
            }
            f64::from(match (row, at) {
                (0, ..16) => [a, -a, b, -b][at / 4],
                (_, at) if at < inner / 16 * 16 => sign * faint(-13),
                _ => sign * faint(-12),
            })
        })
        .collect();
    let x: Vec<f32> = shape.assemble(|_| channel.clone());
    let got = harness::moments(&x, shape, &whole(shape));
    let n = channel.len() as f64;
    let sum: f64 = channel.iter().rev().sum();
    let squares: f64 = channel.iter().rev().map(|x| x * x).sum();
    let exact = squares / n - (sum / n) * (sum / n);
    ((got.variance[0] - exact) / exact).abs() * f64::powi(2.0, 24)
}

#[test]
fn segments_of_any_length_keep_the_bound_of_the_variance() {
    for inner in 2..=160 {
        for rows in [1, 4, 7, 8, 16, 19, 23, 40, 300, 3000] {
            for down in [false, true] {
                // Both kinds of tree are of more than one number.
                if rows == 1 && (down || inner < 16) {
                    continue;
                }
                let error = error_of_variance(inner, rows, down);
                assert!(error <= 16.0, "{error} u in {rows} segments of {inner}, down: {down}");
            }
        }
    }
}
