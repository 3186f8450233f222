use std::{fmt::Write as _, time::Duration};

use qc_simulation::runner::{FAILURES, Plan, cores, run};

/// Seeds of an ordinary run; `cargo xtask simulate` runs any number of them.
const SEEDS: u64 = 400;

#[test]
fn a_hostile_world_does_nothing_twice_and_leaves_nothing_behind() {
    let plan = Plan {
        first: 0,
        seeds: SEEDS,
        threads: cores(),
        limit: None,
        hangs_after: Duration::from_secs(60),
        failures: FAILURES,
        bug: None,
    };
    let report = run(&plan, |_| {});
    if report.is_good() {
        assert_eq!(report.ran, SEEDS);
        return;
    }
    let mut text = report.failed.first().map(|told| told.script.clone()).unwrap_or_default();
    for told in &report.failed {
        let first = &told.broken[0];
        write!(text, "\n\nseed {}: {}: {}", told.seed, first.invariant, first.detail).unwrap();
    }
    panic!(
        "{text}\n\nhanging: {:?}\none again: cargo xtask simulate --seeds 1 --first-seed SEED",
        report.hanging
    );
}
