//! `bench` measures the release binary on this machine and prints a table; `simulate` runs the
//! engine in a hostile world, seed by seed; `judge` holds our verdicts on contracts against others'.
//!
//! The house's other rules run as tests (`tests/tidy.rs`).

mod bench;
mod simulate;

use std::process::ExitCode;

use xtask::judge;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["bench", given @ ..] => bench::run(given),
        ["judge", given @ ..] => judge::run(given),
        ["simulate", given @ ..] => simulate::run(given),
        _ => {
            eprintln!(
                "usage: {}\n       {}\n       {}",
                bench::USAGE,
                simulate::USAGE,
                judge::USAGE
            );
            ExitCode::from(2)
        }
    }
}
