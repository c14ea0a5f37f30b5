//! The workloads of bench/workloads.ts, by the crate as this machine's compiler makes it; bench/native.ts
//! reads what criterion writes. One benchmark is called `A/forward`, its answers are checked first.
#![forbid(unsafe_code)]

mod adapter;
mod check;
mod work;

use criterion::{Criterion, SamplingMode};
use std::cell::{LazyCell, RefCell};
use std::hint::black_box;
use std::time::Duration;
use work::Work;

/// `[reduce][channels][inner]`; inner is 1 where channels come last.
const WORKLOADS: [(&str, [usize; 3]); 9] = [
    ("A", [128, 1024, 1]),
    ("B", [32, 256, 1]),
    ("C", [8 * 56 * 56, 64, 1]),
    ("D", [8, 64, 56 * 56]),
    ("E", [32 * 112 * 112, 64, 1]),
    ("F", [32, 64, 112 * 112]),
    ("G", [112 * 112, 32, 1]),
    ("H", [8 * 7 * 7, 2048, 1]),
    ("I", [8, 2048, 7 * 7]),
];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .nresamples(100)
        .without_plots()
        .configure_from_args();
    for (name, shape) in WORKLOADS {
        bench(&mut criterion, name, shape);
    }
    criterion.final_summary();
}

fn bench(criterion: &mut Criterion, name: &str, shape: [usize; 3]) {
    // Only where the filter lets one of them through.
    let work = LazyCell::new(|| {
        let mut work = Work::new(shape);
        check::check(&mut work);
        RefCell::new(work)
    });
    let mut group = criterion.benchmark_group(name);
    // Short samples, as in bench/timing.ts: their median does not see what interrupts a few of them.
    let is_long = shape.iter().product::<usize>() > 10_000_000;
    group.sampling_mode(SamplingMode::Flat).sample_size(if is_long { 20 } else { 1000 });
    let mut time = |operation: &str, run: fn(&mut Work)| {
        group.bench_function(operation, |bencher| {
            let mut work = work.borrow_mut();
            bencher.iter(|| run(black_box(&mut work)));
        });
    };
    time("copy", Work::copy);
    time("moments", Work::moments);
    time("forward", Work::forward);
    time("infer", Work::infer);
    time("backward", Work::backward);
    time("step", |work| {
        work.forward();
        work.backward();
    });
}
