//! The bounds of the contract (docs/numerics.md), what is judged by them, and the worst that was found.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod cases;

use crate::harness::{Float, setting};
use crate::reference::Wide;
use cases::Case;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The worst ratio of each quantity and family.
#[derive(Default)]
pub struct Worst {
    ratios: BTreeMap<(&'static str, &'static str), (f64, String)>,
}

impl Worst {
    pub fn note(
        &mut self,
        quantity: &'static str,
        case: &Case,
        ratio: f64,
        what: impl Fn() -> String,
    ) {
        let entry = self.ratios.entry((quantity, case.family.0)).or_default();
        if ratio > entry.0 || entry.1.is_empty() {
            *entry = (ratio, format!("case {} {:?} {}", case.index, case.shape, what()));
        }
    }

    /// Prints all, and fails where a bound is exceeded.
    pub fn judge(self, name: &str) {
        let mut table = format!("{name}: worst error / bound\n");
        let mut broken = String::new();
        for ((quantity, family), (ratio, what)) in &self.ratios {
            writeln!(table, "{quantity:22} {family:26} {ratio:8.4}  {what}").unwrap();
            if *ratio > 1.0 {
                writeln!(broken, "{quantity}, {family}: {ratio} at {what}").unwrap();
            }
        }
        let quantities: BTreeSet<_> = self.ratios.keys().map(|key| key.0).collect();
        for quantity in quantities {
            let all = self.ratios.iter().filter(|(key, _)| key.0 == quantity);
            let worst = all.fold(0.0, |worst: f64, (_, entry)| worst.max(entry.0));
            writeln!(table, "{quantity:22} {:26} {worst:8.4}", "ALL").unwrap();
        }
        println!("{table}");
        let seed = setting("CONTRACT_SEED").unwrap_or(1);
        assert!(
            broken.is_empty(),
            "out of bound:\n{broken}repeat: CONTRACT_SEED={seed} CONTRACT_CASE=<case> cargo test \
             --release -p batchnorm --test {} {name} -- --nocapture",
            env!("CARGO_CRATE_NAME")
        );
    }
}

/// u·factor.
pub fn units<E: Float>(factor: f64) -> Wide {
    Wide::from(factor) * Wide::power(-E::PRECISION)
}

/// What rounding a result to its own type may cost where it is subnormal.
pub fn grain<E: Float>() -> Wide {
    Wide::power(-E::GRAIN)
}

/// 2⁻⁵⁰·|μ|, which the rounding of a mean to one f64 is granted, for f64 elements too.
pub fn mean_grain(mean: Wide) -> Wide {
    mean.abs() * Wide::power(-50)
}
