//! Errors: how they look to a workflow, and how they climb until something catches them.

use std::sync::Arc;

use qc_model::{Applied, Class, Failure, StandardError};
use serde_json::{Map, Value, json};

use super::{
    Phase,
    frame::{Branch, FrameId, Stage, TryPhase},
    step::Step,
    view::Sight,
};
use crate::{
    codes,
    dsl::ErrorFilter,
    program::{Attempt, Kind},
};

/// An error on its way; boxed, as most steps have none.
pub(super) type Fault = Box<Flight>;

/// What there is to know of an error on its way.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) failure: Failure,
    /// The DSL's error object.
    pub(super) error: Arc<Value>,
    /// Whether the workflow raised it itself: then only its policy decides on retrying.
    pub(super) raised: bool,
    /// Whether what failed may be done again: an ambiguous effect that may not be repeated clears it.
    pub(super) repeatable: bool,
    /// Whether nothing may catch it.
    pub(super) fatal: bool,
}

/// Where an error ends.
enum Landing {
    Caught(FrameId),
    /// A branch of a race failed and others still run.
    Absorbed {
        fork: FrameId,
        branch: FrameId,
    },
    Uncaught,
}

impl Step<'_> {
    /// A fault of the platform under a standard error type, at the frame's task.
    pub(super) fn standard_fault(
        &self,
        id: FrameId,
        kind: StandardError,
        failure: Failure,
    ) -> Fault {
        let error = error_object(&kind.uri(), kind.status(), &failure, &self.instance(id));
        Box::new(Flight { failure, error, raised: false, repeatable: true, fatal: false })
    }

    /// The fault of a failed call, at the frame's task.
    pub(super) fn call_fault(&self, id: FrameId, failure: Failure, repeatable: bool) -> Fault {
        let kind = failure.class.standard().uri();
        let error = error_object(&kind, failure.status, &failure, &self.instance(id));
        Box::new(Flight { failure, error, raised: false, repeatable, fatal: false })
    }

    /// The place of a frame: its task's pointer, or that of the task around it.
    pub(super) fn instance(&self, id: FrameId) -> String {
        let mut at = Some(id);
        while let Some(id) = at {
            if let Some(task) = self.task_of(id) {
                return task.pointer.to_string();
            }
            at = self.state.frames.get(id).and_then(|frame| frame.parent);
        }
        "/".to_owned()
    }

    /// An error happened at a frame: lets it climb.
    pub(super) fn raise_from(&mut self, id: FrameId, fault: Fault) {
        if self.state.frames.get(id).is_none() {
            return;
        }
        self.note_fault(id, &fault);
        let (landing, fault) = self.landing(id, fault);
        match landing {
            Landing::Caught(frame) => self.caught(frame, fault),
            Landing::Absorbed { fork, branch } => self.branch_failed(fork, branch),
            Landing::Uncaught => match self.undoing() {
                Some(root) => self.undo_over(root, Some(fault.failure)),
                None => self.uncaught(id, fault),
            },
        }
    }

    /// Walks up until something catches the error. A condition of a `catch` that fails itself
    /// replaces the error and lets it climb on.
    fn landing(&self, id: FrameId, mut fault: Fault) -> (Landing, Fault) {
        let mut child = id;
        while let Some(parent) = self.state.frames.get(child).and_then(|frame| frame.parent) {
            if let Some(branch) = self.lost_race(parent, child).filter(|_| !fault.fatal) {
                return (Landing::Absorbed { fork: parent, branch }, fault);
            }
            if let Some(attempt) = self.running_try(parent) {
                match self.catches(parent, attempt, &fault) {
                    Ok(true) => match self.handles(parent, attempt, &fault) {
                        Ok(true) => return (Landing::Caught(parent), fault),
                        Ok(false) => {}
                        Err(replaced) => fault = replaced,
                    },
                    Ok(false) => {}
                    Err(replaced) => fault = replaced,
                }
            }
            child = parent;
        }
        (Landing::Uncaught, fault)
    }

    /// Whether nothing in the workflow takes the error up.
    pub(super) fn is_uncaught(&self, id: FrameId, fault: &Fault) -> bool {
        matches!(self.landing(id, fault.clone()).0, Landing::Uncaught)
    }

    /// Whether a race goes on without this branch.
    fn lost_race(&self, parent: FrameId, child: FrameId) -> Option<FrameId> {
        let state = self.state.frames.task(parent)?;
        let Kind::Fork { compete: true, .. } = self.program.task(state.task).kind else {
            return None;
        };
        let Stage::Fork(fork) = &state.stage else { return None };
        let others = fork.branches.iter().any(|branch| match branch {
            Branch::Running(id) => *id != child,
            Branch::Done(_) => true,
            Branch::Failed => false,
        });
        others.then_some(child)
    }

    /// The `try` of a frame, when its block is what runs.
    fn running_try(&self, id: FrameId) -> Option<&'_ Attempt> {
        let state = self.state.frames.task(id)?;
        let Stage::Try(attempt) = &state.stage else { return None };
        if !matches!(attempt.phase, TryPhase::Running(_)) {
            return None;
        }
        match &self.program.task(state.task).kind {
            Kind::Try(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// Whether the `catch` filters and conditions match.
    fn catches(&self, id: FrameId, attempt: &Attempt, fault: &Fault) -> Result<bool, Fault> {
        if fault.fatal || !matches(&attempt.filter, &fault.error) {
            return Ok(false);
        }
        let Some(state) = self.state.frames.task(id) else { return Ok(false) };
        let extra = [Arc::clone(&fault.error)];
        let sight = Sight { extra: &extra, ..Sight::default() };
        if let Some(when) = &attempt.when
            && !self.test(id, when, &state.input, sight, "catch.when")?
        {
            return Ok(false);
        }
        if let Some(except) = &attempt.except_when
            && self.test(id, except, &state.input, sight, "catch.exceptWhen")?
        {
            return Ok(false);
        }
        Ok(true)
    }

    /// Whether a matching `catch` has something to do with the error: without `retry` always;
    /// with it while attempts are left, or when `do` or `then` follow.
    fn handles(&self, id: FrameId, attempt: &Attempt, fault: &Fault) -> Result<bool, Fault> {
        if attempt.retry.is_none() || attempt.handler.is_some() || attempt.then.is_some() {
            return Ok(true);
        }
        self.may_retry(id, attempt, fault)
    }

    /// Whether an enclosing `catch` with `retry` takes over from the call's own policy.
    pub(super) fn retried_outside(&self, id: FrameId, fault: &Fault) -> bool {
        let mut at = self.state.frames.get(id).and_then(|frame| frame.parent);
        while let Some(parent) = at {
            if let Some(attempt) = self.running_try(parent) {
                // A condition that fails is dealt with when the error climbs.
                if self.catches(parent, attempt, fault).unwrap_or(true) {
                    return attempt.retry.is_some();
                }
            }
            at = self.state.frames.get(parent).and_then(|frame| frame.parent);
        }
        false
    }

    /// Nothing catches it: the run fails once the calls under way are settled. The frames stay, so
    /// that the run can be reopened.
    fn uncaught(&mut self, frame: FrameId, fault: Fault) {
        self.interrupt_all(true);
        self.state.phase = Phase::Failing { fault, frame };
        self.settle_run();
    }

    pub(super) fn timeout_fault(&self, id: FrameId, code: qc_model::Code, what: &str) -> Fault {
        let title = if code == codes::WORKFLOW_TIMEOUT {
            "The workflow took too long"
        } else {
            "The task took too long"
        };
        let failure = Failure::new(Class::Timeout, code, title, format!("{what} took too long"));
        self.standard_fault(id, StandardError::Timeout, failure)
    }

    pub(super) fn budget_fault(&self, id: FrameId) -> Fault {
        let detail = format!(
            "the run has executed {} tasks; loops and jumps count every time",
            super::STEP_BUDGET
        );
        let title = "The run executed too many tasks";
        let failure = Failure::new(Class::Permanent, codes::STEP_BUDGET, title, detail);
        let mut fault = self.standard_fault(id, StandardError::Runtime, failure);
        fault.fatal = true;
        fault
    }
}

fn error_object(kind: &str, status: u16, failure: &Failure, instance: &str) -> Arc<Value> {
    let mut object = Map::new();
    object.insert("type".into(), json!(kind));
    object.insert("status".into(), json!(status));
    object.insert("title".into(), json!(failure.title));
    object.insert("detail".into(), json!(failure.detail));
    object.insert("instance".into(), json!(instance));
    if let Some(data) = &failure.data {
        object.insert("data".into(), data.clone());
    }
    Arc::new(Value::Object(object))
}

/// `catch.errors.with`: every property that it names must be equal. Standard error types are equal
/// in all their spellings.
fn matches(filter: &ErrorFilter, error: &Value) -> bool {
    let same = |wanted: &Option<Arc<str>>, key: &str| {
        wanted.as_ref().is_none_or(|wanted| error[key].as_str() == Some(wanted))
    };
    let kind = filter.kind.as_ref().is_none_or(|wanted| {
        let actual = error["type"].as_str().unwrap_or_default();
        let standard = StandardError::from_uri(wanted);
        &**wanted == actual || standard.is_some() && standard == StandardError::from_uri(actual)
    });
    kind && filter.status.is_none_or(|status| error["status"].as_u64() == Some(status.into()))
        && same(&filter.instance, "instance")
        && same(&filter.title, "title")
        && same(&filter.detail, "detail")
}

impl Flight {
    /// Takes in how a call that was cut short has ended: an effect that may have taken place and
    /// must not be repeated forbids a retry.
    pub(super) fn absorb(&mut self, may_resend: bool, applied: Applied) {
        if !may_resend && applied != Applied::No {
            self.repeatable = false;
        }
    }
}
