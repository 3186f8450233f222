//! `for`: the tasks once for every item, one after the other; the output of one iteration is the
//! input of the next.

use std::sync::Arc;

use qc_model::{Class, Failure, StandardError};
use serde_json::{Value, json};

use super::{
    evaluate::kind_of,
    fault::Fault,
    frame::{ForState, FrameId, Locals, Stage},
    list::longer,
    step::{Deed, Step},
    view::Sight,
};
use crate::{
    codes,
    program::{Kind, Loop},
};

impl Step<'_> {
    pub(super) fn enter_loop(
        &mut self,
        id: FrameId,
        each: &Loop,
        input: Arc<Value>,
    ) -> Result<(), Fault> {
        let items = self.form(id, &each.collection, &input, Sight::default(), "for.in")?;
        if !items.is_array() {
            let title = "Not a list";
            let detail = format!("`for.in` must give a list, but gave {}", kind_of(&items));
            let failure = Failure::new(Class::Permanent, codes::NOT_A_LIST, title, detail);
            return Err(self.standard_fault(id, StandardError::Expression, failure));
        }
        self.set_stage(id, Stage::For(ForState { items, index: 0, data: input }));
        self.next_iteration(id);
        Ok(())
    }

    /// Begins the iteration at the loop's index, or completes the loop.
    pub(super) fn next_iteration(&mut self, id: FrameId) {
        let (Some(task), Some(state)) = (self.task_of(id), self.state.frames.task(id)) else {
            return;
        };
        let (Stage::For(state), Kind::For(each)) = (&state.stage, &task.kind) else { return };
        let (index, data) = (state.index, Arc::clone(&state.data));
        let Some(item) = state.items.get(index).cloned() else {
            self.push(Deed::Leave(id, data, task.then));
            return;
        };
        let variables = [Arc::new(item), Arc::new(json!(index))];
        if let Some(condition) = &each.condition {
            let sight = Sight { extra: &variables, ..Sight::default() };
            match self.test(id, condition, &data, sight, "while") {
                Err(fault) => return self.fail(id, fault),
                Ok(false) => return self.push(Deed::Leave(id, data, task.then)),
                Ok(true) => {}
            }
        }
        let Some(list) = self.enter_list(id, &each.body, data) else { return };
        if let Some(frame) = self.state.frames.get_mut(list) {
            frame.visit = longer(&frame.visit, index);
            frame.locals = with_locals(&frame.locals, &variables);
        }
    }

    pub(super) fn loop_goes_on(&mut self, id: FrameId, output: Arc<Value>) {
        if let Some(state) = self.state.frames.task_mut(id)
            && let Stage::For(state) = &mut state.stage
        {
            state.data = output;
            state.index += 1;
        }
        self.next_iteration(id);
    }
}

/// Variables with some more inside them.
pub(super) fn with_locals(outer: &Locals, inner: &[Arc<Value>]) -> Locals {
    outer.iter().chain(inner).cloned().collect()
}
