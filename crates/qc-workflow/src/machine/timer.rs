//! Timers: part of the state; the engine only says when one is due.

use std::{collections::BTreeMap, time::Duration};

use qc_model::Timestamp;

use super::{frame::FrameId, step::Step};
use crate::TimerId;

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A `wait` is over.
    Wait,
    /// A pause before the next attempt of a call is over.
    Resend,
    /// A pause before the next attempt of a `try` is over.
    Retry,
    /// One attempt of a `try` took too long.
    AttemptTimeout,
    /// A task took too long.
    TaskTimeout,
    /// The workflow took too long.
    WorkflowTimeout,
    /// The run may not go on any longer.
    Deadline,
    /// A call was held as long as it may be.
    HoldOver,
}

#[derive(Debug)]
struct Timer {
    at: Timestamp,
    frame: FrameId,
    purpose: Purpose,
}

/// The armed timers of a run.
#[derive(Debug, Default)]
pub(super) struct Timers {
    armed: BTreeMap<TimerId, Timer>,
    last: u64,
}

impl Timers {
    pub(super) fn arm(&mut self, at: Timestamp, frame: FrameId, purpose: Purpose) -> TimerId {
        self.last += 1;
        let id = TimerId(self.last);
        self.armed.insert(id, Timer { at, frame, purpose });
        id
    }

    pub(super) fn disarm(&mut self, id: Option<TimerId>) {
        if let Some(id) = id {
            self.armed.remove(&id);
        }
    }

    pub(super) fn disarm_all_of(&mut self, frame: FrameId) {
        self.armed.retain(|_, timer| timer.frame != frame);
    }

    pub(super) fn disarm_all(&mut self) {
        self.armed.clear();
    }

    pub(super) fn armed(&self) -> impl Iterator<Item = (TimerId, Timestamp)> {
        self.armed.iter().map(|(id, timer)| (*id, timer.at))
    }

    /// Moves every timer by the time that the run stood still.
    pub(super) fn shift(&mut self, by: Duration) {
        for timer in self.armed.values_mut() {
            timer.at = timer.at + by;
        }
    }
}

impl Step<'_> {
    pub(super) fn arm(&mut self, ms: u64, frame: FrameId, purpose: Purpose) -> TimerId {
        let at = self.now + Duration::from_millis(ms);
        self.state.timers.arm(at, frame, purpose)
    }

    /// A timer is due. One that is not armed, or not due yet, does nothing.
    pub(super) fn timer_fired(&mut self, id: TimerId) {
        if !self.running() {
            return;
        }
        let timers = &mut self.state.timers.armed;
        if timers.get(&id).is_none_or(|timer| timer.at > self.now) {
            return;
        }
        let Some(timer) = timers.remove(&id) else { return };
        match timer.purpose {
            Purpose::Wait => self.wait_over(timer.frame),
            Purpose::Resend => self.send(timer.frame),
            Purpose::Retry => self.next_attempt(timer.frame),
            Purpose::AttemptTimeout => self.attempt_timed_out(timer.frame),
            Purpose::TaskTimeout => self.task_timed_out(timer.frame),
            Purpose::WorkflowTimeout => self.workflow_timed_out(timer.frame),
            Purpose::Deadline => self.deadline_over(timer.frame),
            Purpose::HoldOver => self.hold_over(timer.frame),
        }
        self.run();
    }
}
