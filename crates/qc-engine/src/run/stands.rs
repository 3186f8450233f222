//! How a run stands: what its head says, for what it waits, and when it wakes.

use qc_model::Timestamp;
use qc_store::{LiveCause, RunState, RunStatus};
use qc_workflow::Compensated;

#[cfg(feature = "planted-bugs")]
use super::early;
use super::{ActiveRun, in_a_line, undone_of};
use crate::{
    OnFailure, RunEnd, codes,
    draft::Draft,
    line::{Line, leaves},
    unavailable,
};

impl ActiveRun {
    /// The run's state as the next commit writes it.
    pub(crate) fn state(&self, draft: &Draft, at: Timestamp) -> RunState {
        // Also what happens to a run at its end leaves it there, unless it was opened again.
        let (status, cause, wake_at, summary) = match draft.end.as_ref().or(self.end.as_ref()) {
            Some(RunEnd::Completed { .. }) => {
                (RunStatus::Completed, LiveCause::Ended, None, unavailable::degraded(self))
            }
            Some(RunEnd::Cancelled { reason }) => {
                (RunStatus::Cancelled, LiveCause::Ended, None, Some(reason.clone()))
            }
            Some(RunEnd::Faulted { failure, .. }) => {
                (RunStatus::Faulted, LiveCause::Ended, None, Some(in_a_line(failure)))
            }
            None => self.live_state(draft),
        };
        RunState { status, cause, wake_at, summary, updated_at: at }
    }

    fn live_state(
        &self,
        draft: &Draft,
    ) -> (RunStatus, LiveCause, Option<Timestamp>, Option<String>) {
        let wake_at = self.next_wake();
        if self.withheld
            || draft.withheld
            || !draft.ready.is_empty()
            || !self.in_flight.is_empty()
            || !self.ready.is_empty()
            || self.waits_at_gate()
            || self.has_errands()
            || self.hearing.is_behind()
        {
            return (RunStatus::Running, LiveCause::Activity, wake_at, self.gated_says());
        }
        match (self.parked.values().next(), wake_at) {
            (Some(parked), _) => {
                (RunStatus::Parked, LiveCause::Parked, wake_at, Some(in_a_line(&parked.failure)))
            }
            (None, Some(_)) if let [held, ..] = &*self.held() => {
                let summary = unavailable::summary_of(&held.system);
                (RunStatus::Waiting, LiveCause::Held, wake_at, Some(summary))
            }
            // A person has the say; `wake_at` is when the next one is asked, or nobody is waited for any longer.
            (None, _) if self.tasks.is_asking() => {
                (RunStatus::Waiting, LiveCause::Person, wake_at, None)
            }
            (None, _) if self.has_children() => {
                (RunStatus::Waiting, LiveCause::Child, wake_at, None)
            }
            (None, _) if self.listens() => (RunStatus::Waiting, LiveCause::Event, wake_at, None),
            (None, Some(_)) => {
                (RunStatus::Waiting, LiveCause::Timer, wake_at, self.put_off_says(draft.at))
            }
            (None, None) => {
                (RunStatus::Parked, LiveCause::Parked, None, Some(codes::STUCK.to_string()))
            }
        }
    }

    /// What was undone of it, when it is at its end and something was to be.
    pub(crate) fn undone(&self) -> Option<&Compensated> {
        self.machine().outcome().and_then(undone_of)
    }

    /// The line that it leaves with this end.
    pub(crate) fn line_left(&self, end: &RunEnd) -> Option<&Line> {
        let ordering = self.context.deployment.release.ordering.as_ref();
        let on_failure = ordering.map(|rule| rule.on_failure).unwrap_or_default();
        self.context.line.as_ref().filter(|_| leaves(end, on_failure))
    }

    /// The line whose key is parked when the run fails.
    pub(super) fn parks(&self) -> Option<&Line> {
        let rule = self.context.deployment.release.ordering.as_ref();
        let parks = rule.is_some_and(|rule| rule.on_failure == OnFailure::Park);
        self.context.line.as_ref().filter(|_| parks)
    }

    /// Whether a commit would leave the run as it stands on disk.
    pub(crate) fn stands_as_stored(&self, draft: &Draft) -> bool {
        let now = self.state(draft, draft.at);
        self.stored.as_ref().is_some_and(|stored| {
            (stored.status, stored.cause, stored.wake_at) == (now.status, now.cause, now.wake_at)
        })
    }

    /// Whether nothing needs to be written when there is nothing new: the run is on disk as it is here.
    pub(crate) fn stands(&self, draft: &Draft) -> bool {
        self.stored.as_ref().is_none_or(|_| self.stands_as_stored(draft))
            && self.wait_changes(draft).0.is_empty()
    }

    /// The next moment at which the run has something to do by itself.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        let probes = self.parked.values().filter_map(|parked| parked.probe_at);
        #[cfg(feature = "planted-bugs")]
        return self
            .machine()
            .next_wake()
            .map(|at| at - early())
            .into_iter()
            .chain(probes)
            .chain(self.tasks.next_at())
            .min();
        #[cfg(not(feature = "planted-bugs"))]
        self.machine().next_wake().into_iter().chain(probes).chain(self.tasks.next_at()).min()
    }

    /// Whether the run waits for nothing at all: must never be.
    pub(crate) fn is_stuck(&self) -> bool {
        self.end.is_none()
            && !self.withheld
            && self.parked.is_empty()
            && self.ready.is_empty()
            && self.in_flight.is_empty()
            && !self.tasks.is_asking()
            && self.gated.is_empty()
            && self.next_wake().is_none()
            && !self.listens()
            && !self.has_children()
    }
}
