//! `run: workflow`: another workflow, run as a child of this one.

use std::sync::Arc;

use qc_model::{Class, Failure, StandardError};
use serde_json::{Map, Value, json};

use super::{
    Answer, Machine, State, Work,
    fault::{Fault, Flight},
    frame::{FrameId, Stage},
    step::{Deed, Step},
    view::Sight,
};
use crate::{
    Action, CallId, ChildRequest, DEPTH_LIMIT, OpenChild, Outcome, child::child_key, codes,
    program::Subflow,
};

/// A child under way.
#[derive(Debug)]
pub(super) struct ChildState {
    pub(super) request: ChildRequest,
    pub(super) phase: ChildPhase,
}

#[derive(Debug)]
pub(super) enum ChildPhase {
    /// Asked for.
    Sent,
    /// Runs, under this name.
    Started(String),
    /// It ended while the run was failing; used when the run is reopened.
    Answered(Arc<Value>),
    /// Not asked for, or ended and not asked for again.
    Idle,
}

impl ChildState {
    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, ChildPhase::Sent | ChildPhase::Started(_))
    }

    fn run(&self) -> Option<String> {
        match &self.phase {
            ChildPhase::Started(run) => Some(run.clone()),
            _ => None,
        }
    }
}

impl State {
    fn children(&self) -> Vec<OpenChild> {
        let live = self.live.values().filter_map(|frame| {
            let child = self.frames.child(*frame)?;
            let cut = !self.running() && child.request.awaited;
            Some(OpenChild { request: child.request.clone(), run: child.run(), cut })
        });
        let orphans = self.orphans.values().filter_map(|orphan| match &orphan.work {
            Work::Child { request, run } => {
                Some(OpenChild { request: request.clone(), run: run.clone(), cut: true })
            }
            Work::Call(_) => None,
        });
        live.chain(orphans).collect()
    }
}

impl Machine {
    /// The children that were asked for and of which the run still has to hear: that they started,
    /// when they are not awaited, and otherwise that they ended.
    pub fn children(&self) -> Vec<OpenChild> {
        self.state.children()
    }
}

impl Step<'_> {
    pub(super) fn enter_run(
        &mut self,
        id: FrameId,
        plan: &Subflow,
        input: &Arc<Value>,
    ) -> Result<(), Fault> {
        let (Some(task), Some(frame)) = (self.task_of(id), self.state.frames.get(id)) else {
            return Ok(());
        };
        let child = CallId { pointer: Arc::clone(&task.pointer), visit: Arc::clone(&frame.visit) };
        let memory = self.state.memory.get(&child);
        if let Some(Answer::Value(output)) = memory.and_then(|memory| memory.answer.as_ref()) {
            let output = Arc::clone(output);
            self.push(Deed::Leave(id, output, task.then));
            return Ok(());
        }
        let attempt = memory.map_or(0, |memory| memory.attempts);
        let depth = self.state.facts.depth.saturating_add(1);
        if depth > DEPTH_LIMIT {
            let title = "Workflows run workflows too deeply";
            let detail = format!("a workflow may stand below at most {DEPTH_LIMIT} others");
            let failure = Failure::new(Class::Permanent, codes::NESTED_TOO_DEEPLY, title, detail);
            return Err(self.standard_fault(id, StandardError::Runtime, failure));
        }
        let input = match &plan.input {
            Some(shape) => self.form(id, shape, input, Sight::default(), "run.workflow.input")?,
            None => Arc::clone(input),
        };
        let request = ChildRequest {
            key: child_key(&self.state.facts.origin, &child),
            id: child,
            task: Arc::clone(&task.name),
            attempt,
            workflow: plan.workflow.clone(),
            input: (*input).clone(),
            awaited: plan.awaited,
            depth,
        };
        let state = ChildState { request, phase: ChildPhase::Idle };
        self.set_stage(id, Stage::Child(Box::new(state)));
        self.start_child(id);
        Ok(())
    }

    /// Asks for the child's next attempt.
    fn start_child(&mut self, id: FrameId) {
        let in_retry = self.task_of(id).is_some_and(|task| task.in_retry);
        let Some(child) = self.state.frames.child_mut(id) else { return };
        child.request.attempt += 1;
        child.phase = ChildPhase::Sent;
        let request = child.request.clone();
        if in_retry {
            let memory = self.state.memory.entry(request.id.clone()).or_default();
            memory.attempts = request.attempt;
        }
        self.state.live.insert(request.id.clone(), id);
        self.actions.push(Action::StartChild(request));
    }

    /// A child of a reopened run: its end counts now, or it is continued.
    pub(super) fn resume_child(&mut self, id: FrameId) {
        let Some(child) = self.state.frames.child_mut(id) else { return };
        let answered = match &child.phase {
            ChildPhase::Answered(output) => Some(Arc::clone(output)),
            _ => None,
        };
        if self.state.frames.task(id).is_some_and(|task| task.timeout.is_none()) {
            self.arm_task_timeout(id);
        }
        match answered {
            Some(output) => self.child_answered(id, output),
            None => self.start_child(id),
        }
    }

    /// The frame that waits for this attempt of a child.
    fn live_child(&self, id: &CallId, attempt: u32) -> Option<FrameId> {
        let frame = *self.state.live.get(id)?;
        let child = self.state.frames.child(frame)?;
        (child.request.attempt == attempt).then_some(frame)
    }

    pub(super) fn child_started(&mut self, id: &CallId, attempt: u32, run: &str) {
        if let Some(orphan) = self.state.orphans.get_mut(id)
            && let Work::Child { request, run: known } = &mut orphan.work
        {
            if request.attempt == attempt {
                *known = Some(run.to_owned());
            }
            return;
        }
        let Some(frame) = self.live_child(id, attempt) else { return };
        let running = self.running();
        let Some(child) = self.state.frames.child_mut(frame) else { return };
        if child.request.awaited {
            child.phase = ChildPhase::Started(run.to_owned());
            return;
        }
        // Nobody waits for its end: it lives on by itself.
        let output = Arc::new(json!(run));
        child.phase = ChildPhase::Answered(Arc::clone(&output));
        self.state.live.remove(id);
        if running {
            self.child_answered(frame, output);
            self.run();
        } else {
            self.settle_run();
        }
    }

    pub(super) fn child_ended(&mut self, id: &CallId, attempt: u32, outcome: &Outcome) {
        let orphaned = self.state.orphans.get(id).is_some_and(|orphan| {
            matches!(&orphan.work, Work::Child { request, .. } if request.attempt == attempt)
        });
        if orphaned {
            self.orphan_ended(id, outcome);
            return;
        }
        let Some(frame) = self.live_child(id, attempt) else { return };
        let running = self.running();
        let Some(child) = self.state.frames.child_mut(frame) else { return };
        if !child.request.awaited && !matches!(outcome, Outcome::Faulted { .. }) {
            // Of a child that is not awaited only counts that it could not be started.
            return;
        }
        child.phase = ChildPhase::Idle;
        self.state.live.remove(id);
        match outcome {
            Outcome::Completed { output } if running => {
                self.child_answered(frame, Arc::new(output.clone()));
            }
            Outcome::Completed { output } => {
                let output = Arc::new(output.clone());
                self.completed_work(frame, &output);
                if let Some(child) = self.state.frames.child_mut(frame) {
                    child.phase = ChildPhase::Answered(output);
                }
            }
            Outcome::Faulted { failure, error, .. } if running => {
                let fault = self.child_fault(frame, failure, error);
                self.fail(frame, fault);
            }
            Outcome::Cancelled { reason, .. } if running => {
                let title = "The workflow that was run was cancelled";
                let failure = Failure::new(
                    Class::Cancelled,
                    codes::CHILD_CANCELLED,
                    title,
                    format!("it was cancelled: {reason}"),
                );
                let fault = self.standard_fault(frame, StandardError::Runtime, failure);
                self.fail(frame, fault);
            }
            Outcome::Faulted { .. } | Outcome::Cancelled { .. } => {}
        }
        if running {
            self.run();
        } else {
            self.settle_run();
        }
    }

    fn child_answered(&mut self, id: FrameId, output: Arc<Value>) {
        let Some(task) = self.task_of(id) else { return };
        if task.in_retry
            && let Some(child) = self.state.frames.child(id).map(|child| child.request.id.clone())
        {
            let memory = self.state.memory.entry(child).or_default();
            memory.answer = Some(Answer::Value(Arc::clone(&output)));
        }
        self.push(Deed::Leave(id, output, task.then));
    }

    /// The child's error, at the place of the task that ran it.
    fn child_fault(&self, id: FrameId, failure: &Failure, error: &Value) -> Fault {
        let mut object = Map::new();
        for key in ["type", "status", "title", "detail", "data"] {
            if let Some(value) = error.get(key) {
                object.insert(key.to_owned(), value.clone());
            }
        }
        let kind = failure.class.standard();
        object.entry("type").or_insert_with(|| json!(kind.uri()));
        object.entry("status").or_insert_with(|| json!(failure.status));
        object.insert("instance".to_owned(), json!(self.instance(id)));
        let raised = failure.code == codes::RAISED;
        let error = Arc::new(Value::Object(object));
        // What took effect in the child is the child's own matter: its continuation repeats nothing.
        Box::new(Flight { failure: failure.clone(), error, raised, repeatable: true, fatal: false })
    }
}
