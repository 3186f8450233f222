use std::{fmt::Write as _, time::Duration};

use qc_simulation::{
    Exercise,
    runner::{FAILURES, Plan, cores, run},
};

/// Seeds of an ordinary run; `cargo xtask simulate` runs any number of them.
const SEEDS: u64 = 240;

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
        // What never happens is not shown to hold.
        for what in Exercise::ALL {
            let times = report.exercised.get(&what).copied().unwrap_or(0);
            println!("{what}: {times}");
            assert!(times > 0, "{what} never happened");
        }
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
