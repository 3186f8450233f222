//! Time and chance of a scenario: virtual, and the same in every run.

use std::sync::{Mutex, PoisonError};

use qc_model::{Clock, Timestamp};
use tokio::time::Instant;

/// The time of a paused tokio runtime: it stands still while anything is at work, and jumps to the next timer when
/// nothing is. Between two lives of the platform it stands still altogether.
pub(super) struct VirtualClock(Mutex<Reading>);

struct Reading {
    base: Timestamp,
    since: Option<Instant>,
}

impl VirtualClock {
    pub(super) fn new(at: Timestamp) -> Self {
        Self(Mutex::new(Reading { base: at, since: None }))
    }

    /// Goes with the runtime in which it is called.
    pub(super) fn start(&self) {
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.since = Some(Instant::now());
    }

    /// Stands still from now on.
    pub(super) fn stop(&self) {
        let now = self.now();
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *reading = Reading { base: now, since: None };
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.since.map_or(reading.base, |since| reading.base + since.elapsed())
    }
}

/// A seed from a name (FNV-1a), so that each scenario has its own, and keeps it.
pub(super) fn seed_of(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
