//! `call`: one request at a time, answered once, tried again as its policy says.

use std::{sync::Arc, time::Duration};

use qc_model::{Applied, Failure, Timestamp};
use serde_json::Value;

use super::{
    Answer, State, Work,
    fault::Fault,
    frame::{Absence, CallPhase, CallState, FrameId, Stage},
    retry::stated_ms,
    step::{Deed, Step},
    timer::Purpose,
};
use crate::{
    Action, CallId, CallOutput, CallRequest, NoteKind,
    chance::mix,
    policy::retriable,
    program::{Call, Kind, Task},
};

/// Most stated pauses (Retry-After) of one call that do not count as attempts.
const STATED_LIMIT: u32 = 100;

impl Step<'_> {
    pub(super) fn enter_call(
        &mut self,
        id: FrameId,
        call: &Call,
        input: &Value,
    ) -> Result<(), Fault> {
        let (Some(task), Some(frame)) = (self.task_of(id), self.state.frames.get(id)) else {
            return Ok(());
        };
        let call_id =
            CallId { pointer: Arc::clone(&task.pointer), visit: Arc::clone(&frame.visit) };
        let memory = self.state.memory.get(&call_id);
        if let Some(Answer::Call(answer)) = memory.and_then(|memory| memory.answer.as_ref()) {
            let output = Arc::new(answer.shaped(call.output));
            self.push(Deed::Leave(id, output, task.then));
            return Ok(());
        }
        let attempt = memory.map_or(0, |memory| memory.attempts);
        let target = self.target(id, call, input)?;
        let request = CallRequest {
            id: call_id,
            task: Arc::clone(&task.name),
            attempt,
            target,
            effect: call.policy.effect,
            timeout_ms: call.policy.timeout_ms,
            secrets: self.state.facts.mark,
        };
        let phase = CallPhase::Idle;
        let since = self.now;
        let state = CallState {
            request,
            phase,
            failed: 0,
            since,
            stated: 0,
            stated_ms: 0,
            doubtful: false,
            absence: Absence::None,
        };
        self.set_stage(id, Stage::Call(Box::new(state)));
        match self.spread(call, &task.pointer).filter(|_| attempt == 0) {
            Some(at) => self.resend_at(id, at),
            None => self.send(id),
        }
        Ok(())
    }

    /// When a call is made that is spread over a time, if that is still to come: of what the deadline leaves, at most
    /// half. It counts from the run's beginning, so that loops and several such calls do not add up.
    fn spread(&self, call: &Call, pointer: &str) -> Option<Timestamp> {
        let facts = &self.state.facts;
        let left =
            self.state.deadline.map(|deadline| deadline.at.since(facts.began).as_millis() / 2);
        let left = left.and_then(|left| u64::try_from(left).ok()).unwrap_or(u64::MAX);
        let at =
            facts.began + uniform_within(call.policy.spread_ms.min(left), facts.entropy, pointer);
        (at > self.now).then_some(at)
    }

    /// A call is made later. Its attempts have as much time as they would have now.
    fn resend_at(&mut self, id: FrameId, at: Timestamp) {
        self.state.timers.arm(at, id, Purpose::Resend);
        let now = self.now;
        let Some(call) = self.state.frames.call_mut(id) else { return };
        (call.phase, call.since) = (CallPhase::Pausing, call.since + at.since(now));
        self.note(id, NoteKind::PutOff { at }, None);
    }

    /// An attempt that was asked for was not made, and is asked for again later.
    pub(super) fn call_put_off(&mut self, call: &CallId, attempt: u32, until: Timestamp) {
        if !self.running() || self.is_orphan(call, attempt) {
            return;
        }
        let Some(id) = self.take_live(call, attempt) else { return };
        if let Some(state) = self.state.frames.call_mut(id) {
            state.request.attempt = attempt.saturating_sub(1);
        }
        if let Some(memory) = self.state.memory.get_mut(call) {
            memory.attempts = attempt.saturating_sub(1);
        }
        self.resend_at(id, until);
    }

    /// Requests the next attempt.
    pub(super) fn send(&mut self, id: FrameId) {
        let in_retry = self.task_of(id).is_some_and(|task| task.in_retry);
        let Some(Kind::Call(plan)) = self.task_of(id).map(|task| &task.kind) else { return };
        let timeout_ms = self.no_longer_than_the_run(self.policy_of(id, plan).timeout_ms);
        let Some(call) = self.state.frames.call_mut(id) else { return };
        call.request.timeout_ms = timeout_ms;
        call.request.attempt += 1;
        call.phase = CallPhase::Sent;
        let request = call.request.clone();
        if in_retry {
            let memory = self.state.memory.entry(request.id.clone()).or_default();
            memory.attempts = request.attempt;
        }
        self.state.live.insert(request.id.clone(), id);
        self.actions.push(Action::Call(request));
    }

    /// A call of a reopened run: its answer counts now, or it is sent again with a fresh budget.
    pub(super) fn resume_call(&mut self, id: FrameId) {
        let now = self.now;
        self.no_longer_held(id);
        let Some(call) = self.state.frames.call_mut(id) else { return };
        (call.failed, call.stated, call.stated_ms, call.since) = (0, 0, 0, now);
        let answered = match &call.phase {
            CallPhase::Answered(output) => Some(Arc::clone(output)),
            _ => None,
        };
        if self.state.frames.task(id).is_some_and(|task| task.timeout.is_none()) {
            self.arm_task_timeout(id);
        }
        match answered {
            Some(output) => self.answered(id, &output),
            None => self.send(id),
        }
    }

    /// The frame that waits for this attempt, which from now on waits no more.
    fn take_live(&mut self, call: &CallId, attempt: u32) -> Option<FrameId> {
        let id = *self.state.live.get(call)?;
        if self.state.frames.request(id)?.attempt != attempt {
            return None;
        }
        self.state.live.remove(call);
        self.state.frames.call_mut(id)?.phase = CallPhase::Idle;
        Some(id)
    }

    fn is_orphan(&self, call: &CallId, attempt: u32) -> bool {
        self.state.orphans.get(call).is_some_and(
            |orphan| matches!(&orphan.work, Work::Call(request) if request.attempt == attempt),
        )
    }

    pub(super) fn call_succeeded(&mut self, call: &CallId, attempt: u32, output: &CallOutput) {
        if self.is_orphan(call, attempt) {
            self.orphan_settled(call, Ok(output));
            return;
        }
        let Some(id) = self.take_live(call, attempt) else { return };
        if !self.running() {
            if let Some(Kind::Call(plan)) = self.task_of(id).map(|task| &task.kind)
                && !self.went_another_way(id)
            {
                self.completed_work(id, &Arc::new(output.shaped(plan.output)));
            }
            if let Some(state) = self.state.frames.call_mut(id) {
                state.phase = CallPhase::Answered(Arc::new(output.clone()));
            }
            self.settle_run();
            return;
        }
        self.answered(id, output);
        self.run();
    }

    fn answered(&mut self, id: FrameId, output: &CallOutput) {
        let Some(task) = self.task_of(id) else { return };
        let Kind::Call(plan) = &task.kind else { return };
        let effect = self.policy_of(id, plan).effect;
        if task.in_retry
            && State::remembers(effect)
            && let Some(visit) = self.state.frames.get(id).map(|frame| Arc::clone(&frame.visit))
        {
            let call = CallId { pointer: Arc::clone(&task.pointer), visit };
            let memory = self.state.memory.entry(call).or_default();
            memory.answer = Some(Answer::Call(Arc::new(output.clone())));
        }
        let output = Arc::new(output.shaped(plan.output));
        self.push(Deed::Leave(id, output, task.then));
    }

    pub(super) fn call_failed(&mut self, call: &CallId, attempt: u32, failure: &Failure) {
        if self.is_orphan(call, attempt) {
            self.orphan_settled(call, Err(failure));
            return;
        }
        let Some(id) = self.take_live(call, attempt) else { return };
        if !self.running() {
            self.leave_in_doubt(call, failure);
            self.settle_run();
            return;
        }
        self.attempt_failed(id, failure);
        self.run();
    }

    /// Pauses as the other side stated, leaves the decision to a `try`, pauses as the policy says,
    /// or fails: in this order.
    fn attempt_failed(&mut self, id: FrameId, failure: &Failure) {
        let Some(task) = self.task_of(id) else { return };
        let Kind::Call(plan) = &task.kind else { return };
        let policy = self.policy_of(id, plan);
        let may_resend = policy.effect.may_resend(failure.applied);
        let policy = &policy.retry;
        let failure = &self.with_deadline(failure);
        let fault = self.call_fault(id, failure.clone(), may_resend);
        let now = self.now;
        if let Some(call) = self.state.frames.call_mut(id).map(|call| call.request.id.clone()) {
            self.keep_stated_pause(&call, task, failure);
        }
        let waits = may_resend || self.waits_to_be_read_back(id, plan, failure);
        if waits && self.held_again(id, plan, failure) {
            return;
        }
        let stated = stated_ms(&failure.retry);
        let waits_as_stated = stated.filter(|ms| may_resend && self.in_time(*ms));
        let Some(call) = self.state.frames.call_mut(id) else { return };
        call.doubtful |= failure.applied != Applied::No;
        if let Some(ms) = waits_as_stated {
            let total = call.stated_ms.saturating_add(ms);
            if call.stated < STATED_LIMIT && total <= policy.stated_wait_ms {
                call.stated += 1;
                call.stated_ms = total;
                return self.pause_call(id, ms, failure);
            }
        }
        call.failed += 1;
        let (failed, since) = (call.failed, call.since);
        if !may_resend {
            return if waits { self.given_up(id, plan, fault) } else { self.fail(id, fault) };
        }
        if !retriable(&failure.retry) || self.retried_outside(id, &fault) {
            return self.given_up(id, plan, fault);
        }
        let pause = policy.pause_ms(failed, self.chance.draw());
        let last = since + Duration::from_millis(policy.duration_ms);
        let earliest = pause.max(stated.unwrap_or(0));
        let too_late = now + Duration::from_millis(pause) > last || !self.in_time(earliest);
        if failed >= policy.attempts || too_late {
            return self.given_up(id, plan, fault);
        }
        self.pause_call(id, pause, failure);
    }

    /// Inside a block that is tried again the pause that the other side stated outlives the attempt:
    /// a timeout that ends the attempt does not end the pause.
    pub(super) fn keep_stated_pause(&mut self, call: &CallId, task: &Task, failure: &Failure) {
        let Kind::Call(plan) = &task.kind else { return };
        let longest = plan.policy.retry.stated_wait_ms;
        let stated = stated_ms(&failure.retry).filter(|ms| task.in_retry && *ms <= longest);
        if let Some(ms) = stated {
            let memory = self.state.memory.entry(call.clone()).or_default();
            memory.not_before = Some(self.now + Duration::from_millis(ms));
        }
    }

    fn pause_call(&mut self, id: FrameId, ms: u64, failure: &Failure) {
        let at = self.now + Duration::from_millis(ms);
        self.arm(ms, id, Purpose::Resend);
        let Some(call) = self.state.frames.call_mut(id) else { return };
        call.phase = CallPhase::Pausing;
        let attempt = call.request.attempt + 1;
        self.note(id, NoteKind::Retrying { at, attempt }, Some(failure.clone()));
    }
}

/// A moment within so many milliseconds, the same for the same bits and place.
fn uniform_within(ms: u64, entropy: u64, pointer: &str) -> Duration {
    let place = pointer.bytes().fold(entropy, |bits, byte| mix(bits ^ u64::from(byte)));
    Duration::from_millis(if ms == 0 { 0 } else { place % ms })
}
