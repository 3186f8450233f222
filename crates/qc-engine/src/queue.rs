//! Queued runs: a limit had no room for their events when they came. Each was given the moment at which its units are there,
//! and begins then; so a limit's queue needs no more than what every run has, a moment at which it wakes
//! ([ADR 45](../../../docs/adr/0045-a-queue-is-a-moment-that-is-given-at-the-door.md)).

use qc_model::{RunId, Timestamp, TxnId};
use qc_store::{LiveCause, RunHead, RunState, RunStatus, StoreError, Txn, TxnOutcome};

use crate::{Engine, Queued, TriggerName, line, pause};

/// The state of a run that is queued.
pub(crate) fn queued(queued: &Queued, at: Timestamp) -> RunState {
    RunState {
        status: RunStatus::Waiting,
        cause: LiveCause::Queue,
        wake_at: Some(queued.until),
        summary: Some(format!("queued by the limit `{}` until {}", queued.limit, queued.until)),
        updated_at: at,
    }
}

impl Engine {
    /// A queued run is on disk: whoever owns it has it begin.
    pub(crate) fn has_queued(&self, run: RunId, until: Timestamp) {
        #[cfg(feature = "planted-bugs")]
        if crate::planted::planted(crate::planted::Bug::QueueForgotten) {
            return;
        }
        if self.shared.leases.owns(run) {
            self.shared.sleeping.add(until, run);
        }
        // Its owner's sweep finds it otherwise, and knows when it wakes.
    }

    /// Whether a run is queued, and its moment has not come.
    pub(crate) fn is_queued(&self, head: &RunHead) -> bool {
        #[cfg(feature = "planted-bugs")]
        if crate::planted::planted(crate::planted::Bug::QueueIgnored) {
            return false;
        }
        let is_later = |until| until > self.shared.now();
        head.state.cause == LiveCause::Queue && head.state.wake_at.is_some_and(is_later)
    }

    /// Whether a queued run begins now. When its moment has come and it may not, for its trigger was paused meanwhile or
    /// others are ahead of it in its line, it waits for that from now on, and its state says so.
    pub(crate) async fn leaves_queue(
        &self,
        head: &RunHead,
        others_ahead: bool,
    ) -> Result<bool, StoreError> {
        let (shared, at) = (&self.shared, self.shared.now());
        if self.is_queued(head) {
            return Ok(false);
        }
        let state = if self.holds_events(&TriggerName::of(head)).await? {
            pause::held(at)
        } else if others_ahead {
            line::standing(at)
        } else {
            return Ok(true);
        };
        let run = head.facts.id;
        let Some(tenure) = shared.leases.of(run) else { return Ok(false) };
        if !tenure.certain().await {
            return Ok(false);
        }
        let stands_in_line = state.cause == LiveCause::Turn;
        let id = TxnId::new(at, &*shared.entropy);
        let txn = Txn { id, run, expect: head.version, state, ops: Vec::new() };
        let written = shared.committer.commit(&tenure.lease, txn).await?;
        if stands_in_line && matches!(written, TxnOutcome::Committed { .. }) {
            // Those before it may have gone meanwhile.
            self.joined(&head.facts).await;
        }
        Ok(false)
    }
}
