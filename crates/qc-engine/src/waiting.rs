//! Who waits for which run's end, whether the run is in memory at that moment or not.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use qc_model::RunId;
use tokio::sync::oneshot;

use crate::RunEnd;

/// Those who wait. Each takes itself out again when it goes away.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    last: u64,
    by_run: HashMap<RunId, Vec<(u64, oneshot::Sender<RunEnd>)>>,
}

/// One who waits.
pub(crate) struct Waiter<'a> {
    pub(crate) end: oneshot::Receiver<RunEnd>,
    waiting: &'a Waiting,
    run: RunId,
    ticket: u64,
}

impl Waiting {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        // Nothing panics while it holds the lock between two halves of a change.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lines up for a run's end. Look afterwards whether it has ended already.
    pub(crate) fn line_up(&self, run: RunId) -> Waiter<'_> {
        let (sender, end) = oneshot::channel();
        let mut rows = self.rows();
        rows.last += 1;
        let ticket = rows.last;
        rows.by_run.entry(run).or_default().push((ticket, sender));
        drop(rows);
        Waiter { end, waiting: self, run, ticket }
    }

    /// A run has ended: answers everybody who waits for that.
    pub(crate) fn ended(&self, run: RunId, end: &RunEnd) {
        #[cfg(feature = "planted-bugs")]
        if crate::planted::planted(crate::planted::Bug::WaitersForgotten) {
            return;
        }
        let waiters = self.rows().by_run.remove(&run).unwrap_or_default();
        for (_, waiter) in waiters {
            // Whoever has gone away in this moment is no longer interested.
            drop(waiter.send(end.clone()));
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.rows().by_run.values().map(Vec::len).sum()
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut rows = self.waiting.rows();
        if let Some(waiters) = rows.by_run.get_mut(&self.run) {
            waiters.retain(|(ticket, _)| *ticket != self.ticket);
            if waiters.is_empty() {
                rows.by_run.remove(&self.run);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_away_leaves_nothing_behind_and_the_others_are_answered() {
        let waiting = Waiting::default();
        let run = RunId::from_bits(7);
        let end = RunEnd::Cancelled { reason: "x".to_owned() };
        let mut stays = waiting.line_up(run);
        let goes = waiting.line_up(run);
        assert_eq!(waiting.len(), 2);
        drop(goes);
        assert_eq!(waiting.len(), 1);
        waiting.ended(run, &end);
        assert_eq!(stays.end.try_recv().unwrap(), end);
        drop(stays);
        assert_eq!(waiting.len(), 0);
        assert!(waiting.rows().by_run.is_empty());
    }
}
