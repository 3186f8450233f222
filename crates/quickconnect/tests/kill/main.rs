//! The kill test: the example's story under load, on a rough day, while its server is killed again and again.
//!
//! Every event that a sender got acknowledged has, in the end, exactly one ticket, one customer state and one message,
//! each under one key; no run is stuck, parked or dead. `QC_KILL_SEED`, `QC_KILL_EVENTS` and `QC_KILLS` override the
//! seed, the number of events and the number of kills.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../stage/mod.rs"]
mod stage;

mod doctored;
mod killer;

use std::io::Write as _;

/// Says something that is seen also when the test passes: the harness keeps only what is printed.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
