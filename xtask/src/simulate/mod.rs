//! Runs seeds of the simulation on all cores, and tells those that fail.

mod arguments;

use std::{process::ExitCode, time::Duration};

use arguments::Arguments;
use qc_simulation::{
    Told,
    runner::{self, Plan, Progress, Report},
};

pub(crate) use arguments::USAGE;

/// A seed takes milliseconds; one that takes so long will not end.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// Runs what the arguments ask for; 1 when something is broken, 2 when they are wrong.
pub(crate) fn run(given: &[&str]) -> ExitCode {
    let arguments = match Arguments::parse(given) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\nusage: {USAGE}");
            return ExitCode::from(2);
        }
    };
    let plan = Plan {
        first: arguments.first,
        seeds: arguments.seeds,
        threads: runner::cores(),
        limit: arguments.seconds.map(Duration::from_secs),
        hangs_after: HANGS_AFTER,
        failures: runner::FAILURES,
        bug: arguments.planted,
    };
    // A story that panics is told below.
    std::panic::set_hook(Box::new(|_| {}));
    let report = runner::run(&plan, |progress| tell(&progress, arguments.seeds));
    for told in &report.failed {
        tell_failure(told, &arguments);
    }
    for seed in &report.hanging {
        println!("\nseed {seed} does not come to an end\n  once more: {}", arguments.again(*seed));
    }
    sum_up(&report);
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(progress: &Progress, seeds: u64) {
    let Progress { ran, failed, elapsed } = progress;
    let per_second = per_second(*ran, *elapsed);
    eprintln!("{ran} of {seeds} seeds, {failed} failed, {per_second:.0} per second");
}

fn tell_failure(told: &Told, arguments: &Arguments) {
    let seed = told.seed;
    println!("\nseed {seed} failed");
    if !told.script.is_empty() {
        println!("{}", told.script);
    }
    for broken in &told.broken {
        println!("  broken: {}: {}", broken.invariant, broken.detail);
    }
    println!("  once more: {}", arguments.again(seed));
}

fn sum_up(report: &Report) {
    let (ran, failed) = (report.ran, report.failed.len());
    let per_second = per_second(ran, report.elapsed);
    let seconds = report.elapsed.as_secs_f64();
    println!("{ran} seeds in {seconds:.1} s ({per_second:.0} per second), {failed} failed");
}

fn per_second(ran: u64, elapsed: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "it is shown without decimals")]
    let ran = ran as f64;
    ran / elapsed.as_secs_f64().max(0.001)
}
