//! The run's deadline: what cannot be done before it is not waited for, and when it has come the run is over.
//!
//! It holds for the flow, not for undoing what the flow did.

use std::time::Duration;

use qc_model::{Class, Failure, StandardError, Timestamp};

use super::{
    Phase, frame::FrameId, retry::stated_ms, step::Step, timer::Purpose, unavailable::in_words,
};
use crate::codes;

impl Step<'_> {
    /// Whether the deadline has come.
    pub(super) fn is_too_late(&self) -> bool {
        self.state.deadline.is_some_and(|deadline| self.now >= deadline.at)
    }

    pub(super) fn arm_deadline(&mut self, root: FrameId) {
        let Some(deadline) = self.state.deadline else { return };
        let timer = self.state.timers.arm(deadline.at, root, Purpose::Deadline);
        if let Some(whole) = self.whole_mut(root) {
            whole.deadline = Some(timer);
        }
    }

    pub(super) fn deadline_over(&mut self, root: FrameId) {
        let Some(deadline) = self.state.deadline else { return };
        if let Some(whole) = self.whole_mut(root) {
            whole.deadline = None;
        }
        let within = in_words(Duration::from_millis(deadline.within_ms));
        let detail = format!("the run was not over within {within} of its event");
        let title = "The run was not over at its deadline";
        let failure = Failure::new(Class::Expired, codes::DEADLINE, title, detail);
        let fault = self.standard_fault(root, StandardError::Timeout, failure);
        self.fail(root, fault);
    }

    /// A run goes on that ended at `ended`: the time that it stood still does not count, and one whose time was over
    /// has all of it again.
    pub(super) fn renew_deadline(&mut self, ended: Timestamp) {
        let (now, Some(root)) = (self.now, self.state.root) else { return };
        let Some(deadline) = &mut self.state.deadline else { return };
        deadline.at = if ended >= deadline.at {
            now + Duration::from_millis(deadline.within_ms)
        } else {
            deadline.at + now.since(ended)
        };
        let armed = self.whole_mut(root).and_then(|whole| whole.deadline.take());
        self.state.timers.disarm(armed);
        self.arm_deadline(root);
    }

    /// Whether something that begins after a pause still begins before the deadline.
    pub(super) fn in_time(&self, pause_ms: u64) -> bool {
        self.left_ms().is_none_or(|left| pause_ms < left)
    }

    /// A failure whose stated pause the run has no time for says so.
    pub(super) fn with_deadline(&self, failure: &Failure) -> Failure {
        let mut failure = failure.clone();
        if let (Some(pause), Some(left)) = (stated_ms(&failure.retry), self.left_ms())
            && pause >= left
        {
            let words = |ms| in_words(Duration::from_millis(ms));
            failure.detail = format!(
                "{}; it asks for a pause of {}, and the run has {} until its deadline",
                failure.detail,
                words(pause),
                words(left)
            );
        }
        failure
    }

    /// How long an answer is waited for: as the policy says, and not beyond the deadline.
    pub(super) fn no_longer_than_the_run(&self, timeout_ms: u64) -> u64 {
        self.left_ms().map_or(timeout_ms, |left| timeout_ms.min(left))
    }

    /// What is left until the deadline of the flow.
    fn left_ms(&self) -> Option<u64> {
        let deadline =
            self.state.deadline.filter(|_| matches!(self.state.phase, Phase::Running))?;
        let left = deadline.at.since(self.now).as_millis();
        Some(u64::try_from(left).unwrap_or(u64::MAX).max(1))
    }
}
