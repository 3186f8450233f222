//! The pace of calls to other systems, as pure state machines: what answers say of limits (`dialect`), when the next call
//! may go (`shaper`), whether a system is asked at all (`breaker`), and how much may be tried again (`budget`).
//!
//! Time is an argument of everything. Deliberately not here: clocks, queues, who goes first among those who wait, and what
//! is on disk; those are the engine's.

pub mod breaker;
pub mod budget;
pub mod dialect;
pub mod shaper;

pub use breaker::{Breaker, Way};
pub use budget::Budget;
pub use dialect::{Said, said};
pub use shaper::{Declared, Departure, Outcome, Shaper, Source, Spent, Standing, Turn};

use qc_model::Timestamp;
use std::time::Duration;

/// Milliseconds, as the arithmetic of rates has them.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have 41 bits")]
fn millis(at: Timestamp) -> f64 {
    at.as_millis() as f64
}

/// The first whole millisecond that is not earlier.
#[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
fn at_millis(millis: f64) -> Timestamp {
    Timestamp::from_millis(millis.ceil() as i64)
}

/// A duration in milliseconds.
fn span(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// A count, as the arithmetic of rates has it: beyond 2^32 all are alike.
fn count(of: u64) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX))
}
