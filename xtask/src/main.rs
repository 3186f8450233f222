//! `cargo xtask bench`: measures the release binary on this machine and prints a table.
//!
//! The house's other rules run as tests (`tests/tidy.rs`).

mod bench;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["bench"] => bench::run(bench::Size::Full),
        ["bench", "--quick"] => bench::run(bench::Size::Quick),
        _ => {
            eprintln!("usage: cargo run --release -p xtask -- bench [--quick]");
            ExitCode::from(2)
        }
    }
}
