//! Compensation: when a run fails, or is cancelled so, the tasks that completed and can be undone
//! are undone, the one that completed last first, one after the other.

use std::sync::Arc;

use qc_model::Failure;
use serde_json::{Value, json};

use super::{
    Phase,
    fault::Fault,
    frame::{Body, Frame, FrameId},
    step::{Deed, Step},
};
use crate::{Action, CallId, Compensated, Outcome, Undone, program::TaskIndex};

/// A task that completed and can be undone.
#[derive(Debug)]
pub(super) struct Undoable {
    pub(super) id: CallId,
    undo: TaskIndex,
    input: Arc<Value>,
    output: Arc<Value>,
}

/// The undoing under way.
#[derive(Debug)]
pub(super) struct UndoState {
    /// What is being undone.
    current: Option<CallId>,
    /// How that went, while calls that it sent and that were cut short are being settled.
    over: Option<Undone>,
    report: Compensated,
}

/// How the run ends when everything was undone.
#[derive(Debug)]
pub(super) enum Ending {
    Faulted(Fault),
    Cancelled(String),
}

impl Ending {
    pub(super) fn outcome(self, compensation: Option<Compensated>) -> Outcome {
        match self {
            Self::Faulted(fault) => Outcome::Faulted {
                failure: fault.failure,
                error: (*fault.error).clone(),
                compensation,
            },
            Self::Cancelled(reason) => Outcome::Cancelled { reason, compensation },
        }
    }
}

impl Step<'_> {
    /// A task did its work, wherever the flow goes on: from now on it can be undone.
    pub(super) fn completed_work(&mut self, id: FrameId, output: &Arc<Value>) {
        let (Some(task), Some(frame)) = (self.state.frames.task(id), self.state.frames.get(id))
        else {
            return;
        };
        let (index, input) = (task.task, Arc::clone(&task.input));
        let visit = Arc::clone(&frame.visit);
        self.took_effect(index, visit, input, Arc::clone(output));
    }

    pub(super) fn took_effect(
        &mut self,
        task: TaskIndex,
        visit: Arc<str>,
        input: Arc<Value>,
        output: Arc<Value>,
    ) {
        let task = self.program.task(task);
        let Some(undo) = task.undo else { return };
        let id = CallId { pointer: Arc::clone(&task.pointer), visit };
        // A `try` that is tried again completes it again: it is there once.
        self.state.order += 1;
        let order = self.state.order;
        if let Some(earlier) = self.state.undo_places.insert(id.clone(), order) {
            self.state.undoable.remove(&earlier);
        }
        self.state.undoable.insert(order, Undoable { id, undo, input, output });
    }

    /// Begins the undoing. What the run was is gone; it cannot be continued.
    pub(super) fn compensate(&mut self, ending: Ending) {
        for id in self.state.frames.ids() {
            self.state.frames.remove(id);
        }
        self.state.timers.disarm_all();
        self.state.memory.clear();
        self.state.deferred.clear();
        self.forget_deeds();
        let undoing = UndoState { current: None, over: None, report: Compensated::default() };
        let root = self.state.frames.insert(Frame {
            parent: None,
            thread: 0,
            visit: "".into(),
            locals: Arc::new([]),
            body: Body::Undo(undoing),
        });
        self.state.root = Some(root);
        self.state.phase = Phase::Compensating(ending);
        self.undo_next(root);
        self.run();
    }

    fn undo_mut(&mut self, root: FrameId) -> Option<&mut UndoState> {
        match &mut self.state.frames.get_mut(root)?.body {
            Body::Undo(undoing) => Some(undoing),
            _ => None,
        }
    }

    /// The frame of the undoing, while it is under way.
    pub(super) fn undoing(&self) -> Option<FrameId> {
        match self.state.phase {
            Phase::Compensating(_) => self.state.root,
            _ => None,
        }
    }

    /// Undoes the task that completed last, or ends the run when there is none left.
    fn undo_next(&mut self, root: FrameId) {
        let Some((_, next)) = self.state.undoable.pop_last() else {
            return self.compensated(root);
        };
        // Each has the whole budget of tasks: one does not take it from the others.
        self.state.executed = 0;
        let raw = Arc::new(json!({ "input": *next.input, "output": *next.output }));
        let body = self.task_body(next.undo, raw);
        let visit = Arc::clone(&next.id.visit);
        if let Some(undoing) = self.undo_mut(root) {
            undoing.current = Some(next.id);
        }
        let (parent, locals) = (Some(root), Arc::new([]));
        let frame = Frame { parent, thread: 0, visit, locals, body };
        let child = self.state.frames.insert(frame);
        self.push(Deed::Enter(child));
    }

    /// One undoing is over: what it left under way is cut short and settled, then the next begins.
    pub(super) fn undo_over(&mut self, root: FrameId, failure: Option<Failure>) {
        if let Some(undoing) = self.undo_mut(root) {
            undoing.over = undoing.current.take().map(|task| Undone { task, failure });
        }
        self.cut_below(root, root);
        self.settled(root);
    }

    /// Nothing of the last undoing is under way any more.
    pub(super) fn undo_settled(&mut self, root: FrameId) {
        let Some(undoing) = self.undo_mut(root) else { return };
        let Some(over) = undoing.over.take() else { return };
        undoing.report.undone.push(over);
        self.undo_next(root);
    }

    fn compensated(&mut self, root: FrameId) {
        let Some(undoing) = self.undo_mut(root) else { return };
        let report = std::mem::take(&mut undoing.report);
        self.state.frames.remove(root);
        if let Phase::Compensating(ending) =
            std::mem::replace(&mut self.state.phase, Phase::Running)
        {
            let outcome = ending.outcome(Some(report));
            self.actions.push(Action::Finish(outcome.clone()));
            self.state.phase = Phase::Over(outcome);
        }
    }
}
