//! One step: a stack of small deeds, worked off until nothing is left to do.

use std::sync::Arc;

use qc_model::{Failure, Timestamp};
use serde_json::Value;

use super::{
    State,
    fault::Fault,
    frame::{Body, Frame, FrameId},
};
use crate::{
    Action, NoteKind, Program, TaskNote,
    chance::Chance,
    program::{Flow, Task},
};

/// A deed that is to be done next. The last one put on the stack is done first, so a branch runs
/// until it waits before the next one begins.
#[derive(Debug)]
pub(super) enum Deed {
    /// Begin (or, after reopening, begin again).
    Enter(FrameId),
    /// The work is done; form output and export.
    Leave(FrameId, Arc<Value>, Flow),
    /// A child completed; its parent goes on.
    Completed { parent: FrameId, child: FrameId, output: Arc<Value>, flow: Flow },
    /// Something failed there.
    Fail(FrameId, Fault),
}

pub(super) struct Step<'s> {
    pub(super) program: &'s Program,
    pub(super) state: &'s mut State,
    pub(super) now: Timestamp,
    pub(super) chance: Chance,
    pub(super) actions: Vec<Action>,
    deeds: Vec<Deed>,
}

impl<'s> Step<'s> {
    pub(super) fn new(
        program: &'s Program,
        state: &'s mut State,
        now: Timestamp,
        entropy: u64,
    ) -> Self {
        let chance = Chance::new(entropy);
        Self { program, state, now, chance, actions: Vec::new(), deeds: Vec::new() }
    }

    pub(super) fn finish(mut self) -> Vec<Action> {
        self.tell_subscriptions();
        self.actions
    }

    /// Nothing of what was to be done next is done.
    pub(super) fn forget_deeds(&mut self) {
        self.deeds.clear();
    }

    /// Takes up what the failure kept from being done.
    pub(super) fn take_deferred(&mut self) {
        self.deeds.append(&mut self.state.deferred);
    }

    pub(super) fn running(&self) -> bool {
        self.state.running()
    }

    pub(super) fn push(&mut self, deed: Deed) {
        self.deeds.push(deed);
    }

    pub(super) fn fail(&mut self, frame: FrameId, fault: Fault) {
        self.deeds.push(Deed::Fail(frame, fault));
    }

    /// Works off all deeds. The step budget bounds them: every loop passes through a task.
    pub(super) fn run(&mut self) {
        while let Some(deed) = self.deeds.pop() {
            if !self.running() {
                // Branches that have not begun yet begin when the run is reopened.
                self.deeds.push(deed);
                self.state.deferred = std::mem::take(&mut self.deeds);
                return;
            }
            match deed {
                Deed::Enter(id) => self.enter(id),
                Deed::Leave(id, output, flow) => self.leave(id, output, flow),
                Deed::Completed { parent, child, output, flow } => {
                    self.completed(parent, child, output, flow);
                }
                Deed::Fail(id, fault) => self.raise_from(id, fault),
            }
        }
    }

    fn enter(&mut self, id: FrameId) {
        let Some(frame) = self.state.frames.get(id) else { return };
        match frame.body {
            Body::Whole(_) => self.enter_whole(id),
            Body::List(_) => self.advance(id),
            Body::Task(_) => self.enter_task(id),
            Body::Undo(_) => {}
        }
    }

    fn leave(&mut self, id: FrameId, output: Arc<Value>, flow: Flow) {
        let Some(frame) = self.state.frames.get(id) else { return };
        match frame.body {
            Body::Whole(_) => self.leave_whole(id, output),
            // A list completes by itself, when its last task does.
            Body::List(_) | Body::Undo(_) => {}
            Body::Task(_) => self.leave_task(id, output, flow),
        }
    }

    fn completed(&mut self, parent: FrameId, child: FrameId, output: Arc<Value>, flow: Flow) {
        let Some(frame) = self.state.frames.get(parent) else { return };
        if flow == Flow::End {
            return match self.undoing() {
                Some(root) => self.undo_over(root, None),
                None => self.end(output),
            };
        }
        match frame.body {
            Body::Whole(_) => self.push(Deed::Leave(parent, output, flow)),
            Body::List(_) => self.list_goes_on(parent, output, flow),
            Body::Task(_) => self.task_goes_on(parent, child, output),
            Body::Undo(_) => self.undo_over(parent, None),
        }
    }

    /// The compiled task of a frame.
    pub(super) fn task_of(&self, id: FrameId) -> Option<&'s Task> {
        let program = self.program;
        self.state.frames.task(id).map(|state| program.task(state.task))
    }

    /// A new frame below `parent`, in the same thread, with the same visit and variables.
    pub(super) fn child(&mut self, parent: FrameId, body: Body) -> Option<FrameId> {
        let above = self.state.frames.get(parent)?;
        let frame = Frame {
            parent: Some(parent),
            thread: above.thread,
            visit: Arc::clone(&above.visit),
            locals: Arc::clone(&above.locals),
            body,
        };
        Some(self.state.frames.insert(frame))
    }

    pub(super) fn note(&mut self, id: FrameId, kind: NoteKind, failure: Option<Failure>) {
        self.note_with(id, kind, failure, None);
    }

    /// A note of a fault.
    pub(super) fn note_fault(&mut self, id: FrameId, fault: &Fault) {
        let (failure, error) = (fault.failure.clone(), (*fault.error).clone());
        self.note_with(id, NoteKind::Faulted, Some(failure), Some(error));
    }

    fn note_with(
        &mut self,
        id: FrameId,
        kind: NoteKind,
        failure: Option<Failure>,
        error: Option<Value>,
    ) {
        let (Some(task), Some(frame)) = (self.task_of(id), self.state.frames.get(id)) else {
            return;
        };
        self.actions.push(Action::Note(TaskNote {
            pointer: Arc::clone(&task.pointer),
            visit: Arc::clone(&frame.visit),
            task: Arc::clone(&task.name),
            kind,
            failure,
            error,
        }));
    }
}
