//! Runs that sleep in the store, by the time at which they wake. A hint, not the truth: the truth
//! is `wake_at` in the store, and the sweep finds what is missing here.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use qc_model::{RunId, Timestamp};
use tokio::sync::Notify;

/// How many sleeping runs are remembered in memory; the sweep wakes the others.
const SLEEPERS_MAX: usize = 100_000;

/// Sleeping runs, earliest first.
#[derive(Debug, Default)]
pub(crate) struct Wheel {
    sleepers: Mutex<BTreeSet<(Timestamp, RunId)>>,
    pub(crate) changed: Notify,
}

impl Wheel {
    /// Remembers that a run wakes at a moment.
    pub(crate) fn add(&self, at: Timestamp, run: RunId) {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        sleepers.insert((at, run));
        if sleepers.len() > SLEEPERS_MAX {
            sleepers.pop_last();
        }
        let first = sleepers.first().is_some_and(|(first, _)| *first >= at);
        drop(sleepers);
        #[cfg(feature = "planted-bugs")]
        let first = first && !crate::planted::planted(crate::planted::Bug::LostWakeUp);
        if first {
            self.changed.notify_one();
        }
    }

    /// How many sleep.
    pub(crate) fn len(&self) -> usize {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// When the first one wakes.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner).first().map(|(at, _)| *at)
    }

    /// Takes out those who wake at or before `now`.
    pub(crate) fn take_due(&self, now: Timestamp) -> Vec<RunId> {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while sleepers.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(sleepers.pop_first().map(|(_, run)| run));
        }
        due
    }
}
