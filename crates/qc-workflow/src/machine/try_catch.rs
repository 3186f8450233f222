//! `try`: its block, its attempts, and what `catch` does. Retries come first; `catch.do` runs once,
//! when no attempt is left.

use std::sync::Arc;

use qc_model::Failure;

use super::{
    fault::Fault,
    for_each::with_locals,
    frame::{FrameId, Stage, TryPhase, TryState},
    step::{Deed, Step},
    timer::Purpose,
};
use crate::{
    NoteKind, codes,
    program::{Attempt, Kind},
};

impl Step<'_> {
    fn try_plan(&self, id: FrameId) -> Option<&'_ Attempt> {
        match &self.program.task(self.state.frames.task(id)?.task).kind {
            Kind::Try(attempt) => Some(attempt),
            _ => None,
        }
    }

    pub(super) fn enter_try(&mut self, id: FrameId) {
        let Some(frame) = self.state.frames.get(id) else { return };
        let context = Arc::clone(&self.state.contexts[frame.thread]);
        let phase = TryPhase::Running(None);
        let state = TryState { attempt: 0, since: self.now, context, phase };
        self.set_stage(id, Stage::Try(state));
        self.next_attempt(id);
    }

    /// How long one attempt of a `try` may take.
    pub(super) fn attempt_limit(&self, id: FrameId) -> Option<u64> {
        self.try_plan(id)?.retry.as_ref()?.attempt_ms
    }

    /// Begins the next attempt: same input, same `$context`, same visits.
    pub(super) fn next_attempt(&mut self, id: FrameId) {
        let program = self.program;
        let Some(state) = self.state.frames.task(id) else { return };
        let (Kind::Try(plan), input) = (&program.task(state.task).kind, Arc::clone(&state.input))
        else {
            return;
        };
        let limit = plan.retry.as_ref().and_then(|retry| retry.attempt_ms);
        let timer = limit.map(|ms| self.arm(ms, id, Purpose::AttemptTimeout));
        let thread = self.state.frames.get(id).map_or(0, |frame| frame.thread);
        let Some(state) = self.state.frames.try_mut(id) else { return };
        state.attempt += 1;
        state.phase = TryPhase::Running(timer);
        let context = Arc::clone(&state.context);
        self.state.contexts[thread] = context;
        self.enter_list(id, &plan.body, input);
    }

    /// One attempt took too long: an error of the block, which this same `try` may catch.
    pub(super) fn attempt_timed_out(&mut self, id: FrameId) {
        let Some(task) = self.task_of(id) else { return };
        let what = format!("an attempt of `{}`", task.name);
        let fault = self.timeout_fault(id, codes::TASK_TIMEOUT, &what);
        let children = self.state.frames.ids().into_iter().find(|child| {
            self.state.frames.get(*child).is_some_and(|frame| frame.parent == Some(id))
        });
        if let Some(block) = children {
            self.fail(block, fault);
        }
    }

    /// The `catch` of this `try` takes the error. What it cuts short is settled first.
    pub(super) fn caught(&mut self, id: FrameId, fault: Fault) {
        let timer = match self.state.frames.try_mut(id).map(|state| &state.phase) {
            Some(TryPhase::Running(timer)) => *timer,
            _ => None,
        };
        self.state.timers.disarm(timer);
        // The phase is set first: calls that settle later report to it.
        if let Some(state) = self.state.frames.try_mut(id) {
            state.phase = TryPhase::Settling(fault);
        }
        self.cut_below(id, id);
        self.settled(id);
    }

    /// Everything is settled: retry, handle, pass over, or give up.
    pub(super) fn decide(&mut self, id: FrameId, fault: Fault) {
        let Some(task) = self.task_of(id) else { return };
        let Kind::Try(plan) = &task.kind else { return };
        match self.retry_pause(id, plan, &fault) {
            Err(replaced) => return self.give_up(id, replaced),
            Ok(Some(pause_ms)) => return self.pause(id, pause_ms, fault.failure),
            Ok(None) => {}
        }
        let Some(state) = self.state.frames.task(id) else { return };
        let input = Arc::clone(&state.input);
        if let Some(handler) = &plan.handler {
            if let Some(state) = self.state.frames.try_mut(id) {
                state.phase = TryPhase::Handling;
            }
            if let Some(list) = self.enter_list(id, handler, input)
                && let Some(frame) = self.state.frames.get_mut(list)
            {
                frame.locals = with_locals(&frame.locals, &[fault.error]);
            }
        } else if plan.retry.is_some() && plan.then.is_none() {
            self.give_up(id, fault);
        } else {
            self.push(Deed::Leave(id, input, plan.then.unwrap_or(task.then)));
        }
    }

    /// The error goes on, from outside this `try`.
    fn give_up(&mut self, id: FrameId, fault: Fault) {
        if let Some(state) = self.state.frames.try_mut(id) {
            state.phase = TryPhase::Exhausted;
        }
        self.fail(id, fault);
    }

    fn pause(&mut self, id: FrameId, pause_ms: u64, failure: Failure) {
        self.arm(pause_ms, id, Purpose::Retry);
        let at = self.now + std::time::Duration::from_millis(pause_ms);
        let Some(state) = self.state.frames.try_mut(id) else { return };
        state.phase = TryPhase::Pausing;
        let attempt = state.attempt + 1;
        self.note(id, NoteKind::Retrying { at, attempt }, Some(failure));
    }
}
