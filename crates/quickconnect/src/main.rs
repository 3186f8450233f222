//! `qc`, the one program of QuickConnect: the server and its command line.
//!
//! Here: the verbs (`cli`), the settings (`config`), the wiring of implementations to traits (`wiring`), a server's life
//! (`lifecycle`, `signals`), and where the command line finds its server (`context`).
//!
//! Deliberately not here: anything that could be tested without a process. It lives in the crates below.

mod allocator;
mod audit;
mod bootstrap;
mod brokers;
mod cli;
mod codes;
mod config;
mod context;
mod crash;
mod disk;
mod lifecycle;
mod node_name;
mod retention;
mod signals;
mod signed_in;
mod telemetry;
mod traces;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    crash::report_panics(codes::CRASHED);
    // The one place that reads the process environment; all else gets it as an argument.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    cli::run(variables).into()
}
