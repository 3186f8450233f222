//! The benchmarks of the whole binary: closed loop, 1 KiB events, durable, phases one after
//! another, everything on this machine. What is compared runs in the same session.

mod echo;
mod limits;
mod load;
mod nginx;
mod noisy;
mod one_node;
mod open_runs;
mod postgres;
mod server;

use std::{process::ExitCode, time::Duration};

use load::{Measured, Shot, fire};
use server::Server;

/// What `bench` takes.
pub(crate) const USAGE: &str =
    "cargo xtask bench [one-node|postgres|open-runs|noisy|limits]... [--quick]";

/// How long it measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// For figures.
    Full,
    /// To see that it works.
    Quick,
}

impl Size {
    fn warm_up(self) -> Duration {
        if self == Self::Full { Duration::from_secs(2) } else { Duration::from_millis(200) }
    }

    fn length(self) -> Duration {
        if self == Self::Full { Duration::from_secs(8) } else { Duration::from_millis(500) }
    }

    /// How many runs are left open.
    fn open_runs(self) -> u64 {
        if self == Self::Full { 100_000 } else { 2_000 }
    }
}

/// A table of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    OneNode,
    Postgres,
    OpenRuns,
    Noisy,
    Limits,
}

/// Runs the parts that are named, or all; non-zero when one of them had wrong answers.
pub(crate) fn run(given: &[&str]) -> ExitCode {
    let mut size = Size::Full;
    let mut parts = Vec::new();
    for argument in given {
        match *argument {
            "--quick" => size = Size::Quick,
            "one-node" => parts.push(Part::OneNode),
            "postgres" => parts.push(Part::Postgres),
            "open-runs" => parts.push(Part::OpenRuns),
            "noisy" => parts.push(Part::Noisy),
            "limits" => parts.push(Part::Limits),
            other => {
                eprintln!("`{other}` is not a part of the benchmarks\nusage: {USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    if parts.is_empty() {
        parts = vec![Part::OneNode, Part::Postgres, Part::OpenRuns, Part::Noisy, Part::Limits];
    }
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("no runtime: {error}");
                return ExitCode::FAILURE;
            }
        };
    let mut wrong = 0;
    for part in parts {
        let done = runtime.block_on(async {
            match part {
                Part::OneNode => one_node::measure_all(size).await,
                Part::Postgres => postgres::measure_all(size).await,
                Part::OpenRuns => open_runs::measure_all(size).await,
                Part::Noisy => noisy::measure_all(size).await,
                Part::Limits => limits::measure_all(size).await,
            }
        });
        match done {
            Ok(more) => wrong += more,
            Err(error) => {
                eprintln!("the benchmark could not run: {error}");
                return ExitCode::FAILURE;
            }
        }
        println!();
    }
    if wrong == 0 {
        return ExitCode::SUCCESS;
    }
    eprintln!("{wrong} answers were wrong");
    ExitCode::FAILURE
}

fn table() {
    println!("| phase | connections | per second | p50 ms | p99 ms |");
    println!("|---|---|---|---|---|");
}

fn memory(server: &Server) -> String {
    server.resident_mib().map_or_else(|| "unknown".to_owned(), |mib| format!("{mib:.0} MiB"))
}

async fn measure(phase: &str, shots: &[Shot], connections: usize, size: Size) -> u64 {
    let Measured { per_second, p50_ms, p99_ms, wrong, sample } =
        fire(shots, connections, size.warm_up(), size.length()).await;
    println!("| {phase} | {connections} | {per_second:.0} | {p50_ms:.2} | {p99_ms:.2} |");
    if wrong > 0 {
        eprintln!("{phase} at {connections}: {wrong} wrong; first: {}", sample.unwrap_or_default());
    }
    wrong
}

/// An event of 1 KiB whose id never repeats.
fn event() -> String {
    let begin = r#"{"id":"@ID@","pad":""#;
    // `@ID@` becomes 20 digits.
    let padding = 1024 - (begin.len() - 4 + 20) - 2;
    format!("{begin}{}\"}}", "x".repeat(padding))
}
