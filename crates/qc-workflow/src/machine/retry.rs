//! Whether and when something is tried again.

use std::{sync::Arc, time::Duration};

use qc_model::Retry;

use super::{fault::Fault, frame::FrameId, step::Step, view::Sight};
use crate::{policy::retriable, program::Attempt};

impl Step<'_> {
    /// Whether the retry policy of a `try` still has an attempt for this error.
    pub(super) fn may_retry(
        &self,
        id: FrameId,
        plan: &Attempt,
        fault: &Fault,
    ) -> Result<bool, Fault> {
        let Some(retry) = &plan.retry else { return Ok(false) };
        let Some(task) = self.state.frames.task(id) else { return Ok(false) };
        let super::frame::Stage::Try(state) = &task.stage else { return Ok(false) };
        let kind = fault.raised || retriable(&fault.failure.retry);
        let left = state.attempt < retry.policy.attempts
            && self.now.since(state.since) < Duration::from_millis(retry.policy.duration_ms);
        if !kind || !fault.repeatable || fault.fatal || !left {
            return Ok(false);
        }
        let extra = [Arc::clone(&fault.error)];
        let sight = Sight { extra: &extra, ..Sight::default() };
        if let Some(when) = &retry.when
            && !self.test(id, when, &task.input, sight, "retry.when")?
        {
            return Ok(false);
        }
        if let Some(except) = &retry.except_when
            && self.test(id, except, &task.input, sight, "retry.exceptWhen")?
        {
            return Ok(false);
        }
        Ok(true)
    }

    /// The pause before the next attempt of a `try`; None when there is none left. A pause that the
    /// other side stated is kept at least.
    pub(super) fn retry_pause(
        &mut self,
        id: FrameId,
        plan: &Attempt,
        fault: &Fault,
    ) -> Result<Option<u64>, Fault> {
        if !self.may_retry(id, plan, fault)? {
            return Ok(None);
        }
        let (Some(retry), Some(state)) = (&plan.retry, self.state.frames.try_mut(id)) else {
            return Ok(None);
        };
        let (attempt, since) = (state.attempt, state.since);
        let own = retry.policy.pause_ms(attempt, self.chance.draw());
        let pause = stated_ms(&fault.failure.retry).map_or(own, |stated| stated.max(own));
        let pause = pause.max(self.stated_in_block(id));
        let last = since + Duration::from_millis(retry.policy.duration_ms);
        let next = self.now + Duration::from_millis(pause);
        Ok((next <= last && self.in_time(pause)).then_some(pause))
    }

    /// For how long calls of a block must not be sent again, as their other sides stated.
    fn stated_in_block(&self, id: FrameId) -> u64 {
        let (Some(task), Some(frame)) = (self.task_of(id), self.state.frames.get(id)) else {
            return 0;
        };
        let (block, visit) = (format!("{}/try/", task.pointer), format!("{}.", frame.visit));
        let inside =
            self.state.memory.iter().filter(|(call, _)| {
                call.pointer.starts_with(&block) && call.visit.starts_with(&visit)
            });
        let until = inside.filter_map(|(_, memory)| memory.not_before).max();
        let left = until.map_or(Duration::ZERO, |until| until.since(self.now));
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The pause that the other side stated.
pub(super) fn stated_ms(retry: &Retry) -> Option<u64> {
    match retry {
        Retry::After { stated_ms } => stated_ms.filter(|ms| *ms > 0),
        Retry::Never | Retry::OnEvent => None,
    }
}
