//! Lists of tasks: one after the other, with jumps inside the list.

use std::sync::Arc;

use serde_json::Value;

use super::{
    frame::{Body, Frame, FrameId, ListState, Stage, TaskState},
    step::{Deed, Step},
};
use crate::program::{Flow, TaskIndex};

impl Step<'_> {
    fn list_mut(&mut self, id: FrameId) -> Option<&mut ListState> {
        match &mut self.state.frames.get_mut(id)?.body {
            Body::List(list) => Some(list),
            _ => None,
        }
    }

    /// Enters the task at the list's position, or completes the list.
    pub(super) fn advance(&mut self, id: FrameId) {
        let Some(list) = self.list_mut(id) else { return };
        let data = Arc::clone(&list.data);
        if let Some(task) = list.list.get(list.position).copied() {
            let count = &mut list.entries[list.position];
            let entered = *count;
            *count += 1;
            let Some(above) = self.state.frames.get(id) else { return };
            let visit = longer(&above.visit, entered as usize);
            let frame = Frame {
                parent: Some(id),
                thread: above.thread,
                visit,
                locals: Arc::clone(&above.locals),
                body: self.task_body(task, data),
            };
            let child = self.state.frames.insert(frame);
            self.push(Deed::Enter(child));
        } else if let Some(parent) = self.state.frames.remove(id).and_then(|frame| frame.parent) {
            let flow = Flow::Continue;
            self.push(Deed::Completed { parent, child: id, output: data, flow });
        }
    }

    /// A task about to begin.
    pub(super) fn task_body(&self, task: TaskIndex, raw: Arc<Value>) -> Body {
        Body::Task(TaskState {
            task,
            input: Arc::clone(&raw),
            raw,
            started: self.now,
            timeout: None,
            stage: Stage::Entering,
        })
    }

    /// A task of the list completed.
    pub(super) fn list_goes_on(&mut self, id: FrameId, output: Arc<Value>, flow: Flow) {
        let Some(list) = self.list_mut(id) else { return };
        list.data = output;
        list.position = match flow {
            Flow::Continue => list.position + 1,
            Flow::To(position) => position,
            Flow::Exit | Flow::End => list.list.len(),
        };
        self.push(Deed::Enter(id));
    }
}

/// A visit with one more number.
pub(super) fn longer(visit: &str, number: usize) -> Arc<str> {
    if visit.is_empty() {
        return number.to_string().into();
    }
    format!("{visit}.{number}").into()
}
