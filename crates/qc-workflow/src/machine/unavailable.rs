//! A call whose system is not there, once its own attempts are over: it is held, made in another
//! way, left out, or fails, as the integration declares for the system.
//!
//! What the workflow itself says goes first: a `try` that takes the error up gets it.

use std::{sync::Arc, time::Duration};

use qc_model::{Applied, Class, Failure, Retry};
use serde_json::{Value, json};

use super::{
    Machine,
    fault::Fault,
    frame::{Absence, CallPhase, CallState, FrameId, Holding, Stage},
    step::{Deed, Step},
    timer::Purpose,
    view::Sight,
};
use crate::{
    CallId, CallPolicy, CallRequest, CallTarget, Effect, HeldCall, NoteKind, Substitute,
    Substitution, codes, means_unavailable,
    program::{Call, Detour, Kind, Unreachable},
};

impl Machine {
    /// The calls that wait for their systems, in the order of their ids.
    pub fn held(&self) -> Vec<HeldCall> {
        if !self.program.holds || !self.state.running() {
            return Vec::new();
        }
        let mut held: Vec<HeldCall> =
            self.state.frames.ids().into_iter().filter_map(|id| self.held_call(id)).collect();
        held.sort_by(|a, b| a.call.cmp(&b.call));
        held
    }

    fn held_call(&self, id: FrameId) -> Option<HeldCall> {
        let state = self.state.frames.task(id)?;
        let Stage::Call(call) = &state.stage else { return None };
        let (CallPhase::Held, Absence::Held(holding)) = (&call.phase, &call.absence) else {
            return None;
        };
        let Kind::Call(plan) = &self.program.task(state.task).kind else { return None };
        let rule = plan.unreachable.as_ref()?;
        let Detour::Hold { max, .. } = rule.detour else { return None };
        Some(HeldCall {
            call: call.request.id.clone(),
            system: Arc::clone(&rule.system),
            since: holding.since,
            until: holding.until,
            failed_at: holding.failed_at,
            failure: holding.failure.clone(),
            max,
        })
    }

    /// Whether a call that was held is being tried now.
    pub fn is_probing(&self) -> bool {
        self.program.holds
            && self.state.running()
            && self.state.frames.ids().into_iter().any(|id| self.is_tried(id))
    }

    /// Whether this call was held, and is being tried now.
    pub fn is_probed(&self, call: &CallId) -> bool {
        let frame = self.state.live.get(call);
        self.state.running() && frame.is_some_and(|id| self.is_tried(*id))
    }

    fn is_tried(&self, id: FrameId) -> bool {
        let Some(state) = self.state.frames.task(id) else { return false };
        let Stage::Call(call) = &state.stage else { return false };
        matches!(call.absence, Absence::Held(_)) && !matches!(call.phase, CallPhase::Held)
    }

    /// The tasks that were done in another way than by their call, in order.
    pub fn substituted(&self) -> &[Substitution] {
        &self.state.substituted
    }
}

impl Step<'_> {
    /// The policy of the call that a frame makes.
    pub(super) fn policy_of<'p>(&self, id: FrameId, plan: &'p Call) -> &'p CallPolicy {
        let diverted = self.call(id).is_some_and(|it| matches!(it.absence, Absence::Diverted));
        match plan.unreachable.as_ref().map(|rule| &rule.detour) {
            Some(Detour::Call { policy, .. }) if diverted => policy,
            _ => &plan.policy,
        }
    }

    fn call(&self, id: FrameId) -> Option<&CallState> {
        match &self.state.frames.task(id)?.stage {
            Stage::Call(call) => Some(call),
            _ => None,
        }
    }

    /// Whether a task was not done by its own call: then there is nothing that its compensation undoes.
    pub(super) fn went_another_way(&self, id: FrameId) -> bool {
        self.call(id).is_some_and(|it| matches!(it.absence, Absence::Diverted | Absence::LeftOut))
    }

    /// A call has no attempt left: what is done about it.
    pub(super) fn given_up(&mut self, id: FrameId, plan: &Call, mut fault: Fault) {
        let there = self.call(id).is_none_or(|it| !matches!(it.absence, Absence::None));
        let rule = plan.unreachable.as_ref().filter(|_| {
            !there && means_unavailable(fault.failure.class) && self.is_uncaught(id, &fault)
        });
        let Some(rule) = rule else { return self.fail(id, fault) };
        match &rule.detour {
            Detour::Hold { ttl_ms, .. } => self.hold(id, *ttl_ms, &fault.failure),
            Detour::Call { .. } if self.may_have_taken_effect(id, plan) => self.fail(id, fault),
            Detour::Call { .. } => self.divert(id, plan, rule, &fault.failure),
            Detour::LeaveOut { .. } => self.leave_out(id, rule, &fault.failure),
            Detour::Fail { escalate } => {
                if let Some(owner) = escalate {
                    let mut failure = fault.failure.clone();
                    let (system, detail) = (&rule.system, &failure.detail);
                    failure.detail =
                        format!("{detail}; `{system}` is not available: `{owner}` takes over");
                    failure.owner = Some(owner.to_string());
                    fault = self.call_fault(id, failure, fault.repeatable);
                }
                self.fail(id, fault);
            }
        }
    }

    /// Whether a call that may have taken effect is held nevertheless: it is read back before it is
    /// sent again, and its system does not even answer to that.
    pub(super) fn waits_to_be_read_back(
        &self,
        id: FrameId,
        plan: &Call,
        failure: &Failure,
    ) -> bool {
        let holds = plan
            .unreachable
            .as_ref()
            .is_some_and(|rule| matches!(rule.detour, Detour::Hold { .. }));
        holds
            && failure.applied == Applied::Maybe
            && means_unavailable(failure.class)
            && self.policy_of(id, plan).effect == Effect::Verify
    }

    /// Whether another way could do the same thing twice.
    fn may_have_taken_effect(&self, id: FrameId, plan: &Call) -> bool {
        plan.policy.effect != Effect::Idempotent && self.call(id).is_some_and(|call| call.doubtful)
    }

    fn hold(&mut self, id: FrameId, ttl_ms: u64, failure: &Failure) {
        let now = self.now;
        let until = now + Duration::from_millis(ttl_ms);
        let timer = self.arm(ttl_ms, id, Purpose::HoldOver);
        let Some(call) = self.state.frames.call_mut(id) else { return };
        call.phase = CallPhase::Held;
        call.absence = Absence::Held(Holding {
            since: now,
            until,
            failed_at: now,
            failure: failure.clone(),
            timer,
        });
        self.note(id, NoteKind::Held { until }, Some(failure.clone()));
    }

    /// A held call was tried again, and its system is still not there: it is held on, or its time
    /// is up. False when it failed in another way, or was not held.
    pub(super) fn held_again(&mut self, id: FrameId, plan: &Call, failure: &Failure) -> bool {
        let now = self.now;
        let Some(call) = self.state.frames.call_mut(id) else { return false };
        let Absence::Held(holding) = &mut call.absence else { return false };
        if !means_unavailable(failure.class) {
            (call.failed, call.since) = (0, now);
            self.no_longer_held(id);
            return false;
        }
        call.doubtful |= failure.applied != Applied::No;
        (holding.failed_at, holding.failure) = (now, failure.clone());
        call.phase = CallPhase::Held;
        if now >= holding.until {
            self.held_too_long(id, plan);
        }
        true
    }

    /// Forgets that a call was held.
    pub(super) fn no_longer_held(&mut self, id: FrameId) {
        let Some(call) = self.state.frames.call_mut(id) else { return };
        if let Absence::Held(holding) = &call.absence {
            let timer = holding.timer;
            call.absence = Absence::None;
            if matches!(call.phase, CallPhase::Held) {
                call.phase = CallPhase::Idle;
            }
            self.state.timers.disarm(Some(timer));
        }
    }

    /// The time is up for which a call may be held. One that is being tried gets its answer first.
    pub(super) fn hold_over(&mut self, id: FrameId) {
        let Some(Kind::Call(plan)) = self.task_of(id).map(|task| &task.kind) else { return };
        if self.call(id).is_some_and(|call| matches!(call.phase, CallPhase::Held)) {
            self.held_too_long(id, plan);
        }
    }

    fn held_too_long(&mut self, id: FrameId, plan: &Call) {
        let Some(rule) = &plan.unreachable else { return };
        let Some(Absence::Held(holding)) = self.call(id).map(|call| &call.absence) else { return };
        let detail = format!(
            "`{}` did not come back within {}; the last attempt: {}",
            rule.system,
            in_words(holding.until.since(holding.since)),
            holding.failure.detail,
        );
        let title = "The system did not come back in time";
        self.hold_fails(id, Failure::new(Class::Expired, codes::HELD_TOO_LONG, title, detail));
    }

    /// Too many runs wait for the system.
    pub(super) fn not_held(&mut self, call: &CallId) {
        let Some(id) = self.held_frame(call) else { return };
        let Some(Kind::Call(plan)) = self.task_of(id).map(|task| &task.kind) else { return };
        let Some(Unreachable { system, detour: Detour::Hold { max, .. } }) =
            plan.unreachable.as_deref()
        else {
            return;
        };
        let Some(Absence::Held(holding)) = self.call(id).map(|call| &call.absence) else { return };
        let detail = format!(
            "`{system}` is not available, and {max} runs wait for it already; the last attempt: {}",
            holding.failure.detail,
        );
        let title = "Too many runs wait for the system";
        self.hold_fails(id, Failure::new(Class::Overloaded, codes::HELD_TOO_MANY, title, detail));
        self.run();
    }

    fn hold_fails(&mut self, id: FrameId, failure: Failure) {
        let Some(call) = self.call(id) else { return };
        let Absence::Held(holding) = &call.absence else { return };
        let applied = if call.doubtful { Applied::Maybe } else { Applied::No };
        let owner = holding.failure.owner.clone();
        let failure = Failure { applied, owner, retry: Retry::Never, ..failure };
        self.no_longer_held(id);
        let fault = self.call_fault(id, failure, true);
        self.fail(id, fault);
    }

    fn held_frame(&self, wanted: &CallId) -> Option<FrameId> {
        if !self.running() {
            return None;
        }
        let held = |id: &FrameId| {
            self.call(*id).is_some_and(|call| {
                matches!(call.phase, CallPhase::Held) && call.request.id == *wanted
            })
        };
        self.state.frames.ids().into_iter().find(held)
    }

    /// A held call is tried once more.
    pub(super) fn probed(&mut self, call: &CallId) {
        if let Some(id) = self.held_frame(call) {
            self.send(id);
        }
    }

    /// What expressions of the integration's file see of the call.
    fn seen(&self, id: FrameId) -> Option<Value> {
        let input = Value::clone(&self.state.frames.task(id)?.input);
        let arguments = arguments_of(&self.call(id)?.request.target);
        Some(json!({"input": input, "arguments": arguments}))
    }

    /// Another operation is called, under a key of its own.
    fn divert(&mut self, id: FrameId, plan: &Call, rule: &Unreachable, failure: &Failure) {
        let Detour::Call { pointer, connector, operation, arguments, policy } = &rule.detour else {
            return;
        };
        let Some(seen) = self.seen(id) else { return };
        let arguments = match arguments {
            None => seen["arguments"].clone(),
            Some(shape) => match self.form(id, shape, &seen, Sight::default(), "fallback") {
                Ok(value) => Value::clone(&value),
                Err(fault) => return self.fail(id, fault),
            },
        };
        let now = self.now;
        let Some(call) = self.call(id) else { return };
        let call_id =
            CallId { pointer: Arc::clone(pointer), visit: Arc::clone(&call.request.id.visit) };
        let attempt = self.state.memory.get(&call_id).map_or(0, |memory| memory.attempts);
        self.substitute(id, rule, Substitute::Fallback, failure);
        let Some(call) = self.state.frames.call_mut(id) else { return };
        call.request = CallRequest {
            id: call_id,
            attempt,
            target: CallTarget::Connector {
                connector: connector.clone(),
                operation: operation.clone(),
                arguments,
                output: plan.output,
            },
            effect: policy.effect,
            timeout_ms: policy.timeout_ms,
            ..call.request.clone()
        };
        (call.failed, call.stated, call.stated_ms, call.since) = (0, 0, 0, now);
        (call.doubtful, call.absence) = (false, Absence::Diverted);
        self.note(id, NoteKind::Diverted, Some(failure.clone()));
        self.send(id);
    }

    /// The task is left out: a declared output stands for it.
    fn leave_out(&mut self, id: FrameId, rule: &Unreachable, failure: &Failure) {
        let Detour::LeaveOut { value } = &rule.detour else { return };
        let Some(task) = self.task_of(id) else { return };
        let output = match (value, self.seen(id)) {
            (Some(shape), Some(seen)) => {
                match self.form(id, shape, &seen, Sight::default(), "degrade") {
                    Ok(value) => value,
                    Err(fault) => return self.fail(id, fault),
                }
            }
            _ => Arc::new(Value::Null),
        };
        self.substitute(id, rule, Substitute::Value, failure);
        if let Some(call) = self.state.frames.call_mut(id) {
            call.absence = Absence::LeftOut;
        }
        self.note(id, NoteKind::LeftOut, Some(failure.clone()));
        self.push(Deed::Leave(id, output, task.then));
    }

    fn substitute(&mut self, id: FrameId, rule: &Unreachable, by: Substitute, failure: &Failure) {
        let Some(call) = self.call(id) else { return };
        let substitution = Substitution {
            call: call.request.id.clone(),
            task: Arc::clone(&call.request.task),
            system: Arc::clone(&rule.system),
            by,
            code: failure.code.clone(),
        };
        self.state.substituted.push(substitution);
    }
}

fn arguments_of(target: &CallTarget) -> Value {
    match target {
        CallTarget::Connector { arguments, .. }
        | CallTarget::OpenApi { arguments, .. }
        | CallTarget::Kept { arguments, .. }
        | CallTarget::Human { arguments, .. } => arguments.clone(),
        CallTarget::Http { query, body, .. } => json!({"query": query, "body": body}),
    }
}

/// `24 h`, `90 min`, `45 s`.
pub(super) fn in_words(length: Duration) -> String {
    let seconds = length.as_secs();
    match (seconds.is_multiple_of(3_600), seconds.is_multiple_of(60)) {
        (true, _) if seconds > 0 => format!("{} h", seconds / 3_600),
        (_, true) if seconds > 0 => format!("{} min", seconds / 60),
        _ => format!("{} s", length.as_secs_f64()),
    }
}
