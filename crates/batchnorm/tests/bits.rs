//! The same bits everywhere: digests of results, checked in. test/vectors/README.md says how inputs
//! and digests are made; the TypeScript tests make the same from the wasm build.
//!
//! `UPDATE_VECTORS=1 cargo test -p batchnorm --test bits` writes the digests anew.

mod harness;

use batchnorm::view::View;
use harness::operands::{self, Given};
use harness::{Float, Mode, Parameters, Shape, Statistics, whole};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    /// "f32" or "f64".
    dtype: String,
    shape: Vec<usize>,
    reduced_axes: Vec<usize>,
    seed: u32,
    family: String,
    center: f64,
    scale: f64,
    dy_scale: f64,
    gamma_scale: f64,
    epsilon: f64,
    relu: bool,
    frozen: bool,
    /// The family of the weights, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weights: Option<String>,
    /// The scale of the residual, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    residual: Option<f64>,
    digests: Digests,
}

#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
struct Digests {
    moments: String,
    y: String,
    gradients: String,
    dx: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dresidual: Option<String>,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test/vectors/bits.json")
}

/// Mulberry32, as multiples of 2⁻²³ in [-1, 1).
struct Uniform(u32);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x6d2b_79f5);
        let a = self.0;
        let mut t = (a ^ (a >> 15)).wrapping_mul(a | 1);
        t ^= t.wrapping_add((t ^ (t >> 7)).wrapping_mul(t | 61));
        let bits = t ^ (t >> 14);
        f64::from(bits >> 8) / 8_388_608.0 - 1.0
    }
}

/// Element `index` of the channel `statistic`, before it is rounded.
fn element(family: &str, center: f64, scale: f64, u: f64, statistic: usize, index: usize) -> f64 {
    let i = index as f64;
    match family {
        "uniform" => center + scale * u,
        "constant" => center,
        "ramp" => center + scale * i,
        "steps" => center + scale * ((index / 61) as f64 + u / 64.0),
        "clusters" => center + scale * (if index % 7 < 3 { 1.0 } else { -1.0 } + u / 1024.0),
        "outliers" => center + scale * u * if index < 5 { 65536.0 } else { 1.0 },
        "sparse" => {
            if index < 70 || u < 0.75 {
                0.0
            } else {
                center + scale * u
            }
        }
        "nan" => {
            if statistic % 3 == 1 && index == 2 {
                f64::NAN
            } else {
                center + scale * u
            }
        }
        "mixed" => {
            let families = ["uniform", "constant", "ramp", "outliers", "sparse", "clusters"];
            let exponents = [0, 60, -100, 100, -140];
            let scale = scale * 2f64.powi(exponents[statistic % 5]);
            element(families[statistic % 6], center * scale, scale, u, statistic, index)
        }
        _ => panic!("unknown family {family}"),
    }
}

/// The weight of element `index` of a channel.
fn weight(family: &str, u: f64, index: usize) -> f64 {
    match family {
        "mask" => f64::from(u8::from(index == 0 || u >= 0.0)),
        "runs" => f64::from(u8::from((index / 61).is_multiple_of(2))),
        "fraction" => 0.5 - u / 2.0,
        "unequal" => (1.5 + u) * 2f64.powi((60.0 * u).floor() as i32),
        _ => panic!("unknown family {family}"),
    }
}

/// FNV-1a of 64 bits.
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self
    }

    fn numbers(self, numbers: &[f64]) -> Self {
        numbers.iter().fold(self, |digest, number| {
            let bits = if number.is_nan() { 0x7ff8 << 48 } else { number.to_bits() };
            digest.bytes(&bits.to_le_bytes())
        })
    }

    fn elements<E: Float>(self, elements: &[E]) -> Self {
        if E::NAME == "f64" {
            return self.numbers(&elements.iter().map(|x| x.to_f64()).collect::<Vec<_>>());
        }
        elements.iter().fold(self, |digest, element| {
            let element = element.to_f64() as f32; // it is one
            let bits = if element.is_nan() { 0x7fc0_0000 } else { element.to_bits() };
            digest.bytes(&bits.to_le_bytes())
        })
    }

    fn finish(self) -> String {
        format!("{:016x}", self.0)
    }
}

fn digests<E: Float>(case: &Case) -> Digests {
    let reduced = |axis: usize| case.reduced_axes.contains(&axis);
    let axes = case.shape.iter().enumerate().map(|(axis, &size)| (size as u64, reduced(axis)));
    let view = View::new(axes);
    assert!(!view.packed, "{}", case.name);
    let [outer, reduce, channels, inner] =
        [view.outer, view.reduce, view.channels, view.inner].map(|size| size as usize);
    let shape = Shape::new(outer, reduce, channels, inner);

    let mut u = Uniform(case.seed);
    let places: Vec<(usize, usize)> = (0..shape.elements())
        .map(|place| {
            let statistic =
                place / (reduce * channels * inner) * channels + place / inner % channels;
            (statistic, place / (channels * inner) % reduce * inner + place % inner)
        })
        .collect();
    let mut elements = |element: &dyn Fn(f64, usize, usize) -> f64| -> Vec<f64> {
        places.iter().map(|&(statistic, index)| element(u.next(), statistic, index)).collect()
    };
    let to_type = |values: Vec<f64>| values.into_iter().map(E::from_f64).collect::<Vec<_>>();
    let x = to_type(elements(&|u, statistic, index| {
        element(&case.family, case.center, case.scale, u, statistic, index)
    }));
    let dy = to_type(elements(&|u, _, _| case.dy_scale * u));
    let mut numbers =
        |number: fn(f64) -> f64| -> Vec<f64> { (0..channels).map(|_| number(u.next())).collect() };
    let per_statistic = |numbers: Vec<f64>| numbers.repeat(outer);
    let gamma = per_statistic(numbers(|u| u).iter().map(|u| case.gamma_scale * u).collect());
    let beta = per_statistic(numbers(|u| u));
    let given_mean = per_statistic(numbers(|u| u));
    let given_variance = per_statistic(numbers(|u| u + 1.5));
    let mut elements = |element: &dyn Fn(f64, usize) -> f64| -> Vec<f64> {
        places.iter().map(|&(_, index)| element(u.next(), index)).collect()
    };
    let residual = case.residual.map(|scale| to_type(elements(&|u, _| scale * u)));
    let weights = case
        .weights
        .as_ref()
        .map(|family| operands::scaled(&elements(&|u, index| weight(family, u, index))));

    let parameters = Parameters { gamma, beta, epsilon: case.epsilon };
    let cuts = whole(shape);
    let batch = match &weights {
        Some(weights) => operands::moments(&x, weights, shape, &cuts, false),
        None => harness::moments(&x, shape, &cuts),
    };
    let moments = Digest::new().numbers(&batch.mean).numbers(&batch.variance).finish();
    let statistics = if case.frozen {
        Statistics { mean: given_mean, variance: given_variance, count: batch.count }
    } else {
        batch
    };
    let y = match &residual {
        Some(residual) => {
            operands::forward([&x, residual], shape, &cuts, &statistics, &parameters, case.relu)
        }
        None => harness::forward(&x, shape, &cuts, &statistics, &parameters, case.relu),
    };
    let (weights, residual) = (weights.as_deref(), residual.as_deref());
    let (mut arrays, mut relu) = ([x, dy], case.relu);
    if weights.is_some() || residual.is_some() {
        let given = Given { residual, weights, relu };
        let gated = arrays.each_ref().map(|array| &array[..]);
        arrays = operands::gate(gated, given, shape, &cuts, &statistics, &parameters);
        relu = false;
    }
    let arrays = arrays.each_ref().map(|array| &array[..]);
    let totals = harness::totals(arrays, shape, &cuts, &statistics, &parameters, relu);
    let dx = match weights.filter(|_| !case.frozen) {
        Some(weights) => {
            operands::dx(arrays, weights, shape, &cuts, &statistics, &parameters, &totals)
        }
        None => {
            let mode = Mode { relu, frozen: case.frozen };
            harness::dx(arrays, shape, &cuts, &statistics, &parameters, &totals, mode)
        }
    };
    Digests {
        moments,
        y: Digest::new().elements(&y).finish(),
        gradients: Digest::new().numbers(&totals.dgamma).numbers(&totals.dbeta).finish(),
        dx: Digest::new().elements(&dx).finish(),
        dresidual: residual.map(|_| Digest::new().elements(arrays[1]).finish()),
    }
}

#[test]
fn results_have_the_bits_that_are_checked_in() {
    let text = std::fs::read_to_string(path()).expect("test/vectors/bits.json");
    let mut cases: Vec<Case> = serde_json::from_str(&text).expect("cases");
    let update = std::env::var_os("UPDATE_VECTORS").is_some();
    let mut different = Vec::new();
    for case in &mut cases {
        let digests = match case.dtype.as_str() {
            "f32" => digests::<f32>(case),
            "f64" => digests::<f64>(case),
            other => panic!("unknown dtype {other}"),
        };
        if digests != case.digests {
            different.push(format!("{}: {digests:?}, checked in {:?}", case.name, case.digests));
            case.digests = digests;
        }
    }
    if update {
        // a case a line: {"name": …}
        let lines: Vec<String> =
            cases.iter().map(|case| serde_json::to_string(case).unwrap()).collect();
        std::fs::write(path(), format!("[\n  {}\n]\n", lines.join(",\n  "))).unwrap();
        return;
    }
    assert!(
        different.is_empty(),
        "other bits:\n{}\nif they are meant: UPDATE_VECTORS=1 cargo test -p batchnorm --test bits",
        different.join("\n")
    );
}

#[test]
fn the_generator_and_the_digest_are_those_of_the_readme() {
    let mut u = Uniform(1);
    let first: Vec<f64> = (0..3).map(|_| u.next() * 8_388_608.0).collect();
    assert_eq!(first, [2131946.0, -8342711.0, 460484.0]);
    assert_eq!(Digest::new().bytes(b"").finish(), "cbf29ce484222325");
    assert_eq!(Digest::new().bytes(b"a").finish(), "af63dc4c8601ec8c");
    assert_eq!(Digest::new().numbers(&[1.0]).finish(), "aab1693229ba1db8");
}
